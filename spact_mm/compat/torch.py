"""Gaps of torch and torchvision."""

import sys

import torch
from torch.nn import Conv3d
from torch.nn.functional import conv3d, pad

from .packages import package_dir

# A torch.library.Library forgets its schemas when it is garbage-collected.
_TORCHVISION_SCHEMAS: list[torch.library.Library] = []


def define_torchvision_schemas() -> None:
    """Declare torchvision's two detection operators if its binary does not fit torch.

    The wheel of PyPI is linked against CUDA; with a CPU build of torch its ``_C`` fails to load.
    ``import torchvision`` then fails with ``operator torchvision::nms does not exist``, although
    the import needs only the schemas (the operators stay unusable, as upstream). MMPretrain and
    MMEngine's ``collect_env`` import torchvision. Remove this when torchvision imports without its
    binary.
    """
    package = package_dir('torchvision')
    if package is None or 'torchvision' in sys.modules:
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


def pad_short_clips_before_convolving() -> None:
    """Keep uninitialised memory out of bfloat16 gradients on CPUs.

    On AVX-512, oneDNN's weight gradient of a 3D convolution reads beyond the input if the input has
    fewer frames than the kernel, but more than one (the last stage of ``r3d_18`` at 16 frames has
    two): the gradient is NaN or far off. Zero padding by torch instead of by the convolution is
    equivalent. Remove this when the gradient is right without it.
    """
    upstream = Conv3d._conv_forward

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
