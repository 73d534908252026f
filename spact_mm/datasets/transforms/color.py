"""Colour augmentation, the same for all frames of a clip."""

import cv2
import numpy as np
import torch
from mmaction.registry import TRANSFORMS
from mmcv.transforms import BaseTransform
from torch import Tensor

from ...registration import register
from .frames import get_frames, set_frames

#: ITU-R BT.601 luma of R, G and B, as OpenCV's and torchvision's grayscale.
_LUMA = (0.299, 0.587, 0.114)


@register(TRANSFORMS)
class ClipColorJitter(BaseTransform):
    """Change colours by the same random changes for all frames of a clip.

    MMAction2's ``ColorJitter`` always changes everything and has no gamma; here each change has its
    own probability. The changes are applied in the order of the arguments. The defaults are SPAct's
    (official code). As in that code, gamma follows grayscale: only clips that have just been turned
    grey may get it.

    Each argument except ``grayscale`` is ``(probability, low, high)``; the value f is uniform in
    [low, high]. Results are rounded and clipped to [0, 255].

    Required Keys:

    - imgs (list[np.ndarray]) or img (np.ndarray): (H, W, 3) uint8 RGB.

    Modified Keys:

    - imgs or img

    Args:
        contrast (tuple): ``f x + (1 - f) m``, m the mean luma of the clip.
            Defaults to (0.125, 0.9, 1.1).
        hue (tuple): Hue plus f turns of the colour circle. Defaults to (0.15, -0.05, 0.05).
        saturation (tuple): ``f x + (1 - f) luma(x)``. Defaults to (0.15, 0.9, 1.1).
        brightness (tuple): ``f x``. Defaults to (0.15, 0.9, 1.1).
        grayscale (float): Probability of luma in all channels. Defaults to 0.1.
        gamma (tuple): ``255 (x / 255)^f``, with this probability once a clip is grey.
            Defaults to (0.75, 0.85, 1.15).

    Raises:
        ValueError: If a probability or range is invalid.
    """

    def __init__(
        self,
        contrast: tuple[float, float, float] = (0.125, 0.9, 1.1),
        hue: tuple[float, float, float] = (0.15, -0.05, 0.05),
        saturation: tuple[float, float, float] = (0.15, 0.9, 1.1),
        brightness: tuple[float, float, float] = (0.15, 0.9, 1.1),
        grayscale: float = 0.1,
        gamma: tuple[float, float, float] = (0.75, 0.85, 1.15),
    ) -> None:
        self.contrast = _check('contrast', contrast)
        self.hue = _check('hue', hue, lowest=-0.5)
        self.saturation = _check('saturation', saturation)
        self.brightness = _check('brightness', brightness)
        self.grayscale = _check('grayscale', (grayscale, 1, 1))[0]
        self.gamma = _check('gamma', gamma)

    def transform(self, results: dict) -> dict:
        """Draw the changes and apply them."""
        changes = self._draw()
        if not changes:
            return results
        frames = get_frames(results)
        # All frames form one tall image, so that OpenCV is called once.
        image = np.concatenate(frames)
        for change, factor in changes:
            image = change(image, factor)
        return set_frames(results, image.reshape(len(frames), *frames[0].shape))

    def augment(self, frames: Tensor) -> Tensor:
        """Draw the changes and apply them to frames (T, 3, H, W) in [0, 1] on a device."""
        for change, factor in self._draw():
            frames = _ON_DEVICE[change](frames, factor)
        return frames

    def _draw(self) -> list[tuple]:
        """Return the changes that happen to this clip, each with its f."""
        changes = []
        for change, (probability, low, high) in (
            (adjust_contrast, self.contrast),
            (adjust_hue, self.hue),
            (adjust_saturation, self.saturation),
            (adjust_brightness, self.brightness),
        ):
            if np.random.rand() < probability:
                changes.append((change, np.random.uniform(low, high)))
        if np.random.rand() < self.grayscale:
            changes.append((adjust_saturation, 0.0))
            probability, low, high = self.gamma
            if np.random.rand() < probability:
                changes.append((adjust_gamma, np.random.uniform(low, high)))
        return changes

    def __repr__(self) -> str:
        names = ('contrast', 'hue', 'saturation', 'brightness', 'grayscale', 'gamma')
        settings = ', '.join(f'{name}={getattr(self, name)}' for name in names)
        return f'{type(self).__name__}({settings})'


