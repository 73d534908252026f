"""What a caller has to know of an anonymizer before it runs it."""

from collections.abc import Mapping

import torch
from mmaction.registry import MODELS
from torch import Tensor, nn


def is_random(anonymizer: Mapping | nn.Module) -> bool:
    """Tell whether an anonymizer draws, so that one frame gives another output each time.

    Such a class says so by an attribute or property ``is_random``; without one it does not draw.

    Args:
        anonymizer (Mapping | nn.Module): The network or its config.
    """
    return _has_trait(anonymizer, 'is_random')


def takes_clips(anonymizer: Mapping | nn.Module) -> bool:
    """Tell whether an anonymizer takes clips (N, T, 3, H, W) in place of frames (N, 3, H, W).

    Such a class says so by an attribute or property ``takes_clips``. It gives clips of the same
    shape, and takes an image for a clip of one frame.

    Args:
        anonymizer (Mapping | nn.Module): The network or its config.
    """
    return _has_trait(anonymizer, 'takes_clips')


def shares_noise(anonymizer: Mapping | nn.Module) -> bool:
    """Tell whether an anonymizer of clips takes the noise that the clips of a video share.

    Such a class says so by an attribute or property ``shares_noise``; see
    :class:`GaussianChannel`.

    Args:
        anonymizer (Mapping | nn.Module): The network or its config.
    """
    return _has_trait(anonymizer, 'shares_noise')


def rewrite_clips(anonymizer: nn.Module, clips: Tensor, *boxes, **noise) -> Tensor:
    """Run an anonymizer of frames or of clips.

    Args:
        anonymizer (nn.Module): The network.
        clips (Tensor): RGB in [0, 1], (N, T, 3, H, W).
        *boxes: For those that need them.
        **noise: ``shared`` and ``fresh``, for those that share noise.

    Returns:
        Tensor: Same shape and range.
    """
    if takes_clips(anonymizer):
        return anonymizer(clips, *boxes, **noise)
    return anonymizer(clips.flatten(0, 1), *boxes).reshape(clips.shape)


def is_cacheable(anonymizer: Mapping | nn.Module) -> bool:
    """Tell whether a frame alone decides an anonymizer's output.

    It does where it needs neither boxes nor the other frames of a clip, and draws nothing.

    Args:
        anonymizer (Mapping | nn.Module): The network or its config.
    """
    traits = ('is_random', 'needs_boxes', 'takes_clips')
    return not any(_has_trait(anonymizer, trait) for trait in traits)


def _has_trait(anonymizer: Mapping | nn.Module, name: str) -> bool:
    if not isinstance(anonymizer, nn.Module):
        kind = anonymizer['type']
        trait = getattr(kind if isinstance(kind, type) else MODELS.get(kind), name, False)
        if isinstance(trait, bool):
            return trait
        # A property: it depends on the settings. Nothing is computed and no memory taken.
        with torch.device('meta'):
            anonymizer = MODELS.build(dict(dict(_scope_='mmaction'), **anonymizer))
    return bool(getattr(anonymizer, name, False))
