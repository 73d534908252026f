"""Anonymize frames as fast as a trained network allows."""

from collections.abc import Callable
from copy import deepcopy
from functools import partial

import numpy as np
import torch
import torch.nn.functional as F
from mmcv.cnn import fuse_conv_bn
from torch import Tensor, nn

from ..models.anonymizers import (
    ConstantAnonymizer,
    DownsampleAnonymizer,
    GaussianBlurAnonymizer,
    PixelateAnonymizer,
    min_size,
    mixes_frames,
    shares_noise,
    takes_clips,
)
from ..models.frames import map_chunks
from ..models.memory_format import use_channels_last
from .byte_obfuscations import find_byte_function
from .choices import BACKENDS
from .refusals import NonFiniteError
from .video_noise import VideoNoise

#: Frames of a clip in videos of any length: the usual length of training clips.
_CLIP_LENGTH = 16
#: Arguments of the obfuscations that can compute on bytes; a subclass may compute something else.
_ON_BYTES = {
    ConstantAnonymizer: ('value',),
    DownsampleAnonymizer: ('factor',),
    GaussianBlurAnonymizer: ('kernel_size', 'sigma'),
    PixelateAnonymizer: ('block',),
}


def clip_length(anonymizer: nn.Module) -> int:
    """Return the number of successive frames that an anonymizer takes as a clip; 1 for frames."""
    return _CLIP_LENGTH if mixes_frames(anonymizer) else 1


