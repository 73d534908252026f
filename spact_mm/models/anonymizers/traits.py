"""What a caller has to know of an anonymizer before it runs it."""

from collections.abc import Mapping

import torch
from mmaction.registry import MODELS
from torch import nn


def is_random(anonymizer: Mapping | nn.Module) -> bool:
    """Tell whether an anonymizer draws, so that one frame gives another output each time.

    Such a class says so by an attribute or property ``is_random``; without one it does not draw.

    Args:
        anonymizer (Mapping | nn.Module): The network or its config.
    """
    return _has_trait(anonymizer, 'is_random')


def is_cacheable(anonymizer: Mapping | nn.Module) -> bool:
    """Tell whether a frame alone decides an anonymizer's output: it needs no boxes and draws not.

    Args:
        anonymizer (Mapping | nn.Module): The network or its config.
    """
    return not (is_random(anonymizer) or _has_trait(anonymizer, 'needs_boxes'))


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
