"""A network that draws calm pictures of noisy clips."""

import torch
from mmaction.registry import MODELS
from mmengine.model import BaseModule
from torch import Tensor, nn

from ...registration import register
from .build import build_anonymizer
from .traits import min_size, takes_clips


@register(MODELS)
class ClipRenderer(BaseModule):
    r"""Draw calm pictures of clips whose frames share noise.

    For each frame :math:`Y_t` the network sees :math:`Y_t - \bar Y`, without the noise that frames
    share, and the mean :math:`\bar Y` of the clip. So movement is seen more clearly than the static
    picture. A convolution over the neighbouring frames and pixels goes first. What the network
    draws is faint, as it is the mean of all that may have been sent; in evaluation its contrast is
    stretched, about a medium grey.

    The training is a :class:`~spact_mm.models.RendererTraining`.

    Args:
        network (dict, optional): Network of frames (N, 3, H, W) to the same. Defaults to a
            ``UNetAnonymizer``.
        window (int): Number of neighbouring frames of the first convolution; odd. Defaults to 5.
        contrast (float): Standard deviation of the stretched pictures about grey, in (0, 1].
            Defaults to 0.15.
        momentum (float): Momentum of the running mean and variance of the network's pictures.
            Defaults to 0.01.
        init_cfg (dict, optional): Initialization config.

    Raises:
        ValueError: If the window or the contrast is out of range, or the network is not one of
            frames alone.
    """

    takes_clips = True

    def __init__(
        self,
        network: dict | None = None,
        window: int = 5,
        contrast: float = 0.15,
        momentum: float = 0.01,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        if not 0 < contrast <= 1:
            raise ValueError(f'The contrast of ClipRenderer must be in (0, 1], but is {contrast}.')
        if window < 1 or window % 2 == 0:
            raise ValueError(f'The window of ClipRenderer must be an odd number, but is {window}.')
        self.contrast, self.momentum = contrast, momentum
        # Zeros at the borders and ends would be seen in the pictures.
        self.mix = nn.Conv3d(
            6,
            3,
            kernel_size=(window, 3, 3),
            padding=(window // 2, 1, 1),
            padding_mode='replicate',
        )
        self.network = build_anonymizer(network or dict(type='UNetAnonymizer'))
        if takes_clips(self.network) or getattr(self.network, 'needs_boxes', False):
            raise ValueError(
                f'The network of ClipRenderer has to take frames alone, but is a '
                f"{type(self.network).__name__}: give it a dict(type='UNetAnonymizer', ...)."
            )
        self.register_buffer('mean', torch.full((3, 1, 1), 0.5))
        self.register_buffer('variance', torch.tensor(contrast**2))

    def forward(self, clips: Tensor) -> Tensor:
        """Draw pictures.

        Args:
            clips (Tensor): RGB in [0, 1], (N, T, 3, H, W).

        Returns:
            Tensor: RGB in [0, 1], same shape; in training not stretched.
        """
        mean = clips.mean(dim=1, keepdim=True)
        seen = torch.cat((clips - mean, mean.expand_as(clips)), dim=2)
        mixed = self.mix(seen.transpose(1, 2)).transpose(1, 2)
        pictures = self.network(mixed.flatten(0, 1))
        if self.training:
            self._measure(pictures.detach())
        else:
            scale = self.contrast / self.variance.sqrt()
            pictures = (0.5 + (pictures - self.mean) * scale).clamp(0, 1)
        return pictures.reshape(clips.shape)

    @property
    def min_size(self) -> int:
        """Smallest height and width in pixels that the network takes."""
        return min_size(self.network)

    @torch.no_grad()
    def _measure(self, pictures: Tensor) -> None:
        mean = pictures.mean(dim=(0, 2, 3))[:, None, None]
        self.mean.lerp_(mean.to(self.mean), self.momentum)
        variance = (pictures - self.mean).square().mean()
        self.variance.lerp_(variance.to(self.variance), self.momentum)