class FrameAnonymizer:
    """A frozen anonymizer from decoded frames to frames of the same kind.

    BatchNorm is folded into the preceding convolutions and the weights are stored channels-last:
    the same numbers up to rounding, in less time.

    On a CPU obfuscations compute on bytes; the output differs by one grey level at most.

    An anonymizer of clips gets successive frames as clips of :attr:`clip_length`, or as clips of
    one frame where it does not mix frames; the last clip may be shorter. An anonymizer that shares
    noise gets the noise of the video.

    Args:
        anonymizer (nn.Module): f_A, frames (N, 3, H, W) in [0, 1] to the same. The network is
            copied.
        device (str | torch.device): Where to compute. Defaults to ``'cpu'``.
        batch_size (int): Frames that pass the network at a time, which bounds the memory. Defaults
            to 16.
        backend (str): One of :data:`BACKENDS`. Defaults to ``'torch'``.

    Raises:
        ValueError: If the batch size is not positive, or the backend cannot compute on the device.
        RuntimeError: If the backend is not installed.

    Example:
        >>> anonymize = FrameAnonymizer(UNetAnonymizer(base_channels=8))
        >>> anonymize(np.zeros((4, 120, 160, 3), np.uint8)).shape
        (4, 120, 160, 3)
    """

    def __init__(
        self,
        anonymizer: nn.Module,
        device: str | torch.device = 'cpu',
        batch_size: int = 16,
        backend: str = 'torch',
    ) -> None:
        if batch_size < 1:
            raise ValueError(f'batch_size must be 1 or more, but is {batch_size}.')
        self.device = torch.device(device)
        self.network = _prepare(anonymizer, self.device, backend)
        self.batch_size = batch_size
        self._rewrite_bytes = None
        if self.device.type == 'cpu':
            self._rewrite_bytes = _find_byte_function(self.network)
        self._takes_clips = takes_clips(anonymizer)
        #: Callers that pass a video in parts must pass a multiple of this number of frames each
        #: time.
        self.clip_length = clip_length(anonymizer)
        self._min_size = min_size(anonymizer)

    @torch.inference_mode()
    def __call__(self, frames: np.ndarray, noise: VideoNoise | None = None) -> np.ndarray:
        """Anonymize frames.

        Args:
            frames (np.ndarray): RGB, uint8, (N, H, W, 3) of any size.
            noise (VideoNoise, optional): Noise of the video, whose frames may come in several
                calls. Defaults to new noise: the frames are a video of their own.

        Returns:
            np.ndarray: Same shape and type.

        Raises:
            NonFiniteError: If the anonymizer gives NaN or an infinite number.
        """
        # A permuted view is channels-last already.
        images = torch.from_numpy(frames).permute(0, 3, 1, 2)
        function = partial(self._anonymize_bytes, noise=noise or VideoNoise())
        return self._map(function, images).permute(0, 2, 3, 1).numpy()

    @torch.inference_mode()
    def anonymize_tensor(self, frames: Tensor) -> Tensor:
        """Anonymize frames as tensors.

        Args:
            frames (Tensor): RGB, (N, 3, H, W), uint8 or floating point in [0, 1], on any device.

        Returns:
            Tensor: Same shape, type and device.
        """
        function = self._anonymize_bytes if frames.dtype == torch.uint8 else self._anonymize_floats
        return self._map(partial(function, noise=VideoNoise()), frames).to(frames)

    def _map(self, function: Callable[[Tensor], Tensor], frames: Tensor) -> Tensor:
        """Apply a function of frames, or of clips, to frames (N, 3, H, W) in bounded memory."""
        if not self._takes_clips:
            return map_chunks(function, frames, self.batch_size)
        whole = len(frames) - len(frames) % self.clip_length
        clips = [frames[:whole].unflatten(0, (-1, self.clip_length)), frames[whole:][None]]
        clips = [part for part in clips if part.numel()]
        return torch.cat([map_chunks(function, x, self.batch_size).flatten(0, 1) for x in clips])

    def _anonymize_bytes(self, images: Tensor, noise: VideoNoise) -> Tensor:
        if self._rewrite_bytes is not None:
            done = self._rewrite_bytes(images.permute(0, 2, 3, 1).cpu().numpy())
            return torch.from_numpy(done).permute(0, 3, 1, 2)
        x = self._anonymize_floats(images.to(self.device).float().div_(255), noise)
        return (x * 255).round_().clamp_(0, 255).to(torch.uint8).cpu()

    def _anonymize_floats(self, images: Tensor, noise: VideoNoise) -> Tensor:
        height, width = images.shape[-2:]
        x = images.to(self.device, torch.float32)
        bottom, right = (max(0, self._min_size - side) for side in (height, width))
        if bottom or right:
            shape = x.shape[:-3]
            x = F.pad(x.flatten(0, -4), (0, right, 0, bottom), mode='replicate')
            x = x.unflatten(0, shape)
        drawn = {}
        if shares_noise(self.network):
            size = getattr(self.network, 'noise_size', lambda *size: size)(*x.shape[-2:])
            drawn = noise.draw(x, size)
        x = self.network(x, **drawn)[..., :height, :width]
        # The sum of numbers in [0, 1] is finite, and faster than a test of each number.
        if not torch.isfinite(x.sum()):
            raise NonFiniteError(
                'the anonymizer gives numbers that are not finite (NaN or Inf), so its weights are '
                'damaged or their training has broken down; choose another checkpoint.'
            )
        return x


def _find_byte_function(network: nn.Module) -> Callable[[np.ndarray], np.ndarray] | None:
    names = _ON_BYTES.get(type(network))
    if names is None:
        return None
    arguments = {name: getattr(network, name) for name in names}
    return find_byte_function(dict(type=type(network).__name__, **arguments))


def _prepare(anonymizer: nn.Module, device: torch.device, backend: str) -> nn.Module:
    if backend not in BACKENDS:
        raise ValueError(f'There is no backend {backend!r}; choose from {", ".join(BACKENDS)}.')
    if backend == 'onnxruntime':
        if device.type != 'cpu':
            raise ValueError(
                f'The backend onnxruntime computes on the CPU, not on {device}: give --device cpu '
                "(device='cpu'), or leave the backend out."
            )
        from .onnx_network import OnnxNetwork

        return OnnxNetwork(anonymizer)
    network = fuse_conv_bn(deepcopy(anonymizer).eval().requires_grad_(False))
    return use_channels_last(network.to(device), trained=False)
