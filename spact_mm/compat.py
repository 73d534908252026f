"""Every work-around for a gap in the released packages around us, in one place.

:func:`apply` runs them in order and is called by ``import spact_mm`` before anything else of
MMAction2 or MMPretrain is imported. Each function below repairs one thing, says why, checks by
itself that the gap is there, and does nothing where it is not; ``tests/test_compat.py`` fails as
soon as an upstream release has closed one of them.
"""

import ast
import atexit
import importlib.metadata
import importlib.util
import os
import sys
import time
import types
import warnings
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import cache, partial
from pathlib import Path

import torch
from mmengine.dist import get_world_size
from mmengine.utils import digit_version

from .safe_checkpoint import load_from_ceph, load_from_local, load_from_pavi, load_from_url

# A torch.library.Library forgets its schemas when it is garbage-collected.
_TORCHVISION_SCHEMAS: list[torch.library.Library] = []


def apply() -> None:
    """Run every work-around whose condition holds; calling it again changes nothing."""
    require_mmcv()
    stub_missing_drn()
    define_torchvision_schemas()
    import_mmcv_lite_silently()
    disable_broken_multimodal()
    find_packages_without_pkg_resources()
    load_checkpoints_restricted()
    never_run_what_a_checkpoint_holds()
    keep_files_that_a_checkpoint_names()
    init_process_group_without_accelerator()
    drop_device_ids_without_accelerator()
    fix_separate_no_sync()
    allow_amp_without_accelerator()
    score_in_full_precision()
    pad_short_clips_before_convolving()
    predict_by_present_weights_of_tpn()
    synchronize_batch_norm_without_accelerator()
    turn_off_default_hooks_by_none()
    accept_by_epoch_beside_a_loop_of_epochs()


def _package_dir(package: str) -> Path | None:
    """Return the folder of a top-level package without importing it, None where it is absent."""
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(spec.submodule_search_locations[0])


def _is_accelerated() -> bool:
    from mmengine.device import get_device

    return get_device() != 'cpu'


def require_mmcv() -> None:
    """Say which of the two packages of the module ``mmcv`` to install where both are absent.

    Raises:
        ModuleNotFoundError: If neither ``mmcv`` nor ``mmcv-lite`` is installed.
    """
    if _package_dir('mmcv') is None:
        raise ModuleNotFoundError(
            'spact_mm needs the module mmcv: run `pip install mmcv-lite==2.1.0`, or install mmcv '
            '2.1.0 where its compiled operators are wanted.',
            name='mmcv',
        )


def stub_missing_drn() -> None:
    """Stand in for ``mmaction.models.localizers.drn``, which the wheel of MMAction2 1.2.0 lacks.

    ``mmaction.models`` imports it, so without the stub nothing of MMAction2 can be built
    (github.com/open-mmlab/mmaction2/issues/2714). Can go when the wheel ships the folder.
    """
    name = 'mmaction.models.localizers.drn'
    package = _package_dir('mmaction')
    if package is None or (package / 'models/localizers/drn/drn.py').exists():
        return
    if name in sys.modules:
        return
    folder, module = types.ModuleType(name), types.ModuleType(f'{name}.drn')
    folder.__path__ = []
    folder.drn, module.DRN = module, None
    sys.modules.update({folder.__name__: folder, module.__name__: module})


def define_torchvision_schemas() -> None:
    """Declare torchvision's two detection operators where its binary does not fit torch.

    The wheel of PyPI is linked against CUDA; beside a CPU build of torch its ``_C`` fails to load,
    after which ``import torchvision`` dies with ``operator torchvision::nms does not exist``,
    although only the schemas are missed (the operators stay unusable, as upstream). MMPretrain and
    MMEngine's ``collect_env`` import torchvision. Can go when torchvision imports without its
    binary.
    """
    package = _package_dir('torchvision')
    if package is None or 'torchvision' in sys.modules or _TORCHVISION_SCHEMAS:
        return
    binary = next(iter(sorted([*package.glob('_C*.so'), *package.glob('_C*.pyd')])), None)
    try:
        if binary is not None:
            torch.ops.load_library(str(binary))
            return
    except OSError:
        pass
    library = torch.library.Library('torchvision', 'FRAGMENT')
    for name in ('nms', 'qnms'):
        library.define(f'{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor')
    _TORCHVISION_SCHEMAS.append(library)


