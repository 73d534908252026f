"""Gaps of MMEngine, but those of its checkpoints."""

import ast
import atexit
import importlib.util
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial

import torch
from mmengine.utils import digit_version

from .packages import get_installed_path, is_installed


def find_packages_without_pkg_resources() -> None:
    """Resolve ``_base_ = 'mmaction::…'`` without ``pkg_resources``, which setuptools 81 removed.

    MMEngine looks up the installed package through it and fails with an error that does not name
    it. Can go when MMEngine uses ``importlib.metadata``. It cannot help the tools of MMAction2,
    which parse the configuration before they import this package; there ``setuptools<81`` is the
    remedy.
    """
    if importlib.util.find_spec('pkg_resources') is not None:
        return
    import mmengine
    from mmengine.config import config as config_module

    for module in (mmengine.utils, mmengine.utils.package_utils, config_module):
        module.is_installed = is_installed
        module.get_installed_path = get_installed_path


def init_process_group_without_accelerator() -> None:
    """Let ``--launcher pytorch`` start processes on CPUs.

    MMEngine selects a CUDA device before it creates the process group, which fails without one. Can
    go when it does so for the backend ``nccl`` only.
    """
    from mmengine.dist import utils

    if _is_accelerated():
        return
    upstream = utils._init_dist_pytorch

    def _init_dist_pytorch(backend, init_backend='torch', **kwargs):
        if init_backend != 'torch':
            return upstream(backend, init_backend=init_backend, **kwargs)
        if backend == 'nccl':
            raise ValueError(
                "env_cfg.dist_cfg.backend is 'nccl', which needs a GPU, and none is visible: add "
                '`--cfg-options env_cfg.dist_cfg.backend=gloo`.'
            )
        torch.distributed.init_process_group(backend=backend, **kwargs)
        # A worker thread of gloo that releases its last operation needs the interpreter, and one
        # that comes for it too late aborts the process; torchrun then kills the main process,
        # which may be writing the last checkpoint. While this one sleeps, its threads finish.
        atexit.register(time.sleep, 0.1)

    utils._init_dist_pytorch = _init_dist_pytorch


def drop_device_ids_without_accelerator() -> None:
    """Let MMEngine wrap models for distributed training on CPUs.

    ``Runner.wrap_model`` passes ``device_ids=[LOCAL_RANK]`` to every wrapper, and torch refuses
    them for a model on the CPU. Can go when it passes None there.
    """
    from mmengine.model import MMDistributedDataParallel

    if _is_accelerated():
        return
    upstream = MMDistributedDataParallel.__init__

    def __init__(self, module, *args, device_ids=None, **kwargs):
        upstream(self, module, *args, device_ids=None, **kwargs)

    MMDistributedDataParallel.__init__ = __init__


def fix_separate_no_sync() -> None:
    """Repair ``MMSeparateDistributedDataParallel.no_sync`` for gradient accumulation.

    It yields once for each child instead of once, and calls ``no_sync`` of children that are not
    wrapped. Can go with the first MMEngine after 0.10.7 that yields after the loop.
    """
    import mmengine
    from mmengine.model import MMDistributedDataParallel, MMSeparateDistributedDataParallel

    if digit_version(mmengine.__version__) > digit_version('0.10.7'):
        return

    @contextmanager
    def no_sync(self):
        with ExitStack() as stack:
            for child in self.module.children():
                if isinstance(child, MMDistributedDataParallel):
                    stack.enter_context(child.no_sync())
            yield

    MMSeparateDistributedDataParallel.no_sync = no_sync


def allow_amp_without_accelerator() -> None:
    """Let ``AmpOptimWrapper`` (``tools/train.py --amp``) train on CPUs, in bfloat16.

    It asserts that there is an accelerator, though MMEngine's ``autocast`` and torch support CPUs;
    loss scaling, which bfloat16 does not need, is off there. Can go when the assertion does.
    """
    from mmengine.optim.optimizer import amp_optimizer_wrapper as module

    if _is_accelerated() or isinstance(module.GradScaler, partial):
        return
    # The module asks for nothing but the assertion.
    module.is_cuda_available = lambda: True
    module.GradScaler = partial(module.GradScaler, enabled=False)


def _is_accelerated() -> bool:
    from mmengine.device import get_device

    return get_device() != 'cpu'


def turn_off_default_hooks_by_none() -> None:
    """Let ``default_hooks=dict(pictures=None)`` turn off a hook that MMEngine does not know.

    ``Runner.register_default_hooks`` takes None for the six hooks of its own and asserts, without a
    word, for any other name, though a child config has no other way to turn one off. Can go when
    it does not assert.
    """
    from mmengine.runner import Runner

    upstream = Runner.register_default_hooks
    own = ('runtime_info', 'timer', 'sampler_seed', 'logger', 'param_scheduler', 'checkpoint')

    def register_default_hooks(self, hooks=None):
        if hooks is not None:
            hooks = {k: hook for k, hook in hooks.items() if hook is not None or k in own}
        return upstream(self, hooks)

    Runner.register_default_hooks = register_default_hooks


def accept_by_epoch_beside_a_loop_of_epochs() -> None:
    """Let ``train_cfg`` say ``by_epoch=True`` of a loop that it names and that runs epochs.

    MMEngine takes one of ``type`` and ``by_epoch`` only. MMAction2's ``vis_scheduler.py`` looks for
    ``by_epoch`` alone, and draws iterations in place of epochs where it is missing. Can go when
    that tool looks at ``type``.
    """
    from mmengine.registry import LOOPS
    from mmengine.runner import EpochBasedTrainLoop, Runner

    upstream = Runner.build_train_loop

    def build_train_loop(self, loop):
        if isinstance(loop, dict) and 'type' in loop and loop.get('by_epoch') is True:
            kind = LOOPS.get(loop['type']) if isinstance(loop['type'], str) else loop['type']
            if isinstance(kind, type) and issubclass(kind, EpochBasedTrainLoop):
                loop = {key: value for key, value in loop.items() if key != 'by_epoch'}
        return upstream(self, loop)

    Runner.build_train_loop = build_train_loop


@contextmanager
def config_variables(variables: Mapping) -> Iterator[None]:
    """Give variables of config files their values while MMEngine parses files in this context.

    MMEngine merges ``--cfg-options`` after a file was parsed, so that ``ucf101_root=...`` changes a
    name that nobody reads any more: the paths are made of it already. Here each assignment of one
    of the names at the top of a file, in bases too, is followed by that of the given value. Can go
    when MMEngine does so.

    Args:
        variables (Mapping): Name to value, of Python's own types.
    """
    from mmengine.config import config as module

    upstream = module.RemoveAssignFromAST

    class Assign(upstream):
        def visit(self, node: ast.AST) -> ast.AST:
            node = super().visit(node)
            if isinstance(node, ast.Module):
                node.body = [new for old in node.body for new in self._followed(old)]
            return node

        def _followed(self, statement: ast.stmt) -> list[ast.stmt]:
            targets = getattr(statement, 'targets', [getattr(statement, 'target', None)])
            names = [
                node.id
                for target in targets
                if target is not None and not isinstance(statement, ast.Delete)
                for node in ast.walk(target)
                if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
            ]
            lines = [f'{name} = {variables[name]!r}' for name in names if name in variables]
            return [statement, *ast.parse('\n'.join(lines)).body]

    module.RemoveAssignFromAST = Assign if variables else upstream
    try:
        yield
    finally:
        module.RemoveAssignFromAST = upstream
