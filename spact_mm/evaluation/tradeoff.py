"""The trade-off between utility and privacy as a picture."""

import os
from collections.abc import Iterable, Mapping, Sequence
from itertools import cycle
from pathlib import Path

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.text import Text

from ..figures import write_figure
from .label_placement import place_labels
from .method_styles import style_methods
from .summary import Summary

#: Fill of published points, one for each source.
_FILLS = ('white', '0.85', '0.65', '0.45')
#: A chance level is left out of the picture if it makes the axis (x, y) this many times longer.
#: Privacy is measured from the chance level, so more is allowed for x.
_MAX_STRETCH = (4, 2)
#: Smallest range of an axis in percent, for points that are very close.
_MIN_RANGE = 5
_FRONT = dict(color='#B8B8B8', lw=5, alpha=0.5, solid_joinstyle='round', solid_capstyle='round')
_NAMES = dict(
    advantage='advantage over chance of the strongest attacker',
    cmap='cMAP of a fresh attacker',
    cmap_finetuned='cMAP of a fine-tuned attacker',
    cmap_video='video-level cMAP of a fresh attacker',
    cmap_reconstructed='cMAP of an attacker on reconstructions',
    identity_top1='Top-1 of an identity attacker',
    f1='F1 of a fresh attacker',
    top1='Top-1 of a fresh recognizer',
)


def pareto_front(points: Sequence[tuple[float, float]]) -> list[int]:
    """Find the points that no other point beats.

    A point beats another if it is neither further right nor lower, and not equal: x is the
    attacker's success, lower is better, and y the utility, higher is better.

    Args:
        points (Sequence[tuple[float, float]]): (x, y) of each point.

    Returns:
        list[int]: Indices of the points on the front, from left to right, including all equal
        points.
    """
    front = [
        i
        for i, (x, y) in enumerate(points)
        if not any(u <= x and v >= y and (u, v) != (x, y) for u, v in points)
    ]
    return sorted(front, key=lambda i: points[i])


def plot_tradeoff(
    summary: Summary,
    path: str | os.PathLike,
    published: Mapping[str, Mapping[str, Mapping[str, float]]] | None = None,
    chance: Mapping[str, float] | None = None,
    title: str | None = None,
    x: str = 'cmap',
    y: str = 'top1',
    raw: str = 'raw',
    connect: Iterable[Sequence[str]] = (),
) -> Path:
    """Draw the recognizer's accuracy against the attacker's success, one marker per method.

    Error bars are one standard deviation over seeds, in both directions. Methods that lack one of
    the metrics are left out.

    Args:
        summary (dict): ``{method: {metric: {'mean', 'std', 'n'}}}``, in fractions.
        path: The picture; its suffix gives the format, such as ``.png`` or ``.svg``.
        published (Mapping, optional): ``{source: {method: {metric: fraction}}}``, drawn hollow.
        chance (Mapping, optional): ``{metric: fraction}``, drawn dashed.
        title (str, optional): Heading.
        x (str): Metric of the attacker.
        y (str): Metric of the recognizer.
        raw (str): The method that stands for raw video, drawn as a black star.
        connect (Iterable[Sequence[str]]): Groups of methods to join by a thin line, such as one
            obfuscation at several strengths.

    Returns:
        Path: The picture.

    Raises:
        ValueError: If no method has both metrics.
    """
    measured = {name: _point(metrics, x, y) for name, metrics in summary.items()}
    measured = {name: point for name, point in measured.items() if point is not None}
    if not measured:
        raise ValueError(f'No method of the summary has both {x!r} and {y!r}; there is no plot.')
    quoted = {
        source: {
            name: (100 * values[x], 100 * values[y])
            for name, values in methods.items()
            if x in values and y in values
        }
        for source, methods in (published or {}).items()
    }
    others = [(name, point) for values in quoted.values() for name, point in values.items()]
    styles = {
        name: (*style, 15 if name == raw else 9)
        for name, style in style_methods([*measured, *(n for n, _ in others)], raw).items()
    }
    levels = [100 * chance[metric] if metric in (chance or {}) else None for metric in (x, y)]

    figure = Figure(figsize=(8.4, 6), dpi=150, layout='constrained')
    figure.get_layout_engine().set(w_pad=0.12, h_pad=0.1)
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.spines[['top', 'right']].set_visible(False)
    axes.grid(color='0.93', lw=0.8)
    axes.set_axisbelow(True)
    axes.set_xlabel(f'{_NAMES.get(x, x)} (%)\n← more private', fontsize=11)
    axes.set_ylabel(f'{_NAMES.get(y, y)} (%)\nmore useful →', fontsize=11)
    if title:
        axes.set_title(title, loc='left', fontsize=12, pad=12)
    _set_limits(axes, measured.values(), [point for _, point in others], levels)
    lines, captions = _draw_chance(axes, levels)
    for group in connect:
        line = [measured[name][:2] for name in group if name in measured]
        axes.plot(*np.reshape(line, (-1, 2)).T, color='0.6', lw=1, zorder=1)
        lines.append(line)
    front = _draw_front(axes, [point[:2] for point in measured.values()])
    lines.append(front)
    for name, (u, v, du, dv) in measured.items():
        color, marker, size = styles[name]
        bars = dict(elinewidth=1.2, capsize=3, zorder=4)
        # As far as 100, beyond which no value is; an advantage may be below 0.
        spread = [[[d], [max(0, min(d, 100 - x))]] for x, d in ((v, dv), (u, du))]
        axes.errorbar(u, v, *spread, marker, color=color, ms=size, mec='white', mew=0.8, **bars)
    for fill, values in zip(cycle(_FILLS), quoted.values(), strict=False):
        for name, point in values.items():
            color, marker, size = styles[name]
            axes.plot(*point, marker, ms=size, mfc=fill, mec=color, mew=1.4, zorder=3)
    has_spread = any(summary[name][metric]['n'] > 1 for name in measured for metric in (x, y))
    _draw_legend(figure, [s for s in quoted if quoted[s]], has_spread, len(front) > 1)

    # Published points of a measured method have its colour and marker, and no label.
    labelled = {name: point[:2] for name, point in reversed(others)}
    labelled |= {name: point[:2] for name, point in measured.items()}
    labels = [(name, point, styles[name][0]) for name, point in labelled.items()]
    _write_names(axes, labels, measured.values(), [point for _, point in others], lines, captions)
    path = Path(path)
    write_figure(figure, path)
    return path