def import_mmcv_lite_silently() -> None:
    """Import ``mmcv.cnn`` of mmcv-lite without its warning about an operator that it lacks.

    Nothing here uses that operator. Only this one message is filtered, and only during this
    import. Can go when mmcv-lite does not warn.
    """
    if any(_package_dir('mmcv').glob('_ext*')) or 'mmcv.cnn.bricks.transformer' in sys.modules:
        return
    with warnings.catch_warnings():
        warnings.filterwarnings(
            'ignore', 'Fail to import ``MultiScaleDeformableAttention``', UserWarning
        )
        importlib.import_module('mmcv.cnn.bricks.transformer')


def disable_broken_multimodal() -> None:
    """Switch the multimodal models off where they would fail at import.

    MMAction2 and MMPretrain import them as soon as ``transformers >= 4.28`` is installed, though
    they also need ``timm`` and names that later versions of ``transformers`` removed; ``import
    mmaction.models`` then dies. Can go when they guard these imports. The check imports
    ``transformers`` only where upstream would do so anyway.
    """
    pruning = (
        'apply_chunking_to_forward',
        'find_pruneable_heads_and_indices',
        'prune_linear_layer',
    )
    wanted = {
        'mmaction': {
            'timm.models.layers': ('DropPath',),
            'transformers.file_utils': ('add_start_docstrings', 'replace_return_docstrings'),
            'transformers.modeling_utils': pruning,
            'transformers.models.beit.modeling_beit': ('BeitDropPath', 'BeitRelativePositionBias'),
        },
        'mmpretrain': {
            'transformers.modeling_utils': (*pruning, 'GenerationConfig', 'GenerationMixin'),
            'transformers.utils': ('add_code_sample_docstrings',),
        },
    }
    for package, modules in wanted.items():
        if _package_dir(package) is None or f'{package}.models' in sys.modules:
            continue
        dependency = importlib.import_module(f'{package}.utils.dependency')
        if dependency.WITH_MULTIMODAL and not all(map(_has_names, modules, modules.values())):
            dependency.WITH_MULTIMODAL = False


def _has_names(module: str, names: tuple[str, ...]) -> bool:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')
            loaded = importlib.import_module(module)
            return all(hasattr(loaded, name) for name in names)
    except (ImportError, RuntimeError):
        return False


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


def is_installed(package: str) -> bool:
    """Tell whether a distribution (``mmaction2``) or module (``mmaction``) is installed."""
    try:
        get_installed_path(package)
    except ModuleNotFoundError:
        return False
    return True


def get_installed_path(package: str) -> str:
    """Return the folder of an installed distribution (``mmaction2``) or module (``mmaction``).

    Raises:
        ModuleNotFoundError: If there is none of that name.
    """
    module = package
    try:
        top_level = importlib.metadata.distribution(package).read_text('top_level.txt')
        module = top_level.split()[0] if top_level else package
    except importlib.metadata.PackageNotFoundError:
        pass
    folder = _package_dir(module)
    if folder is None:
        raise ModuleNotFoundError(
            f'{package} is not installed: run `pip install {package}`.', name=package
        )
    return str(folder)


def load_checkpoints_restricted() -> None:
    """Make every checkpoint loader of MMEngine refuse pickles that could run code.

    MMEngine leaves ``weights_only`` to torch's default, which cannot read MMEngine's own
    checkpoints, because they hold ``HistoryBuffer`` objects, and which a variable of the
    environment turns off. And torch believes the sizes in a file and does not look at its
    checksums. Can go when MMEngine stores plain types and loads with ``weights_only=True``, and
    torch checks both.
    """
    from mmengine.runner import checkpoint as module

    if module.load_url is load_from_url:
        return
    module.load_url = load_from_url
    register = module.CheckpointLoader.register_scheme
    register(prefixes='', loader=load_from_local, force=True)
    register(prefixes=[r'(\S+\:)?s3://', r'(\S+\:)?petrel://'], loader=load_from_ceph, force=True)
    register(prefixes='pavi://', loader=load_from_pavi, force=True)
    upstream = module.load_from_openmmlab

    def load_from_openmmlab(filename, map_location=None):
        # Names of a user's own open_mmlab.json may stand for local files, which upstream reads by
        # itself.
        target = module.get_external_models().get(filename.split('://', 1)[1], 'https://')
        if target.startswith(('http://', 'https://')):
            return upstream(filename, map_location)
        return load_from_local(os.path.join(module._get_mmengine_home(), target), map_location)

    register(prefixes=['open-mmlab://', 'openmmlab://'], loader=load_from_openmmlab, force=True)


