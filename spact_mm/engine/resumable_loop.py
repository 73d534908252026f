"""A training loop that can be resumed at any iteration."""

import signal
from collections.abc import Iterator

from mmaction.registry import LOOPS
from mmengine.dist import all_gather_object, barrier, get_rank, get_world_size
from mmengine.runner import EpochBasedTrainLoop, Runner
from torch.utils.data import DataLoader

from ..registration import register
from .full_disk import refuse_full_disk
from .interruption import Interruption, shield_workers
from .late_start import iterate_from
from .training_state import capture_state, restore_state


@register(LOOPS)
class ResumableTrainLoop(EpochBasedTrainLoop):
    """MMEngine's epoch loop that resumes at any iteration and saves a checkpoint at a signal.

    With :class:`~spact_mm.engine.ReproducibleEpochHook` and a
    :class:`~spact_mm.datasets.ReproducibleDataset`, an interrupted and resumed run gives the same
    result as an uninterrupted one, also if :class:`~spact_mm.engine.PlainCheckpointHook` has
    ``by_epoch=False``. Finished batches are not loaded again.

    SIGTERM and SIGINT end the run after the current iteration (with several processes a few
    iterations later) with a checkpoint and exit code 143 or 130; a second signal ends it at once.

    Args:
        *args: Arguments of :class:`mmengine.runner.EpochBasedTrainLoop`.
        **kwargs: Arguments of :class:`mmengine.runner.EpochBasedTrainLoop`.

    Attributes:
        batches_done (int): Number of started batches of this epoch, including the current one;
            above 0 in ``before_train_epoch`` if an interrupted epoch continues.

    Raises:
        OSError: If the disk is full.
    """

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self.batches_done = 0
        self._saved: dict | None = None
        self._interruption = Interruption()

    def run(self):
        """Train to the end, or until a signal."""
        runner = self.runner
        self._find_position()
        loaders = list(_loaders(self.dataloader).values())
        loaders += [] if runner.val_loop is None else [runner.val_loop.dataloader]
        for loader in loaders:
            shield_workers(loader)
        hook = _checkpoint_hook(runner)
        with (
            refuse_full_disk(
                runner.logger,
                f'A file in {runner.work_dir}',
                lambda: None if hook is None else hook.find_last(runner),
            ),
            Interruption() as self._interruption,
        ):
            return super().run()

    def run_epoch(self) -> None:
        """Run one epoch, or the rest of an interrupted one."""
        runner, first = self.runner, self.batches_done
        runner.call_hook('before_train_epoch')
        runner.model.train()
        for idx, data_batch in enumerate(self._iterate_from(first), first):
            # Restored after the first batch: starting the loaders draws random numbers.
            self._restore()
            self.run_iter(idx, data_batch)
        self._restore()
        runner.call_hook('after_train_epoch')
        self._epoch += 1
        self.batches_done = 0
        hook = _checkpoint_hook(runner)
        # Until the next iteration, for instance in a validation, there may be nothing new to save.
        self._interruption.has_work = hook is not None and hook.saved_iter != self._iter

    def run_iter(self, idx: int, data_batch) -> None:
        """Run one iteration; end the process afterwards if a signal has come.

        Raises:
            SystemExit: If a signal has come.
        """
        self.batches_done = idx + 1
        self._interruption.has_work = True
        super().run_iter(idx, data_batch)
        number = self._interruption.wanted(self._iter)
        if number:
            self._end(number)

    def capture(self) -> dict:
        """Return the position in the epoch and the states of all processes, for a checkpoint."""
        states = all_gather_object(capture_state(self.runner))
        return dict(batches_done=self.batches_done, layout=self._layout(), states=states)

    def go_on_from(self, saved: dict | None, epoch: int, iteration: int) -> None:
        """Continue in the middle of an epoch.

        Args:
            saved (dict, optional): Result of :meth:`capture`; None for a checkpoint of MMEngine's
                own hook, which has no such entry.
            epoch (int): Number of whole epochs before.
            iteration (int): Number of iterations before.
        """
        length = len(self.dataloader)
        done = min(max(iteration - epoch * length, 0), length)
        self._saved = saved or dict(batches_done=done, layout=None)

    def _find_position(self) -> None:
        """Set the first batch, and the number of iterations for the current number of batches."""
        length = len(self.dataloader)
        if self._saved is not None:
            done, layout = self._saved['batches_done'], self._saved['layout']
            if layout == self._layout():
                self.batches_done = done
            else:
                self.batches_done = done * length // layout['batches'] if layout else done
                self._saved = None
                reason = (
                    'with another batch size, data set or number of processes'
                    if layout
                    else 'without the states of its random generators'
                )
                self.runner.logger.warning(
                    f'The checkpoint was written in the middle of an epoch {reason}: the run goes '
                    f'on at batch {self.batches_done} of {length}, not bit for bit.'
                )
        # Counted with the current epoch length; otherwise the loop would miss the last iteration.
        self._iter = self._epoch * length + self.batches_done

    def _layout(self) -> dict:
        """Return the settings that the batches of an epoch depend on, apart from seed and epoch."""
        sizes = {name: loader.batch_size for name, loader in _loaders(self.dataloader).items()}
        return dict(batches=len(self.dataloader), batch_sizes=sizes, processes=get_world_size())

    def _iterate_from(self, first: int) -> Iterator:
        return iterate_from(self.dataloader, first)

    def _restore(self) -> None:
        if self._saved is not None:
            restore_state(self.runner, self._saved['states'][get_rank()])
            self._saved = None

    def _end(self, number: int) -> None:
        runner, hook = self.runner, _checkpoint_hook(self.runner)
        if hook is None:
            kept = 'nothing was saved, as default_hooks.checkpoint is not a PlainCheckpointHook'
        else:
            hook.save_now(runner)
            kept = f'{hook.last_ckpt} is saved, and --resume goes on from it'
        # A launcher ends all processes when the first one ends.
        barrier()
        runner.logger.warning(
            f'{signal.Signals(number).name}: the training ends after iteration {self._iter} of '
            f'{self._max_iters}; {kept}.'
        )
        raise SystemExit(128 + number)


def batches_done(runner: Runner) -> int:
    """Return the number of finished batches of the current epoch before an interruption."""
    return getattr(runner.train_loop, 'batches_done', 0)


def _loaders(dataloader) -> dict[str, DataLoader]:
    return getattr(dataloader, 'loaders', dict(train=dataloader))


def _checkpoint_hook(runner: Runner):
    """Return the hook that can save between two epochs; None if there is none."""
    return next((hook for hook in runner.hooks if hasattr(hook, 'save_now')), None)
