"""Traits of an anonymizer that its callers have to know."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from .build import build_anonymizer, find_class


def is_random(anonymizer: Mapping | nn.Module) -> bool:
    """Tell whether an anonymizer is random, so that one frame gives another output each time.

    A random class declares this by an attribute or property ``is_random``; a class without one is
    deterministic.

    Args:
        anonymizer (Mapping | nn.Module): The network or its config.
    """
    return _has_trait(anonymizer, 'is_random')


def takes_clips(anonymizer: Mapping | nn.Module) -> bool:
    """Tell whether an anonymizer takes clips (N, T, 3, H, W) in place of frames (N, 3, H, W).

    A class of clips declares this by an attribute or property ``takes_clips``. It returns clips of
    the same shape, and treats an image as a clip of one frame.

    Args:
        anonymizer (Mapping | nn.Module): The network or its config.
    """
    return _has_trait(anonymizer, 'takes_clips')


def mixes_frames(anonymizer: nn.Module) -> bool:
    """Tell whether a frame's output depends on other frames of its clip, apart from shared noise.

    An anonymizer of clips for which this is not so declares ``mixes_frames = False``, or a
    property. With the noise given, its clips can be cut anywhere, into single frames too.
    """
    return bool(getattr(anonymizer, 'mixes_frames', takes_clips(anonymizer)))


def shares_noise(anonymizer: Mapping | nn.Module) -> bool:
    """Tell whether an anonymizer of clips takes the noise that the clips of a video share.

    Such a class declares this by an attribute or property ``shares_noise``; see
    :class:`GaussianChannel`.

    Args:
        anonymizer (Mapping | nn.Module): The network or its config.
    """
    return _has_trait(anonymizer, 'shares_noise')


def min_size(anonymizer: nn.Module) -> int:
    """Return the smallest height and width in pixels that an anonymizer takes.

    A class that refuses small frames declares this by an attribute or property ``min_size``.
    """
    return getattr(anonymizer, 'min_size', 1)


def rewrite_clips(anonymizer: nn.Module, clips: Tensor, *boxes, **noise) -> Tensor:
    """Run an anonymizer of frames or of clips.

    Args:
        anonymizer (nn.Module): The network.
        clips (Tensor): RGB in [0, 1], (N, T, 3, H, W).
        *boxes: Boxes of persons, for anonymizers that need them.
        **noise: ``shared`` and ``fresh``, for anonymizers that share noise.

    Returns:
        Tensor: Same shape and range.
    """
    if takes_clips(anonymizer):
        return anonymizer(clips, *boxes, **noise)
    return anonymizer(clips.flatten(0, 1), *boxes).reshape(clips.shape)


def is_cacheable(anonymizer: Mapping | nn.Module) -> bool:
    """Tell whether an anonymizer's output depends on the frame alone.

    This is so for anonymizers that need neither boxes nor other frames of a clip and are not
    random.

    Args:
        anonymizer (Mapping | nn.Module): The network or its config.
    """
    traits = ('is_random', 'needs_boxes', 'takes_clips')
    return not any(_has_trait(anonymizer, trait) for trait in traits)


def has_cacheable_signal(anonymizer: Mapping | nn.Module) -> bool:
    """Tell whether all that depends on more than the frame is noise that is added at the end.

    Such a class declares this by an attribute or property ``has_cacheable_signal``; see
    :class:`GaussianChannel`.

    Args:
        anonymizer (Mapping | nn.Module): The network or its config.
    """
    return _has_trait(anonymizer, 'has_cacheable_signal')


def _has_trait(anonymizer: Mapping | nn.Module, name: str) -> bool:
    if not isinstance(anonymizer, nn.Module):
        kind = anonymizer['type']
        trait = getattr(find_class(kind), name, False)
        if isinstance(trait, bool):
            return trait
        # A property depends on the settings. On ``meta`` nothing is computed and no memory is
        # taken.
        with torch.device('meta'):
            anonymizer = build_anonymizer(dict(dict(_scope_='mmaction'), **anonymizer))
    return bool(getattr(anonymizer, name, False))