def adjust_contrast(image: np.ndarray, factor: float) -> np.ndarray:
    """Return ``factor x + (1 - factor) m``, m the mean luma, of an RGB image (H, W, 3) uint8."""
    mean = np.dot(cv2.mean(image)[:3], _LUMA)
    return _map_values(image, factor * np.arange(256) + (1 - factor) * mean)


def adjust_hue(image: np.ndarray, factor: float) -> np.ndarray:
    """Turn the hue of an RGB image (H, W, 3) uint8 by ``factor`` turns, in steps of 1 / 256."""
    table = np.tile(np.arange(256)[:, None], 3)
    table[:, 0] = (table[:, 0] + round(factor * 256)) % 256
    hsv = cv2.cvtColor(image, cv2.COLOR_RGB2HSV_FULL)
    return cv2.cvtColor(cv2.LUT(hsv, table.astype(np.uint8)[None]), cv2.COLOR_HSV2RGB_FULL)


def adjust_saturation(image: np.ndarray, factor: float) -> np.ndarray:
    """Return ``factor x + (1 - factor) luma(x)`` of an RGB image (H, W, 3) uint8."""
    gray = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    return gray if factor == 0 else cv2.addWeighted(image, factor, gray, 1 - factor, 0)


def adjust_brightness(image: np.ndarray, factor: float) -> np.ndarray:
    """Return ``factor x`` of an image (H, W, 3) uint8."""
    return _map_values(image, factor * np.arange(256))


def adjust_gamma(image: np.ndarray, factor: float) -> np.ndarray:
    """Return ``255 (x / 255)^factor`` of an image (H, W, 3) uint8."""
    return _map_values(image, 255 * (np.arange(256) / 255) ** factor)


def _map_values(image: np.ndarray, table: np.ndarray) -> np.ndarray:
    return cv2.LUT(image, np.rint(table).clip(0, 255).astype(np.uint8))


def _turn_hue(frames: Tensor, factor: float) -> Tensor:
    """Turn the hue of frames (..., 3, H, W) in [0, 1] by ``factor`` turns, in [-0.5, 0.5]."""
    if frames.device.type != 'cpu':
        # Importing torchvision takes a second, as it looks for its binary.
        from torchvision.transforms.functional import adjust_hue

        return adjust_hue(frames, factor)
    # On a CPU, OpenCV takes a twentieth of torchvision's time, with the same result.
    pixels = frames.movedim(-3, -1)
    rows = pixels.reshape(-1, pixels.shape[-2], 3).numpy()
    hsv = cv2.cvtColor(rows, cv2.COLOR_RGB2HSV)  # hue in degrees
    hsv[..., 0] = (hsv[..., 0] + 360 * factor) % 360
    rows = torch.from_numpy(cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB))
    return rows.view(pixels.shape).movedim(-1, -3)


def _luma(frames: Tensor) -> Tensor:
    """Return (..., 1, H, W) of (..., 3, H, W)."""
    red, green, blue = frames.split(1, -3)
    return (red * _LUMA[0]).add_(green, alpha=_LUMA[1]).add_(blue, alpha=_LUMA[2])


#: The same changes for frames (T, 3, H, W) in [0, 1].
_ON_DEVICE = {
    adjust_contrast: lambda x, f: (f * x).add_(_luma(x).mean(), alpha=1 - f).clamp_(0, 1),
    adjust_hue: _turn_hue,
    adjust_saturation: lambda x, f: (f * x).add_(_luma(x), alpha=1 - f).clamp_(0, 1),
    adjust_brightness: lambda x, f: (f * x).clamp_(0, 1),
    adjust_gamma: lambda x, f: x**f,
}


def _check(name: str, setting: tuple, lowest: float = 0) -> tuple[float, float, float]:
    """Return a valid setting as (probability, low, high)."""
    if len(setting) == 3 and 0 <= setting[0] <= 1 and lowest <= setting[1] <= setting[2]:
        return tuple(setting)
    expected = 'a probability' if name == 'grayscale' else f'(probability, {lowest} <= low, high)'
    raise ValueError(f'{name} of ClipColorJitter must be {expected}, but is {setting}.')
