"""How much the frames of a still scene change behind an anonymizer."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ..models.anonymizers import rewrite_clips

#: Noise of a camera, as a standard deviation of pixels from 0 to 255.
_CAMERA_NOISE = 2.0


def measure_flicker(anonymizer: nn.Module, clips: Sequence[Tensor]) -> dict[str, float]:
    """Measure the mean change between successive frames of still scenes.

    A still scene is the middle frame of a clip, as often as the clip has frames but at least eight
    times, each time with new noise of a camera.

    Args:
        anonymizer (nn.Module): The anonymizer. Its own noise comes from the global generator, which
            is seeded for the time of the call.
        clips (Sequence[Tensor]): Raw clips (T, 3, H, W), RGB in [0, 1].

    Returns:
        dict: ``before`` and ``after``: mean absolute change of a pixel, 0 to 255, without and with
        the anonymizer.
    """
    changes = dict(before=[], after=[])
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(0)
        for clip in clips:
            scene = clip[len(clip) // 2].expand(max(len(clip), 8), -1, -1, -1)
            seen = _round(scene + torch.randn(scene.shape) * _CAMERA_NOISE / 255)
            shown = _round(rewrite_clips(anonymizer, seen[None])[0])
            for key, frames in dict(before=seen, after=shown).items():
                changes[key].append(255 * frames.diff(dim=0).abs().mean().item())
    return {key: sum(values) / len(values) for key, values in changes.items()}


def _round(frames: Tensor) -> Tensor:
    return (frames * 255).round().clamp(0, 255) / 255
