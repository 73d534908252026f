"""Curves of a training as a picture."""

from collections.abc import Mapping
from pathlib import Path

from mmaction.registry import HOOKS
from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.runner import Runner

from ..figures import write_figure
from ..registration import register
from .resumable_loop import batches_done

#: ``{phase: {loss: [[epoch, mean], ...]}}``
Curves = dict[str, dict[str, list[list[float]]]]


@register(HOOKS)
class TrainingCurvesHook(Hook):
    """Draw the mean losses of each epoch, by phase, to ``<work_dir>/curves.png``.

    The losses of each iteration go to the visualizer's backends (TensorBoard, ...) by MMEngine's
    ``LoggerHook``. The means are kept in MMEngine's message hub, which checkpoints hold, so a
    resumed run's picture shows the training from its beginning.

    Args:
        interval (int): Draw after each ``interval`` epochs, and after the last. Defaults to 10.

    Raises:
        ValueError: If ``interval`` is below 1.
    """

    # Runs after the phase hook, which clears the histories of finished phases.
    priority = 'LOW'

    def __init__(self, interval: int = 10) -> None:
        if interval < 1:
            raise ValueError(f'interval of TrainingCurvesHook must be 1 or more, not {interval}.')
        self.interval = interval

    def before_train_epoch(self, runner: Runner) -> None:
        """Remember the number of values of each loss before the epoch."""
        if not batches_done(runner):
            before = {name: len(values) for name, values in _losses(runner).items()}
            runner.message_hub.update_info('curves_before', before)

    def after_train_epoch(self, runner: Runner) -> None:
        """Add the epoch's means, and draw if it is due."""
        epoch = runner.epoch + 1
        curves: Curves = runner.message_hub.runtime_info.get('curves', {})
        before: dict[str, int] = runner.message_hub.runtime_info.get('curves_before', {})
        for name, values in _losses(runner).items():
            values = values[before.get(name, 0) :]
            if len(values):
                _, *phase, key = name.split('/')
                points = curves.setdefault('/'.join(phase) or 'train', {}).setdefault(key, [])
                points.append([epoch, float(values.mean())])
        runner.message_hub.update_info('curves', curves)
        is_due = self.every_n_epochs(runner, self.interval) or epoch == runner.max_epochs
        if curves and is_due and is_main_process():
            draw_curves(curves, Path(runner.work_dir) / 'curves.png')


def _losses(runner: Runner) -> dict:
    """Return the values of each loss so far, by names such as ``'train/anonymizer/loss'``."""
    return {
        name: history.data[0]
        for name, history in runner.message_hub.log_scalars.items()
        if name.startswith('train/') and 'loss' in name.rpartition('/')[2]
    }


def draw_curves(curves: Mapping, path: Path) -> None:
    """Draw a panel for each phase; losses with equal values share a line.

    If other phases precede the phase ``anonymizer``, a line marks the beginning of that phase.

    Args:
        curves (Mapping): ``{phase: {loss: [[epoch, mean], ...]}}``.
        path (Path): The PNG file.
    """
    # Here, as every process that imports this package would wait for it.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure((5.5 * len(curves), 3.8), layout='constrained')
    FigureCanvasAgg(figure)
    panels = figure.subplots(1, len(curves), squeeze=False)[0]
    minimax = [points[0][0] for points in curves.get('anonymizer', {}).values()]
    for axes, (phase, lines) in zip(panels, curves.items(), strict=True):
        names: dict[tuple, list[str]] = {}
        for name, points in lines.items():
            names.setdefault(tuple(map(tuple, points)), []).append(name)
        for points, same in names.items():
            axes.plot(*zip(*points, strict=True), marker='.', label=' = '.join(same))
        if minimax and min(points[0][0] for points in lines.values()) < min(minimax):
            begin = min(minimax) - 0.5
            axes.axvline(begin, color='0.4', lw=1, ls='--', label='minimax begins')
        axes.set(title=phase, xlabel='epoch', ylabel='mean of the epoch')
        axes.grid(alpha=0.3)
        axes.legend(frameon=False)
    write_figure(figure, path, dpi=100)