def never_run_what_a_checkpoint_holds() -> None:
    """Keep MMEngine from running the text of a config that a checkpoint holds.

    ``Runner.resume`` (``tools/train.py --resume``) runs ``meta['config']``, which MMCV 1 wrote, to
    compare numbers of GPUs; an inferencer that has weights and no model runs ``meta['cfg']`` or
    that of the message hub. The first is dropped, the second is refused; ``meta['cfg']`` stays
    there as text. Can go when MMEngine reads them as data.
    """
    from mmengine.infer import BaseInferencer
    from mmengine.runner import CheckpointLoader

    load, init_model = CheckpointLoader.load_checkpoint, BaseInferencer._init_model
    if init_model.__module__ == __name__:
        return

    def load_checkpoint(cls, *args, **kwargs):
        checkpoint = load(*args, **kwargs)
        meta = checkpoint.get('meta') if isinstance(checkpoint, dict) else None
        if isinstance(meta, dict):
            meta.pop('config', None)
        return checkpoint

    def _init_model(self, cfg, weights, device='cpu'):
        if not cfg:
            raise ValueError(
                f'The config in {weights} is not run, as it is a program and could do anything: '
                'give model=, the config file that the checkpoint was trained with.'
            )
        return init_model(self, cfg, weights, device)

    CheckpointLoader.load_checkpoint = classmethod(load_checkpoint)
    BaseInferencer._init_model = _init_model


def keep_files_that_a_checkpoint_names() -> None:
    """Keep ``CheckpointHook`` from removing files outside its folder after ``--resume``.

    It takes the path of the best checkpoint from the message hub of the resumed file, and removes
    what is there, a whole folder too, once there is a better one. A path elsewhere (a file of a
    stranger, or a run that was copied) now stands for the file of that name in the hook's own
    folder, or for none. Can go when MMEngine keeps names instead of paths.
    """
    from mmengine.hooks import CheckpointHook

    upstream = CheckpointHook.before_train
    if upstream.__module__ == __name__:
        return

    def before_train(self, runner) -> None:
        info = runner.message_hub.runtime_info
        kept = info.get('keep_ckpt_ids', [])
        if not isinstance(kept, list) or not all(type(number) is int for number in kept):
            raise ValueError(
                'The resumed checkpoint is damaged: keep_ckpt_ids in its message hub, by which '
                f'outdated checkpoints are removed, is {str(kept)[:100]} instead of a list of '
                'whole numbers; resume another one.'
            )
        upstream(self, runner)

        def own(path):
            name = os.path.basename(path) if isinstance(path, str) else ''
            path = self.file_backend.join_path(self.out_dir, name)
            return path if name and self.file_backend.isfile(path) else None

        if hasattr(self, 'best_ckpt_path'):
            self.best_ckpt_path = own(self.best_ckpt_path)
        for name, path in getattr(self, 'best_ckpt_path_dict', {}).items():
            self.best_ckpt_path_dict[name] = own(path)

    CheckpointHook.before_train = before_train


def init_process_group_without_accelerator() -> None:
    """Let ``--launcher pytorch`` start processes on CPUs.

    MMEngine selects a CUDA device before it creates the process group, which fails without one. Can
    go when it does so for the backend ``nccl`` only.
    """
    from mmengine.dist import utils

    if _is_accelerated() or utils._init_dist_pytorch.__module__ == __name__:
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

    upstream = MMDistributedDataParallel.__init__
    if _is_accelerated() or upstream.__module__ == __name__:
        return

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


def score_in_full_precision() -> None:
    """Hand the scores of MMAction2's heads to their losses as float32.

    ``BaseHead.loss_by_feat`` turns them into a NumPy array for the accuracy it logs, which has no
    bfloat16, so that training with ``dtype='bfloat16'`` dies. Can go when it converts them.
    """
    from mmaction.models.heads.base import BaseHead

    upstream = BaseHead.loss_by_feat
    if upstream.__module__ == __name__:
        return

    def loss_by_feat(self, cls_scores, data_samples):
        if cls_scores.dtype == torch.bfloat16:
            cls_scores = cls_scores.float()
        return upstream(self, cls_scores, data_samples)

    BaseHead.loss_by_feat = loss_by_feat


def pad_short_clips_before_convolving() -> None:
    """Keep uninitialised memory out of the gradients that a CPU computes in bfloat16.

    On AVX-512, oneDNN's gradient by the weight of a 3D convolution reads beyond the input where
    that has fewer frames than the kernel, but more than one (the last stage of ``r3d_18`` at 16
    frames has two): the gradient is NaN or far off. Zeros that torch adds instead of the
    convolution are equal math. Can go when the gradient is right without them.
    """
    from torch.nn import Conv3d
    from torch.nn.functional import conv3d, pad

    upstream = Conv3d._conv_forward
    if upstream.__module__ == __name__:
        return

    def _conv_forward(self, input, weight, bias):
        is_bfloat16 = input.dtype == torch.bfloat16 or torch.is_autocast_enabled('cpu')
        is_short = 1 < input.shape[-3] < self.kernel_size[0]
        pads_zeros = self.padding_mode == 'zeros' and isinstance(self.padding, tuple)
        if not (is_bfloat16 and is_short and pads_zeros and input.device.type == 'cpu'):
            return upstream(self, input, weight, bias)
        time, *space = self.padding
        input = pad(input, (0, 0, 0, 0, time, time))
        return conv3d(input, weight, bias, self.stride, (0, *space), self.dilation, self.groups)

    Conv3d._conv_forward = _conv_forward