def _point(metrics: Mapping, x: str, y: str) -> tuple[float, float, float, float] | None:
    """Return (x, y, std of x, std of y) in percent."""
    if x not in metrics or y not in metrics:
        return None
    return tuple(100 * metrics[metric][key] for key in ('mean', 'std') for metric in (x, y))


def _set_limits(
    axes: Axes,
    measured: Iterable[tuple[float, ...]],
    others: Iterable[tuple[float, float]],
    levels: Sequence[float | None],
) -> None:
    """Show all points, and the chance levels unless they squeeze the points together."""
    measured = list(measured)
    for axis, (level, set_limits) in enumerate(
        zip(levels, (axes.set_xlim, axes.set_ylim), strict=True)
    ):
        values = [p[axis] + sign * p[axis + 2] for p in measured for sign in (-1, 1)]
        values = [min(value, 100) for value in values]
        values += [point[axis] for point in others]
        low, high = min(values), max(values)
        if level is not None:
            wide = max(high, level) - min(low, level)
            if wide <= _MAX_STRETCH[axis] * max(high - low, _MIN_RANGE):
                low, high = min(low, level), max(high, level)
        margin = 0.12 * max(high - low, _MIN_RANGE)
        # No value is beyond 0 and 100, but markers there should be whole.
        ends = max(low - margin, -4), min(high + margin, 104)
        set_limits(*ends)
        spine = axes.spines['bottom' if axis == 0 else 'left']
        spine.set_bounds(max(ends[0], 0), min(ends[1], 100))
        scale = axes.xaxis if axis == 0 else axes.yaxis
        scale.set_ticks(
            [t for t in scale.get_ticklocs() if max(ends[0], 0) <= t <= min(ends[1], 100)]
        )


def _draw_chance(
    axes: Axes, levels: Sequence[float | None]
) -> tuple[list[Sequence[tuple[float, float]]], list[Artist]]:
    """Draw dashed lines at the chance levels, or a note if a level is beyond an edge."""
    lines, captions = [], []
    edges = (axes.get_xlim(), axes.get_ylim())
    for axis, level in enumerate(levels):
        if level is None:
            continue
        low, high = edges[axis]
        text, at = f'chance {level:.1f} %', min(max(level, low), high)
        if at == level:
            (axes.axvline, axes.axhline)[axis](level, color='0.45', lw=1.1, ls='--', zorder=1)
            lines.append([(level, e) if axis == 0 else (e, level) for e in edges[1 - axis]])
        else:
            text += f', beyond this edge {("←→", "↓↑")[axis][int(level > high)]}'
        # The text is at the far end of the line, on the side with more room.
        after = at <= (low + high) / 2
        offset = 4 if after else -4
        if axis == 0:
            place = dict(xy=(at, 0.985), xytext=(offset, 0), xycoords=axes.get_xaxis_transform())
            place |= dict(ha='left' if after else 'right', va='top', rotation=90)
        else:
            place = dict(xy=(0.985, at), xytext=(0, offset), xycoords=axes.get_yaxis_transform())
            place |= dict(ha='right', va='bottom' if after else 'top')
        captions.append(
            axes.annotate(text, textcoords='offset points', color='0.35', fontsize=9, **place)
        )
    return lines, captions


