"""Checkpoints that survive a kill, fit their model and load without running anyone's code."""

import os
import re
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

import torch
from mmaction.registry import HOOKS
from mmengine.dist import broadcast_object_list, is_main_process
from mmengine.hooks import CheckpointHook
from mmengine.model import is_model_wrapper

from ..registration import register
from .checkpoint_files import (
    AtomicLocalBackend,
    PostponedRemoval,
    is_whole,
    list_checkpoints,
)
from .finite import refuse_non_finite
from .plain_types import from_plain, to_plain

_ATOMIC = dict(backend='atomic_local')


@register(HOOKS)
class PlainCheckpointHook(CheckpointHook):
    """MMEngine's ``CheckpointHook`` with plain, flat, atomic and strictly matching checkpoints.

    - *Plain*: only tensors and Python's own types are stored, so that every file loads with
      ``torch.load(weights_only=True)``; the message hub is rebuilt at ``--resume``.
    - *Flat*: the keys are those of the unwrapped model, whatever is wrapped for distributed
      training, so that a run may be resumed with another number of processes.
    - *Atomic*: a file is written under another name and then put in place, and outdated files are
      removed only afterwards, so that a kill at any time leaves a whole newest checkpoint.
    - *Strict*: a checkpoint that does not fill the model is an error, where MMEngine warns and goes
      on with random weights.
    - *Finite*: weights or optimizer states that are not finite numbers are not written.
    - ``--resume`` without a path takes the newest whole checkpoint of the work directory.

    Checkpoints of an unmodified MMEngine can be loaded and resumed, too. Priority: ``VERY_LOW``, as
    its base class.

    Args:
        *args: As those of :class:`mmengine.hooks.CheckpointHook`.
        strict (bool): Whether a checkpoint must hold every parameter and buffer of the model in its
            shape, and at ``--resume`` nothing else. Defaults to True.
        **kwargs: As those of :class:`mmengine.hooks.CheckpointHook`.

    Examples:
        >>> checkpoint = dict(type='PlainCheckpointHook', max_keep_ckpts=3, save_best='auto')
        >>> default_hooks = dict(checkpoint=checkpoint)
    """

    def __init__(self, *args, strict: bool = True, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self.strict = strict

    def before_run(self, runner) -> None:
        """Choose the checkpoint of a ``--resume`` without a path.

        Args:
            runner (Runner): The runner.
        """
        if not runner._resume or runner._load_from is not None or runner._has_loaded:
            return
        folder = self._folder(runner)
        if '://' in folder:
            return
        chosen = [None]
        if is_main_process():
            chosen, broken = [None], []
            for path in list_checkpoints(folder, self.filename_tmpl, runner.work_dir):
                if is_whole(path):
                    chosen = [str(path)]
                    break
                broken.append(path.name)
            if broken:
                runner.logger.warning(
                    f'Skipped {", ".join(broken)} in {folder}: truncated or damaged.'
                )
        # Another process may see the folder of a network file system later.
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
        if (
            self.backend_args is None
            and self.file_client_args is None
            and '://' not in self._folder(runner)
        ):
            self.backend_args = _ATOMIC
        super().before_train(runner)
        if self.backend_args is _ATOMIC and is_main_process():
            for partial in Path(self.out_dir).glob('.*.pth.*.part'):
                partial.unlink()

    def before_save_checkpoint(self, runner, checkpoint: dict) -> None:
        """Make the keys flat and the contents plain.

        Args:
            runner (Runner): The runner.
            checkpoint (dict): What will be saved; changed in place.

        Raises:
            RuntimeError: If a weight, a running statistic or an optimizer state is not finite.
        """
        state = checkpoint['state_dict']
        model = _unwrapped(runner.model)
        refuse_non_finite(runner, checkpoint, dict(model.named_buffers()))
        flatten = _flattener(model)
        flat = OrderedDict((flatten(name), value) for name, value in state.items())
        metadata = getattr(state, '_metadata', {})
        flat._metadata = OrderedDict((flatten(f'{k}.')[:-1], v) for k, v in metadata.items())
        if 'param_schedulers' in checkpoint:
            checkpoint['param_schedulers'] = _without_functions(checkpoint['param_schedulers'])
        for name, value in checkpoint.items():
            checkpoint[name] = flat if name == 'state_dict' else to_plain(value, name)

    def after_load_checkpoint(self, runner, checkpoint: dict) -> None:
        """Rebuild what :meth:`before_save_checkpoint` made plain, and check that the weights fit.

        Args:
            runner (Runner): The runner.
            checkpoint (dict): The loaded checkpoint; changed in place.

        Raises:
            ValueError: If it does not fit the model (with ``strict``), or cannot be resumed.
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
        for name, value in checkpoint.items():
            if name not in ('state_dict', 'optimizer'):
                checkpoint[name] = from_plain(value)
        model = _unwrapped(runner.model)
        flatten = _flattener(model)
        names = {name: flatten(name) for name in model.state_dict()}
        state = _renamed(checkpoint.get('state_dict', checkpoint), set(names.values()))
        if 'state_dict' in checkpoint:
            checkpoint['state_dict'] = state
        if self.strict:
            problems = _load(model, names, state, resumes)
            if problems:
                raise ValueError(
                    f'{source} is a checkpoint of another model, it has {", ".join(problems)}: use '
                    'the configuration it was trained with, or set '
                    'default_hooks.checkpoint.strict=False to go on with what fits.'
                )

    def _folder(self, runner) -> str:
        """Return where the checkpoints lie, as ``CheckpointHook.before_train`` will set it."""
        if self.out_dir is None or str(self.out_dir) == runner.work_dir:
            return str(runner.work_dir)
        return os.path.join(str(self.out_dir), os.path.basename(runner.work_dir.rstrip(os.sep)))

    def _save_checkpoint_with_step(self, runner, step: int, meta: dict) -> None:
        """Save, then say so in ``last_checkpoint``, and only then remove what is outdated."""
        outdated = []
        if self.max_keep_ckpts > 0 and step not in list(self.keep_ckpt_ids)[-1:]:
            if len(self.keep_ckpt_ids) == self.max_keep_ckpts:
                outdated = [self.keep_ckpt_ids.popleft()]
            self.keep_ckpt_ids.append(step)
            runner.message_hub.update_info('keep_ckpt_ids', list(self.keep_ckpt_ids))
        name = self.filename_tmpl.format(step)
        self.last_ckpt = self.file_backend.join_path(self.out_dir, name)
        runner.message_hub.update_info('last_ckpt', self.last_ckpt)
        runner.save_checkpoint(
            self.out_dir,
            name,
            self.file_client_args,
            save_optimizer=self.save_optimizer,
            save_param_scheduler=self.save_param_scheduler,
            meta=meta,
            by_epoch=self.by_epoch,
            backend_args=self.backend_args,
            **self.args,
        )
        if not is_main_process():
            return
        AtomicLocalBackend().put_text(
            self.last_ckpt, os.path.join(runner.work_dir, 'last_checkpoint')
        )
        for number in outdated:
            path = self.file_backend.join_path(self.out_dir, self.filename_tmpl.format(number))
            if self.file_backend.isfile(path):
                self.file_backend.remove(path)

    def _save_best_checkpoint(self, runner, metrics: dict) -> None:
        """Save a better checkpoint, and only then remove the one that was best before."""
        backend = self.file_backend
        self.file_backend = postponed = PostponedRemoval(backend)
        try:
            super()._save_best_checkpoint(runner, metrics)
        finally:
            self.file_backend = backend
        best = getattr(self, 'best_ckpt_path_dict', {0: getattr(self, 'best_ckpt_path', None)})
        for path in postponed.outdated:
            if path not in best.values():
                backend.remove(path)


def _without_functions(state):
    """Drop the functions that a scheduler such as ``OneCycleLR`` keeps and sets by itself."""
    if isinstance(state, dict):
        return {k: _without_functions(v) for k, v in state.items() if not callable(v)}
    return [_without_functions(item) for item in state] if isinstance(state, list) else state


def _unwrapped(model: torch.nn.Module) -> torch.nn.Module:
    return model.module if is_model_wrapper(model) else model


def _flattener(model: torch.nn.Module) -> Callable[[str], str]:
    """Return what turns a name of the state dict into that of a model with no wrapped children."""
    wrapped = [f'{name}.' for name, child in model.named_modules() if is_model_wrapper(child)]

    def flatten(name: str) -> str:
        for prefix in reversed(wrapped):
            if name.startswith(f'{prefix}module.'):
                name = prefix + name[len(f'{prefix}module.') :]
        return name

    return flatten


def _renamed(state: dict, known: set[str]) -> OrderedDict:
    """Give weights flat names, also where MMEngine saved those of wrapped children."""
    renamed = OrderedDict()
    for name, value in state.items():
        name = re.sub(r'^module\.', '', name)
        flat = name.replace('.module.', '.')
        renamed[flat if name not in known and flat in known else name] = value
    renamed._metadata = getattr(state, '_metadata', OrderedDict())
    return renamed


def _load(
    model: torch.nn.Module, names: dict[str, str], state: OrderedDict, exact: bool
) -> list[str]:
    """Load weights of flat names into a model and describe what does not match, if anything."""
    actual = {flat: name for name, flat in names.items()}
    try:
        missing, unexpected = model.load_state_dict(
            OrderedDict((actual.get(name, name), value) for name, value in state.items()),
            strict=False,
        )
    except RuntimeError as error:
        shapes = re.findall(r'size mismatch for (\S+?):', str(error))
        if not shapes:
            raise
        return [_listing('other shapes of', [names.get(name, name) for name in shapes])]
    # As in MMEngine: old checkpoints lack this counter, which nothing uses.
    missing = [names.get(name, name) for name in missing if 'num_batches_tracked' not in name]
    problems = [_listing('no', missing)] if missing else []
    return problems + ([_listing('also', unexpected)] if exact and unexpected else [])


def _listing(what: str, names: list[str]) -> str:
    more = f' and {len(names) - 3} more' if len(names) > 3 else ''
    return f'{what} {", ".join(names[:3])}{more}'
