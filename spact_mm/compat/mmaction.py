"""Gaps of MMAction2 and MMPretrain."""

import importlib
import sys
import types
import warnings

import torch

from .packages import package_dir


def stub_missing_drn() -> None:
    """Stand in for ``mmaction.models.localizers.drn``, which the wheel of MMAction2 1.2.0 lacks.

    ``mmaction.models`` imports it, so without the stub nothing of MMAction2 can be built
    (github.com/open-mmlab/mmaction2/issues/2714). Remove this when the wheel ships the folder.
    """
    name = 'mmaction.models.localizers.drn'
    package = package_dir('mmaction')
    if package is None or name in sys.modules:
        return
    if (package / 'models/localizers/drn/drn.py').exists():
        return
    folder, module = types.ModuleType(name), types.ModuleType(f'{name}.drn')
    folder.__path__ = []
    folder.drn, module.DRN = module, None
    sys.modules.update({folder.__name__: folder, module.__name__: module})


def disable_broken_multimodal() -> None:
    """Turn the multimodal models off if they would fail at import.

    MMAction2 and MMPretrain import them as soon as ``transformers >= 4.28`` is installed, though
    they also need ``timm`` and names that later versions of ``transformers`` removed; ``import
    mmaction.models`` then fails. Remove this when both packages guard these imports. The check
    imports ``transformers`` only where upstream would do so anyway.
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
        if package_dir(package) is None or f'{package}.models' in sys.modules:
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


def score_in_full_precision() -> None:
    """Pass the scores of MMAction2's heads to their losses as float32.

    ``BaseHead.loss_by_feat`` converts the scores to a NumPy array for the logged accuracy. NumPy
    has no bfloat16, so training with ``dtype='bfloat16'`` fails. Remove this when the head converts
    the scores to float32.
    """
    from mmaction.models.heads.base import BaseHead

    upstream = BaseHead.loss_by_feat

    def loss_by_feat(self, cls_scores, data_samples):
        if cls_scores.dtype == torch.bfloat16:
            cls_scores = cls_scores.float()
        return upstream(self, cls_scores, data_samples)

    BaseHead.loss_by_feat = loss_by_feat


def predict_by_present_weights_of_tpn() -> None:
    """Let each fully convolutional test of a TPN use the classifier's current weights.

    ``TPNHead`` turns its classifier into a convolution at the first prediction and keeps this
    convolution: every later validation of a training uses the weights of the first, and the
    convolution is saved in checkpoints. The head also copies the weights in a way that fails with
    gradients on. Remove this when the head makes the convolution for each prediction.
    """
    from mmaction.models.heads.tpn_head import TPNHead

    upstream, initialize = TPNHead.forward, TPNHead._init_new_cls
    TPNHead._init_new_cls = torch.no_grad()(initialize)

    def forward(self, *args, **kwargs):
        try:
            return upstream(self, *args, **kwargs)
        finally:
            self.new_cls = None

    TPNHead.forward = forward
