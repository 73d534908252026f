"""The recognizer backbone of SPAct's code."""

from mmaction.models.backbones import ResNet3d
from mmaction.registry import MODELS
from mmengine.model import BaseModule
from torch import nn

from ...registration import register


@register(MODELS)
class DilatedResNet3d(ResNet3d):
    """3D ResNet whose last stage keeps the temporal resolution and dilates in time (SPAct's f_T).

    ``ResNet3d`` with ``depth=18, with_pool1=False, with_pool2=False, temporal_strides=(1, 2, 2, 2),
    zero_init_residual=False`` equals torchvision's ``r3d_18``. Here the last temporal stride is 1
    and the first convolution of that stage has dilation 2 in time, so 16 frames of 112x112 give
    (512, 4, 7, 7). ``ResNet3d.dilations`` is spatial only.

    Args:
        depth (int): Depth of the network, one made of basic blocks. Defaults to 18.
        **kwargs: Arguments of :class:`mmaction.models.ResNet3d`; the four settings above are the
            defaults.

    Raises:
        ValueError: If the last stage has a temporal stride, or is not made of basic blocks.
    """

    def __init__(self, depth: int = 18, **kwargs) -> None:
        kwargs.setdefault('pretrained', None)
        kwargs.setdefault('with_pool1', False)
        kwargs.setdefault('with_pool2', False)
        kwargs.setdefault('temporal_strides', (1, 2, 2, 1))
        kwargs.setdefault('zero_init_residual', False)
        super().__init__(depth=depth, **kwargs)
        last_stage = getattr(self, self.res_layers[-1])
        conv: nn.Conv3d = last_stage[0].conv1.conv
        if conv.kernel_size != (3, 3, 3) or conv.stride[0] != 1:
            raise ValueError(
                'DilatedResNet3d dilates a 3x3x3 convolution without temporal stride, but the last '
                f'stage starts with kernel {conv.kernel_size} and stride {conv.stride}; '
                'use depth 18 or 34 and end temporal_strides with 1.'
            )
        conv.dilation = (2, *conv.dilation[1:])
        conv.padding = (2, *conv.padding[1:])

    def init_weights(self) -> None:
        """Initialize the weights, by ``init_cfg`` if given: ``ResNet3d`` ignores ``init_cfg``."""
        if self.init_cfg:
            BaseModule.init_weights(self)
        else:
            super().init_weights()
