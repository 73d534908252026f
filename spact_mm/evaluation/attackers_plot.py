"""A bar chart of the attackers of a panel."""

import os
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from ..figures import write_figure
from .method_styles import style_methods
from .panel_report import PanelReport

#: Suffix of the name of an attacker who starts from the weights of the attacker on raw video.
_FROM_RAW = '_raw'
#: Fraction of the space between two attackers that their bars fill.
_WIDTH = 0.8


def plot_attackers(panel: PanelReport, path: str | os.PathLike, title: str | None = None) -> Path:
    """Draw a group of bars for each attacker, with a bar for each method and the chance level.

    Error bars are one standard deviation over seeds. An attacker who starts from the weights of an
    attacker on raw video is drawn beside that one, by its name: ``mean_raw`` beside ``mean``.

    Args:
        panel (PanelReport): The attackers, at least one.
        path: The picture; its suffix gives the format, such as ``.png``.
        title (str, optional): Heading.

    Returns:
        Path: The picture.
    """
    methods, scores = list(panel.summary), panel.scores()
    for name in panel.attackers:
        before = scores.get(panel.raw, {}).get(name.removesuffix(_FROM_RAW))
        if before is not None:
            scores[panel.raw].setdefault(name, before)
    names = [name for name in panel.attackers if not _is_shown_by_another(name, panel, scores)]
    figure = Figure((max(6.0, 1.3 * len(names) + 2), 4.2), layout='constrained')
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    width, styles = _WIDTH / len(methods), style_methods(methods, panel.raw)
    for index, method in enumerate(methods):
        found = {i: scores[method][n] for i, n in enumerate(names) if n in scores[method]}
        places = np.array(list(found)) + (index - (len(methods) - 1) / 2) * width
        means = [100 * entry['mean'] for entry in found.values()]
        spreads = [100 * entry['std'] if entry['n'] > 1 else 0 for entry in found.values()]
        color, _ = styles[method]
        bars = axes.bar(places, means, 0.92 * width, color=color, label=method, zorder=2)
        if any(spreads):
            axes.errorbar(places, means, spreads, fmt='none', ecolor='0.5', capsize=3, zorder=3)
        axes.bar_label(bars, [f'{mean:.0f}' for mean in means], padding=3, fontsize=9)
    levels = panel.chance_levels()
    for index, name in enumerate(names):
        ends = (index - _WIDTH / 2 - 0.05, index + _WIDTH / 2 + 0.05)
        label = None if index else 'chance'
        axes.hlines(100 * levels[name], *ends, '#D55E00', 'dashed', label, zorder=4)
    axes.set_xticks(range(len(names)), [n.replace(_FROM_RAW, ',\nfrom raw') for n in names])
    axes.set(ylim=(0, 112), yticks=range(0, 101, 20), ylabel=f'{panel.title} of the attacker (%)')
    axes.set_title(title or '')
    axes.grid(axis='y', color='0.9', zorder=0)
    axes.spines[['top', 'right']].set_visible(False)
    axes.spines['left'].set_bounds(0, 100)  # the numbers on the bars are above
    figure.legend(loc='outside lower center', ncols=len(methods) + 1, frameon=False)
    path = Path(path)
    write_figure(figure, path, dpi=120)
    return path


def _is_shown_by_another(name: str, panel: PanelReport, scores: dict[str, dict]) -> bool:
    """Tell whether an attacker is only on raw video and the start of another attacker."""
    owners = [method for method, found in scores.items() if name in found]
    return owners == [panel.raw] and name + _FROM_RAW in panel.attackers