def predict_by_present_weights_of_tpn() -> None:
    """Let each fully convolutional test of a TPN use the classifier as it is now.

    ``TPNHead`` makes a convolution of its classifier at the first prediction and keeps it: every
    later validation of a training is one with the weights of the first, and the convolution goes
    into the checkpoints. It also copies the weights in a way that needs gradients switched off. Can
    go when the head makes it anew for each prediction.
    """
    from mmaction.models.heads.tpn_head import TPNHead

    upstream, initialize = TPNHead.forward, TPNHead._init_new_cls
    if upstream.__module__ == __name__:
        return
    TPNHead._init_new_cls = torch.no_grad()(initialize)

    def forward(self, *args, **kwargs):
        try:
            return upstream(self, *args, **kwargs)
        finally:
            self.new_cls = None

    TPNHead.forward = forward


@cache
def x264_options() -> dict[str, str]:
    """Return the options with which x264 gives the same frames the same file, on any CPU.

    With its AVX-512 code, small frames come out in one of several ways from call to call. Can go
    when ``test_same_frames_give_the_same_file`` passes without it on such a CPU.
    """
    cpus = Path('/proc/cpuinfo')
    has_avx512 = cpus.is_file() and 'avx512' in cpus.read_text()
    return {'x264-params': 'asm=AVX2'} if has_avx512 else {}


def synchronize_batch_norm_without_accelerator() -> None:
    """Let ``SyncBatchNorm`` (``sync_bn='torch'`` in a config) train on CPUs.

    torch refuses inputs that are on no accelerator, and so does its distributed wrapper, though the
    statistics are sums, which ``gloo`` knows how to reduce. Can go when it does not.
    """
    from torch.nn import SyncBatchNorm
    from torch.nn.parallel import DistributedDataParallel

    upstream = SyncBatchNorm.forward
    if _is_accelerated() or upstream.__module__ == __name__:
        return
    # It does nothing but refuse.
    DistributedDataParallel._passing_sync_batchnorm_handle = lambda self, module: None

    def forward(self, input):
        if not self.training or input.device.type != 'cpu' or get_world_size() == 1:
            return upstream(self, input)
        return _normalize_over_processes(self, input)

    SyncBatchNorm.forward = forward


def _normalize_over_processes(norm: torch.nn.SyncBatchNorm, x: torch.Tensor) -> torch.Tensor:
    """Normalise by the statistics of all processes' ``x``, (N, C, ...), and track them."""
    from torch.distributed.nn.functional import all_reduce

    axes = [0, *range(2, x.ndim)]
    shape = [1, -1] + [1] * (x.ndim - 2)
    sums = torch.cat([x.sum(axes), x.new_tensor([x.numel() / x.shape[1]])])
    *sums, count = all_reduce(sums).split([x.shape[1], 1])
    mean = sums[0] / count
    centred = x - mean.view(shape)
    variance = all_reduce(centred.square().sum(axes)) / count
    if norm.track_running_stats:
        norm.num_batches_tracked.add_(1)
        momentum = norm.momentum
        if momentum is None:
            momentum = 1 / norm.num_batches_tracked.item()
        with torch.no_grad():
            norm.running_mean.lerp_(mean.to(norm.running_mean.dtype), momentum)
            unbiased = variance * count / (count - 1)
            norm.running_var.lerp_(unbiased.to(norm.running_var.dtype), momentum)
    y = centred * (variance + norm.eps).rsqrt().view(shape)
    if norm.affine:
        y = y * norm.weight.view(shape) + norm.bias.view(shape)
    return y


def turn_off_default_hooks_by_none() -> None:
    """Let ``default_hooks=dict(pictures=None)`` turn off a hook that MMEngine does not know.

    ``Runner.register_default_hooks`` takes None for the six hooks of its own and asserts, without a
    word, for any other name, though a child config has no other way to turn one off. Can go when
    it does not assert.
    """
    from mmengine.runner import Runner

    upstream = Runner.register_default_hooks
    if upstream.__module__ == __name__:
        return
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
    if upstream.__module__ == __name__:
        return

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
