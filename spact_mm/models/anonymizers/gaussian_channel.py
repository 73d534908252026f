"""Noise behind an anonymizer, and a bound on the information that passes it."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from mmaction.registry import MODELS
from mmengine.model import BaseModule
from torch import Tensor

from ...registration import register
from .build import build_anonymizer
from .traits import is_cacheable, min_size, mixes_frames, rewrite_clips

#: Priors of the output in the bound on the information.
PRIORS = ('point', 'gaussian')


@register(MODELS)
class GaussianChannel(BaseModule):
    r"""Add Gaussian noise to an anonymizer's frames, and bound the information in the result.

    :math:`Y_t = \mathrm{round}_8(\mathrm{clip}(f_A(X)_t + \sigma_s S + \sigma_f F_t))`, where one
    :math:`S` is shared by all frames of a video and :math:`F_t` is new in each frame. Averaging
    frames removes :math:`F` and leaves :math:`S`: a still scene is seen with a single draw of
    noise, however long the video is, while motion is seen through :math:`F`.

    An observer of Y learns at most I(X; Y) about X, by any processing of Y (data-processing
    inequality). For any Gaussian prior of Y that does not depend on X (Barber and Agakov, 2003;
    Alemi et al., ICLR 2017, Equation 12)

    .. math:: I(X; Y) \le E\,\mathrm{KL}(N(f_A(X), \Sigma) \| N(m, \Sigma + P)),

    where :math:`\Sigma` is the covariance of the noise over the frames of a clip:
    :math:`\sigma_f^2 I + \sigma_s^2 1 1^T` for each value of a frame. :meth:`rate` is this KL. With
    P = 0 it is :math:`\|f_A(X) - m\|^2_{\Sigma^{-1}} / 2`.

    With a stride, means of stride x stride pixels are sent. The output is enlarged to full size by
    bilinear interpolation of Y alone. An untrained network learns sooner from few clear numbers
    than from many noisy ones.

    The bound holds in expectation over videos like those of the training; m and P are their mean
    and power. It is no differential privacy, and a single unusual video may reveal more. If N clips
    of a video each have noise of their own, their N bounds add up.

    Args:
        anonymizer (dict): f_A, of frames or of clips.
        sigma_shared (float): Standard deviation of the noise that a video's frames share, for
            frames in [0, 1]; 0 for none. Defaults to 0.15.
        sigma_frame (float): Standard deviation of the noise that is new in each frame, above 0.
            Defaults to 0.05.
        stride (int): Side in pixels of the square that one sent number represents. Defaults to 1.
        prior (str): ``'point'`` for P = 0, or ``'gaussian'`` for P as measured in training, whose
            bound is never larger in expectation. Defaults to ``'point'``.
        momentum (float): Momentum of the running mean and power of f_A's frames. Defaults to 0.01.
        known_noise (bool): Whether no noise is added, as for an attacker who knows the noise and
            subtracts it. This setting is a control: attackers have to find more, and nobody is
            protected. Defaults to False.
        init_cfg (dict, optional): Initialization config.

    Raises:
        ValueError: If an argument is out of range.
    """

    takes_clips = True
    #: The output is random: the same frames give another output in another call.
    is_random = True
    #: Callers draw the noise of a video once, for all its clips.
    shares_noise = True

    def __init__(
        self,
        anonymizer: dict,
        sigma_shared: float = 0.15,
        sigma_frame: float = 0.05,
        stride: int = 1,
        prior: str = 'point',
        momentum: float = 0.01,
        known_noise: bool = False,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        if not 0 <= sigma_shared <= 1 or not 0 < sigma_frame <= 1:
            raise ValueError(
                'GaussianChannel needs 0 <= sigma_shared <= 1 and 0 < sigma_frame <= 1, but has '
                f'{sigma_shared} and {sigma_frame}.'
            )
        if stride < 1:
            raise ValueError(f'The stride of GaussianChannel must be 1 or more, but is {stride}.')
        if prior not in PRIORS:
            raise ValueError(f'GaussianChannel has no prior {prior!r}; choose from {list(PRIORS)}.')
        self.anonymizer = build_anonymizer(anonymizer)
        if getattr(self.anonymizer, 'needs_boxes', False):
            raise ValueError(
                f'GaussianChannel cannot have a {type(self.anonymizer).__name__}, which needs '
                'boxes: put one before it by SequentialAnonymizer.'
            )
        self.sigma_shared, self.sigma_frame = sigma_shared, sigma_frame
        self.stride, self.prior, self.momentum = stride, prior, momentum
        self.known_noise = known_noise
        #: Whether the noise is left out, for instance while f_A learns to reproduce its input.
        self.is_silent = False
        #: Share of the noise that is added, below 1 only early in trainings (NoiseRampHook). The
        #: rate is computed for the full noise.
        self.noise_scale = 1.0
        #: Rates in nats of the clips of each pass since the last :meth:`take_rates`, one tensor
        #: (N,) a pass; kept in training, and always while ``keeps_rates`` is set.
        self.rates: list[Tensor] = []
        self.keeps_rates = False
        # Means over videos, frames and places, by colour.
        self.register_buffer('mean', torch.full((3,), 0.5))
        self.register_buffer('still_power', torch.zeros(3))
        self.register_buffer('moving_power', torch.zeros(3))

    @property
    def mixes_frames(self) -> bool:
        """Whether f_A does; the noise of a frame is of that frame and of the video."""
        return mixes_frames(self.anonymizer)

    @property
    def min_size(self) -> int:
        """Smallest height and width in pixels that f_A takes."""
        return min_size(self.anonymizer)

    @property
    def has_cacheable_signal(self) -> bool:
        """Whether :meth:`find_signal` of a frame depends on the frame alone."""
        return is_cacheable(self.anonymizer)

    def noise_size(self, height: int, width: int) -> tuple[int, int]:
        """Return the size of the noise that is used for frames of a size."""
        return -(-height // self.stride), -(-width // self.stride)

    def forward(
        self, clips: Tensor, shared: Tensor | None = None, fresh: Tensor | None = None
    ) -> Tensor:
        """Anonymize clips and add noise.

        Args:
            clips (Tensor): RGB in [0, 1], (N, T, 3, H, W).
            shared (Tensor, optional): Standard normal noise (N, 3, H, W), the same for clips of one
                video; a stride uses a part of it. Defaults to new noise for each clip, from
                PyTorch's global generator.
            fresh (Tensor, optional): Standard normal noise (N, T, 3, H, W) of each frame, with the
                same default.

        Returns:
            Tensor: RGB in [0, 1], same shape, in steps of 1/255.
        """
        signal = rewrite_clips(self.anonymizer, clips)
        if self.is_silent:
            return signal
        size = signal.shape[-2:]
        signal = self._reduce(signal)
        if self.training:
            self._measure(signal.detach().to(self.mean))
        if self.keeps_rates or (self.training and torch.is_grad_enabled()):
            self.rates.append(self.rate(signal))
        return self.send(signal, size, shared, fresh)

    def find_signal(self, frames: Tensor) -> Tensor:
        """Return what would be sent of frames before the noise, where frames are independent.

        Args:
            frames (Tensor): RGB in [0, 1], (N, 3, H, W).

        Returns:
            Tensor: (N, 3, H / stride, W / stride).
        """
        return self._reduce(self.anonymizer(frames)[:, None])[:, 0]

    def send(
        self,
        signal: Tensor,
        size: Sequence[int],
        shared: Tensor | None = None,
        fresh: Tensor | None = None,
    ) -> Tensor:
        """Add the noise and draw frames.

        Args:
            signal (Tensor): What is sent, (N, T, 3, H / stride, W / stride).
            size (Sequence[int]): H and W.
            shared (Tensor, optional): As for :meth:`forward`.
            fresh (Tensor, optional): As for :meth:`forward`.

        Returns:
            Tensor: RGB in [0, 1], (N, T, 3, H, W), in steps of 1/255.
        """
        y = signal if self.known_noise else self._add_noise(signal, shared, fresh)
        y = self._draw(y.clamp(0, 1), size)
        # Straight-through gradient: the backward pass ignores the rounding.
        return y + ((y * 255).round() / 255 - y).detach()

    def _add_noise(self, signal: Tensor, shared: Tensor | None, fresh: Tensor | None) -> Tensor:
        rows, columns = signal.shape[-2:]
        shared = torch.randn_like(signal[:, 0]) if shared is None else shared[..., :rows, :columns]
        fresh = torch.randn_like(signal) if fresh is None else fresh[..., :rows, :columns]
        noise = self.sigma_shared * shared[:, None] + self.sigma_frame * fresh
        return signal + self.noise_scale * noise

    def _reduce(self, frames: Tensor) -> Tensor:
        """Return means of ``stride`` x ``stride`` pixels, (N, T, 3, H / stride, W / stride)."""
        if self.stride == 1:
            return frames
        size = self.noise_size(*frames.shape[-2:])
        reduced = F.adaptive_avg_pool2d(frames.flatten(0, 1), size)
        return reduced.unflatten(0, frames.shape[:2])

    def _draw(self, sent: Tensor, size: Sequence[int]) -> Tensor:
        """Return frames of a size, (N, T, 3, H, W), from the sent means."""
        if self.stride == 1:
            return sent
        frames = F.interpolate(sent.flatten(0, 1), size, mode='bilinear', align_corners=False)
        return frames.unflatten(0, sent.shape[:2])

    def rate(self, signal: Tensor) -> Tensor:
        """Bound the information in the output of a clip about its input.

        Args:
            signal (Tensor): The sent values before the noise: f_A's frames (N, T, 3, H, W) or, with
                a stride, their means.

        Returns:
            Tensor: Nats of each clip (N,), float32 or float64; their mean over videos bounds the
            mutual information.
        """
        signal = signal if signal.dtype == torch.float64 else signal.float()
        length = signal.shape[1]
        offset = signal - self.mean.to(signal).view(3, 1, 1)
        mean = offset.mean(1)
        # The eigenspaces of the noise's covariance: the mean over frames, and the deviations from
        # it.
        still = length * mean.square()
        moving = (offset - mean[:, None]).square().sum(1)
        still_noise = length * self.sigma_shared**2 + self.sigma_frame**2
        nats = self._divergence(still, 1, still_noise, length * self.still_power)
        nats = nats + self._divergence(moving, length - 1, self.sigma_frame**2, self.moving_power)
        return nats.sum((1, 2, 3))

    def _divergence(self, squares: Tensor, count: int, noise: float, power: Tensor) -> Tensor:
        """Return the KL of ``count`` coefficients at each place, whose squares sum to ``squares``.

        Args:
            squares (Tensor): (N, 3, H, W).
            count (int): Number of coefficients at each place.
            noise (float): Variance of the noise of each coefficient.
            power (Tensor): Variance that the prior adds to the noise, (3,).
        """
        power = power.to(squares).view(3, 1, 1) if self.prior == 'gaussian' else 0.0 * noise
        total = noise + power
        fixed = torch.log(torch.as_tensor(total / noise)) + noise / total - 1
        return (squares / total + count * fixed) / 2

    @torch.no_grad()
    def _measure(self, signal: Tensor) -> None:
        """Update the mean and the power of f_A's frames."""
        length = signal.shape[1]
        self.mean.lerp_(signal.mean((0, 1, 3, 4)), self.momentum)
        offset = signal - self.mean.view(3, 1, 1)
        mean = offset.mean(1, keepdim=True)
        self.still_power.lerp_(mean.square().mean((0, 1, 3, 4)), self.momentum)
        if length > 1:
            moving = (offset - mean).square().mean((0, 1, 3, 4)) * length / (length - 1)
            self.moving_power.lerp_(moving, self.momentum)

    def take_rates(self) -> list[Tensor]:
        """Return :attr:`rates` and empty it."""
        rates, self.rates = self.rates, []
        return rates

    def extra_repr(self) -> str:
        """Return the settings for ``print``."""
        sigmas = f'sigma_shared={self.sigma_shared}, sigma_frame={self.sigma_frame}'
        return f'{sigmas}, stride={self.stride}'
