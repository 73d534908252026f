"""The anonymizer of a checkpoint, ready for use, and its hash."""

import hashlib
import logging
from collections.abc import Mapping
from pathlib import Path

from mmengine.config import Config, ConfigDict
from mmengine.logging import print_log
from mmengine.registry import init_default_scope
from torch import nn

from ..models.anonymizers.build import build_anonymizer
from ..models.anonymizers.checkpoint import (
    find_anonymizer,
    find_config,
    load_checkpoint,
    load_weights,
)
from .provenance import find_flaw


def load_anonymizer(weights: str, config: Mapping, force: bool = False) -> nn.Module:
    """Load an anonymizer from a checkpoint, which is read as data.

    Args:
        weights (str): The checkpoint.
        config (Mapping): Config of a minimax training, or of a model behind an anonymizing
            preprocessor; empty to use the config in the checkpoint.
        force (bool): Whether to warn instead of raising an error if the checkpoint's anonymizer
            hides nothing. Defaults to False.

    Returns:
        nn.Module: The anonymizer in eval mode.

    Raises:
        ValueError: If the weights do not fit, or the checkpoint's anonymizer hides nothing.
        FileNotFoundError: If there is no such checkpoint.
    """
    checkpoint = load_checkpoint(weights)
    given = find_anonymizer(config)
    flaw = find_flaw(checkpoint, given)
    if flaw and not force:
        raise ValueError(
            f'{weights} is no anonymizer: {flaw}; choose a checkpoint from the end of a '
            'minimax training, or --force (force=True).'
        )
    if flaw:
        print_log(f'{weights} is no anonymizer: {flaw}.', logger='current', level=logging.WARNING)
    found = given or find_config(checkpoint, weights)
    # The weights come from the checkpoint.
    network = build_anonymizer({**found, 'init_cfg': None} if 'init_cfg' in found else found)
    load_weights(network, checkpoint, weights)
    if any(getattr(module, 'known_noise', False) for module in network.modules()):
        raise ValueError(
            f'The anonymizer of {weights} has known_noise=True, a control that adds no noise and '
            'protects nobody: take it out of the config.'
        )
    return network.eval()


def load_for_use(model: str | Config | dict | None, weights: str, force: bool) -> nn.Module:
    """Load an anonymizer that can rewrite a user's files.

    Args:
        model (str | Config | dict, optional): A config, as for :class:`AnonymizeInferencer`.
        weights (str): As for :func:`load_anonymizer`.
        force (bool): As for :func:`load_anonymizer`.

    Returns:
        nn.Module: The anonymizer in eval mode.

    Raises:
        ValueError: As for :func:`load_anonymizer`, and if it needs boxes of persons.
        FileNotFoundError: If there is no such checkpoint.
    """
    init_default_scope('mmaction')
    config = Config.fromfile(model) if isinstance(model, (str, Path)) else ConfigDict(model or {})
    network = load_anonymizer(weights, config, force)
    if getattr(network, 'needs_boxes', False):
        raise ValueError(
            f'{type(network).__name__} needs person boxes, which a video file does not have; '
            'use it in configs with a box file (docs/person_boxes.md).'
        )
    return network


def hash_anonymizer(network: nn.Module) -> str:
    """Return the SHA-256 of an anonymizer's layers and weights, in hexadecimal digits."""
    digest = hashlib.sha256(repr(network).encode())
    for name, value in network.state_dict().items():
        digest.update(name.encode())
        digest.update(value.cpu().numpy().tobytes())
    return digest.hexdigest()