def _draw_front(axes: Axes, points: Sequence[tuple[float, float]]) -> np.ndarray:
    """Draw the Pareto front as the border of the reached area; return its corners (N, 2)."""
    front = np.array([points[i] for i in pareto_front(points)])
    # Between two methods the best known utility is that of the left one.
    corners = np.repeat(front, 2, axis=0)
    corners = np.column_stack([corners[1:, 0], corners[:-1, 1]])
    axes.plot(*corners.T, zorder=1.5, **_FRONT)
    return corners


def _draw_legend(figure: Figure, sources: Sequence[str], has_spread: bool, has_front: bool) -> None:
    marks = dict(color='0.3', marker='o', ls='', ms=8)
    label = 'measured, mean ± std over seeds' if has_spread else 'measured, one seed'
    handles = [Line2D([], [], **marks, mec='white', label=label)]
    if has_front:
        handles.append(Line2D([], [], **_FRONT, label='Pareto front of the measured'))
    for fill, source in zip(cycle(_FILLS), sources, strict=False):
        handles.append(Line2D([], [], **marks, mfc=fill, mew=1.4, label=f'published ({source})'))
    columns = 2 if max(map(len, sources), default=0) < 45 else 1
    figure.legend(
        handles=handles, loc='outside lower center', ncols=columns, frameon=False, fontsize=9.5
    )


def _write_names(
    axes: Axes,
    labels: Sequence[tuple[str, tuple[float, float], str]],
    measured: Iterable[tuple[float, float, float, float]],
    others: Iterable[tuple[float, float]],
    lines: Iterable[Sequence[tuple[float, float]]],
    captions: Iterable[Artist],
) -> None:
    """Write names beside their points, at places that cover the least."""
    figure = axes.figure
    figure.draw_without_rendering()
    renderer = figure.canvas.get_renderer()
    unit = figure.dpi / 72
    to_pixels = axes.transData.transform

    def boxes(points, reach: float) -> np.ndarray:
        points = to_pixels(points)
        return np.hstack([points - reach * unit, points + reach * unit])

    obstacles = [caption.get_window_extent(renderer).extents[None] for caption in captions]
    for u, v, du, dv in measured:
        obstacles.append(boxes([(u, v)], 6))
        obstacles += [boxes(_dense([(u - du, v), (u + du, v)]), 2)]
        obstacles += [boxes(_dense([(u, v - dv), (u, v + dv)]), 2)]
    obstacles += [boxes([point], 6) for point in others]
    obstacles += [boxes(_dense(line), 2) for line in lines if len(line) > 1]

    texts = []
    for name, point, color in labels:
        text = axes.annotate(
            name,
            point,
            (0, 0),
            textcoords='offset points',
            ha='center',
            va='center',
            color=0.75 * np.array(to_rgb(color)),
            fontsize=10,
            zorder=5,
            arrowprops=dict(arrowstyle='-', color=color, lw=0.8, alpha=0.7, shrinkA=0, shrinkB=5),
        )
        text.set_in_layout(False)
        texts.append(text)
    anchors = to_pixels([point for _, point, _ in labels])
    # Extents of the text without its arrow.
    extents = [Text.get_window_extent(text, renderer) for text in texts]
    sizes = np.array([extent.size for extent in extents]) + 2 * unit
    centers = place_labels(anchors, sizes, np.vstack(obstacles), axes.bbox.extents, unit)
    gaps = (np.abs(centers - anchors) - sizes / 2).max(1) / unit
    for text, offset, gap in zip(texts, (centers - anchors) / unit, gaps, strict=True):
        text.set_position(offset)
        text.arrow_patch.set_visible(gap > 10)


def _dense(line: Sequence[tuple[float, float]]) -> np.ndarray:
    """Return points along a line, (N, 2)."""
    line = np.asarray(line, dtype=float)
    steps = np.linspace(0, 1, 40)[:, None]
    return np.vstack([a + steps * (b - a) for a, b in zip(line[:-1], line[1:], strict=True)])
