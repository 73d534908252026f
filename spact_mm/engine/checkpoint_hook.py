"""Checkpoints that survive a kill, fit their model and load without running code."""

from collections import OrderedDict
from pathlib import Path

from mmaction.registry import HOOKS
from mmengine.dist import broadcast_object_list, is_main_process
from mmengine.hooks import CheckpointHook
from mmengine.runner import BaseLoop, EpochBasedTrainLoop

from ..files import write_whole
from ..models.unwrapped import unwrapped
from ..registration import register
from .checkpoint_files import is_whole, list_checkpoints, write_order
from .finite import refuse_non_finite
from .full_disk import full_disk_error, is_full
from .plain_types import rebuild, to_plain
from .resumable_loop import ResumableTrainLoop
from .state_dicts import flattener, load_flat, renamed, without_functions
from .work_dir_lock import hold_folder, let_folder_go

#: Prefix of checkpoints that are saved at a signal in a run with checkpoints by epoch.
_INTERRUPTED = 'interrupted_iter_'


@register(HOOKS)
class PlainCheckpointHook(CheckpointHook):
    """MMEngine's ``CheckpointHook`` with plain, flat, atomic and strictly matching checkpoints.

    - *Plain*: only tensors and Python's own types are stored, so that every file loads with
      ``torch.load(weights_only=True)``; the message hub is rebuilt at ``--resume``.
    - *Flat*: the keys are those of the model without wrappers for distributed training, so that a
      run can be resumed with another number of processes.
    - *Atomic*: a file is written under another name and then renamed, and outdated files are
      removed only afterwards. So a kill at any time leaves the newest checkpoint whole.
    - *Strict*: a checkpoint that lacks weights of the model is an error; MMEngine would warn and
      continue with random weights.
    - *In order*: ``checkpoints.json`` beside the files lists them in the order of writing.
      ``--resume`` without a path takes the newest whole one, independent of the files' dates.
    - *Exact*: with ``by_epoch=False``, and after a signal, a checkpoint holds the state that the
      loop needs to continue in the middle of an epoch; see
      :class:`~spact_mm.engine.ResumableTrainLoop`.
    - *Alone*: two trainings in one work directory, which would overwrite each other's files, are
      refused.
    - *Finite*: weights or optimizer states that are not finite numbers are not written.

    Checkpoints of an unmodified MMEngine can also be loaded and resumed. Priority: ``VERY_LOW``, as
    in the base class.

    Args:
        *args: Arguments of :class:`mmengine.hooks.CheckpointHook`.
        strict (bool): Whether a checkpoint must hold all parameters and buffers of the model in
            their shapes, and at ``--resume`` no others. Defaults to True.
        **kwargs: Arguments of :class:`mmengine.hooks.CheckpointHook`, except ``save_best``,
            ``out_dir``, ``backend_args`` and ``file_client_args``: checkpoints lie in the work
            directory.

    Attributes:
        saved_iter (int | None): Number of finished iterations at the last save of this process.

    Raises:
        ValueError: If one of these arguments is set.

    Examples:
        >>> checkpoint = dict(type='PlainCheckpointHook', interval=5, max_keep_ckpts=3)
        >>> default_hooks = dict(checkpoint=checkpoint)
    """

    def __init__(self, *args, strict: bool = True, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        if self.save_best is not None:
            raise ValueError(
                f'default_hooks.checkpoint.save_best is {self.save_best}, but before the minimax '
                'the recognizer sees almost the raw video, so that the best epoch is one that '
                'protects nothing, and choosing by the test split flatters the result: take '
                'save_best out; max_keep_ckpts=-1 keeps all epochs for tools/test.py.'
            )
        for name in ('out_dir', 'backend_args', 'file_client_args'):
            if getattr(self, name) is not None:
                raise ValueError(
                    f'default_hooks.checkpoint.{name} is {getattr(self, name)}, but checkpoints '
                    'lie in the work dir, where a kill leaves whole ones: take it out, and give '
                    'another --work-dir if you want them elsewhere.'
                )
        self.backend_args = dict(backend='atomic_local')
        self.strict = strict
        self.saved_iter: int | None = None
        self._resumed_from: str | None = None
        self._order: list[str] = []
        self._mid_epoch: dict | None = None

    def before_run(self, runner) -> None:
        """Lock the work directory, and choose the checkpoint for a ``--resume`` without a path.

        Args:
            runner (Runner): The runner.

        Raises:
            RuntimeError: If another process trains in the work directory.
            ValueError: If checkpoints are written by iteration and the loop cannot continue from
                them.
        """
        loop = runner._train_loop
        if isinstance(loop, BaseLoop):
            hold_folder(runner.work_dir, runner.logger)
            is_epochs = isinstance(loop, EpochBasedTrainLoop)
            if not self.by_epoch and is_epochs and not isinstance(loop, ResumableTrainLoop):
                raise ValueError(
                    'default_hooks.checkpoint.by_epoch=False saves in the middle of an epoch, '
                    f'where a {type(loop).__name__} cannot go on: set '
                    "train_cfg.type='ResumableTrainLoop', or by_epoch=True."
                )
        if not runner._resume or runner._load_from is not None or runner._has_loaded:
            return
        folder, chosen, broken = runner.work_dir, [None], []
        if is_main_process():
            for path in list_checkpoints(folder, self.filename_tmpl):
                if is_whole(path):
                    chosen = [str(path)]
                    break
                broken.append(path.name)
        if broken:
            runner.logger.warning(f'Skipped {", ".join(broken)} in {folder}: truncated or damaged.')
        # On a network file system another process may see the files later.
        broadcast_object_list(chosen)
        if chosen[0] is None:
            runner.logger.info(
                f'There is no checkpoint to resume in {folder}: the training starts from scratch.'
            )
            runner._resume = False
        runner._load_from = chosen[0]

    def before_train(self, runner) -> None:
        """Prepare the folder of the checkpoints.

        Args:
            runner (Runner): The runner.
        """
        super().before_train(runner)
        if is_main_process():
            for partial in Path(runner.work_dir).glob('.*.part'):
                partial.unlink()
        self._order = self._find_order(runner)

    def after_run(self, runner) -> None:
        """Release the work directory for other trainings.

        Args:
            runner (Runner): The runner.
        """
        let_folder_go(runner.work_dir)

    def before_save_checkpoint(self, runner, checkpoint: dict) -> None:
        """Make the keys flat and the contents plain.

        Args:
            runner (Runner): The runner.
            checkpoint (dict): The checkpoint to save; changed in place.

        Raises:
            RuntimeError: If a weight, a running statistic or an optimizer state is not finite.
        """
        state = checkpoint['state_dict']
        model = unwrapped(runner.model)
        refuse_non_finite(runner, checkpoint, dict(model.named_buffers()))
        flatten = flattener(model)
        flat = OrderedDict((flatten(name), value) for name, value in state.items())
        metadata = getattr(state, '_metadata', {})
        flat._metadata = OrderedDict((flatten(f'{k}.')[:-1], v) for k, v in metadata.items())
        if self._mid_epoch is not None:
            checkpoint['mid_epoch'] = self._mid_epoch
        if 'param_schedulers' in checkpoint:
            checkpoint['param_schedulers'] = without_functions(checkpoint['param_schedulers'])
        for name, value in checkpoint.items():
            checkpoint[name] = flat if name == 'state_dict' else to_plain(value, name)

    def after_load_checkpoint(self, runner, checkpoint: dict) -> None:
        """Undo the conversion of :meth:`before_save_checkpoint`, and check that the weights fit.

        Args:
            runner (Runner): The runner.
            checkpoint (dict): The loaded checkpoint; changed in place.

        Raises:
            ValueError: If the checkpoint does not fit the model (with ``strict``), or cannot be
                resumed.
        """
        is_first = not runner._has_loaded and runner._load_from is not None
        source = runner._load_from if is_first else 'The loaded checkpoint'
        if not isinstance(checkpoint, dict):
            raise ValueError(
                f'{source} holds a {type(checkpoint).__name__} instead of a state_dict: choose a '
                'checkpoint of a whole model.'
            )
        resumes = runner._resume and not runner._has_loaded
        if resumes:
            needed = ['state_dict', 'meta', 'message_hub']
            needed += ['optimizer'] if self.save_optimizer else []
            absent = [name for name in needed if name not in checkpoint]
            if absent:
                raise ValueError(
                    f'{source} cannot be resumed, because it holds no {", ".join(absent)}: resume '
                    f'an {self.filename_tmpl.format("N")}, or start anew with load_from.'
                )
        damage = rebuild(checkpoint, resumes)
        if damage:
            raise ValueError(
                f'{source} cannot be {"resumed" if resumes else "loaded"}, because {damage}: '
                f'resume an {self.filename_tmpl.format("N")} that is whole, or start anew.'
            )
        if resumes:
            self._resumed_from = source
            self._place_in_epoch(runner, checkpoint)
        model = unwrapped(runner.model)
        flatten = flattener(model)
        names = {name: flatten(name) for name in model.state_dict()}
        state = renamed(checkpoint.get('state_dict', checkpoint), set(names.values()))
        if 'state_dict' in checkpoint:
            checkpoint['state_dict'] = state
        if self.strict:
            problems = load_flat(model, names, state, resumes)
            if problems:
                raise ValueError(
                    f'{source} is a checkpoint of another model, it has {problems}: use '
                    'the configuration it was trained with, or set '
                    'default_hooks.checkpoint.strict=False to go on with what fits.'
                )

    def _place_in_epoch(self, runner, checkpoint: dict) -> None:
        """Tell the loop if the checkpoint was written in the middle of an epoch."""
        meta, hub = checkpoint['meta'], checkpoint['message_hub']
        # In a checkpoint between epochs, ``meta`` counts the finished epoch already.
        if hub['runtime_info'].get('epoch') != meta['epoch']:
            return
        loop = runner.train_loop
        if isinstance(loop, ResumableTrainLoop):
            loop.go_on_from(checkpoint.get('mid_epoch'), meta['epoch'], meta['iter'])
        elif isinstance(loop, EpochBasedTrainLoop):
            raise ValueError(
                f'{self._resumed_from} was written in the middle of an epoch, where a '
                f"{type(loop).__name__} cannot go on: set train_cfg.type='ResumableTrainLoop', or "
                'resume a checkpoint of an epoch.'
            )

    def find_last(self, runner) -> str | None:
        """Return the newest whole checkpoint of the run; None if there is none.

        Args:
            runner (Runner): The runner.
        """
        paths = (Path(runner.work_dir) / name for name in reversed(self._order))
        return next((str(path) for path in paths if is_whole(path)), None)

    def save_now(self, runner) -> None:
        """Save between two iterations, unless this was done already.

        With ``by_epoch=True`` the file is ``interrupted_iter_<n>.pth``. It is removed when the next
        epoch is saved.

        Args:
            runner (Runner): The runner, which has counted the iteration.
        """
        if self.saved_iter == runner.iter:
            return
        meta = dict(epoch=runner.epoch, iter=runner.iter)
        if self.by_epoch:
            self._save(runner, f'{_INTERRUPTED}{runner.iter}.pth', [], meta)
        else:
            self._save_checkpoint_with_step(runner, runner.iter, meta)

    def _find_order(self, runner) -> list[str]:
        """Return the names of the run's checkpoints up to the resumed one."""
        if self._resumed_from is None:
            return []
        source, folder = Path(self._resumed_from).resolve(), runner.work_dir
        names = [path.name for path in list_checkpoints(folder, self.filename_tmpl)][::-1]
        if source.parent != Path(folder).resolve() or source.name not in names:
            return []
        return names[: names.index(source.name) + 1]

    def _save_checkpoint_with_step(self, runner, step: int, meta: dict) -> None:
        """Save a due checkpoint, and only then remove outdated ones."""
        outdated = [name for name in self._order if name.startswith(_INTERRUPTED)]
        if self.max_keep_ckpts > 0:
            numbers = [number for number in self.keep_ckpt_ids if number != step] + [step]
            outdated += map(self.filename_tmpl.format, numbers[: -self.max_keep_ckpts])
            self.keep_ckpt_ids = numbers[-self.max_keep_ckpts :]
            runner.message_hub.update_info('keep_ckpt_ids', self.keep_ckpt_ids)
        self._save(runner, self.filename_tmpl.format(step), outdated, meta)

    def _save(self, runner, name: str, outdated: list[str], meta: dict) -> None:
        """Append the name to the order, save, update ``last_checkpoint``, remove outdated files."""
        loop, folder = runner.train_loop, Path(runner.work_dir)
        # After a whole epoch, which meta counts already, there is no state within an epoch to save.
        if isinstance(loop, ResumableTrainLoop) and meta['epoch'] == runner.epoch:
            self._mid_epoch = loop.capture()
        self.last_ckpt = str(folder / name)
        runner.message_hub.update_info('last_ckpt', self.last_ckpt)
        try:
            if is_main_process():
                self._note(folder, name)
            runner.save_checkpoint(
                self.out_dir,
                name,
                save_optimizer=self.save_optimizer,
                save_param_scheduler=self.save_param_scheduler,
                meta=meta,
                by_epoch=self.by_epoch,
                backend_args=self.backend_args,
                **self.args,
            )
            if is_main_process():
                write_whole(folder / 'last_checkpoint', self.last_ckpt)
        except OSError as error:
            if not is_full(error):
                raise
            raise full_disk_error(error, self.last_ckpt, self.find_last(runner)) from error
        finally:
            self._mid_epoch = None
        self.saved_iter = meta['iter']
        if is_main_process():
            for old in outdated:
                (folder / old).unlink(missing_ok=True)

    def _note(self, folder: Path, name: str) -> None:
        """Append a name to the order, before a file of this name exists.

        A file of this name from an earlier run is removed first. So after a kill at any time the
        order has no files of other runs.
        """
        if name not in self._order:
            (folder / name).unlink(missing_ok=True)
        kept = [old for old in self._order if old != name and (folder / old).is_file()]
        self._order = [*kept, name]
        write_order(folder, self._order)
