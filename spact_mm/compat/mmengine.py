"""Gaps of MMEngine, except those of its checkpoints."""

import ast
import atexit
import importlib
import importlib.util
import sys
import time
import types
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial

import torch
from mmengine.utils import digit_version

from .packages import get_installed_path, is_installed


def import_mmengine_without_sharding() -> None:
    """Import ``mmengine.model`` and ``mmengine.runner`` without what shards a training over GPUs.

    MMEngine imports ``torch.distributed.optim`` and FSDP, with SymPy behind them, for an optimizer,
    a wrapper of models and a strategy of a large training. They take as long as PyTorch itself.
    Only for processes that never train, where these three are missing. Remove this when MMEngine
    imports them where they are used.
    """
    wrapper = 'mmengine.model.wrappers.fully_sharded_distributed'
    absent = ('torch.distributed.optim', 'mmengine._strategy.fsdp')
    if any(name in sys.modules for name in (wrapper, *absent)):
        return
    sys.modules[wrapper] = types.ModuleType(wrapper)
    sys.modules[wrapper].MMFullyShardedDataParallel = None
    sys.modules.update(dict.fromkeys(absent))  # importing them raises ImportError
    try:
        importlib.import_module('mmengine.runner')
    finally:
        for name in absent:
            del sys.modules[name]


def find_packages_without_pkg_resources() -> None:
    """Resolve ``_base_ = 'mmaction::…'`` without ``pkg_resources``, which setuptools 81 removed.

    MMEngine looks up the installed package through ``pkg_resources`` and fails with an error that
    does not name the cause. Remove this when MMEngine uses ``importlib.metadata``. The work-around
    cannot help the tools of MMAction2, which parse the configuration before they import this
    package; for these install ``setuptools<81``.
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

    MMEngine selects a CUDA device before it creates the process group, which fails without such a
    device. Remove this when MMEngine selects a device for the backend ``nccl`` only.
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
        # A worker thread of gloo needs the interpreter to release its last operation. If the
        # interpreter has ended, the thread aborts the process; torchrun then kills the main
        # process, which may be writing the last checkpoint. During this sleep the threads finish.
        atexit.register(time.sleep, 0.1)

    utils._init_dist_pytorch = _init_dist_pytorch


def drop_device_ids_without_accelerator() -> None:
    """Let MMEngine wrap models for distributed training on CPUs.

    ``Runner.wrap_model`` passes ``device_ids=[LOCAL_RANK]`` to every wrapper, and torch refuses
    device ids for a model on the CPU. Remove this when the runner passes None for CPUs.
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

    The method yields once for each child instead of once, and calls ``no_sync`` of children that
    are not wrapped. Remove this with the first MMEngine after 0.10.7 that yields after the loop.
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

    The wrapper asserts that there is an accelerator, although MMEngine's ``autocast`` and torch
    support CPUs; loss scaling, which bfloat16 does not need, is off on CPUs. Remove this when
    MMEngine drops the assertion.
    """
    from mmengine.optim.optimizer import amp_optimizer_wrapper as module

    if _is_accelerated() or isinstance(module.GradScaler, partial):
        return
    # The module uses this function only in the assertion.
    module.is_cuda_available = lambda: True
    module.GradScaler = partial(module.GradScaler, enabled=False)


def _is_accelerated() -> bool:
    from mmengine.device import get_device

    return get_device() != 'cpu'


def turn_off_default_hooks_by_none() -> None:
    """Let ``default_hooks=dict(pictures=None)`` turn off a hook that MMEngine does not know.

    ``Runner.register_default_hooks`` takes None for its own six hooks and fails in an assertion
    without a message for any other name, although a child config has no other way to turn a hook
    off. Remove this when MMEngine drops the assertion.
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
    """Accept ``by_epoch=True`` in a ``train_cfg`` that names the type of its loop.

    MMEngine accepts only one of ``type`` and ``by_epoch``. MMAction2's ``vis_scheduler.py`` reads
    only ``by_epoch``, and without it draws iterations in place of epochs. Remove this when that
    tool reads ``type``.
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
    """Set variables of config files while MMEngine parses files in this context.

    MMEngine merges ``--cfg-options`` after a file is parsed. Then ``ucf101_root=...`` changes a
    variable that is no longer used, as the paths are already made. Here each top-level assignment
    of such a variable, also in base files, is followed by an assignment of the given value. Remove
    this when MMEngine does the same.

    Args:
        variables (Mapping): Names and values; values are of built-in types.
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
