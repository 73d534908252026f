"""Publishing checkpoints: weights, and the metadata needed to use them."""

import hashlib
import io
import re
from collections.abc import Mapping
from pathlib import Path

import torch
from mmaction.registry import MODELS

from ..files import write_whole
from ..models.anonymizers.checkpoint import (
    find_config,
    find_raw_config,
    find_weights,
    load_checkpoint,
    load_weights,
)
from ..models.anonymizers.stranger_config import UnknownAnonymizerError
from .drawn_pictures import find_flaw_on_drawn_pictures
from .provenance import PUBLISHED_KEY, describe_training, find_flaw

#: Published entries of the metadata: the config makes the checkpoint usable by itself.
_META = ('cfg', 'dataset_meta', 'epoch', 'iter', 'mmengine_version')


def publish(source: str, target: Path, part: str | None = None) -> Path:
    """Write the publishable part of a checkpoint.

    Args:
        source (str): The checkpoint.
        target (Path): Path and name without the hash.
        part (str, optional): The part of a minimax training to keep. ``'anonymizer'``: f_A's
            weights, as ``anonymizer.*``. ``'recognizer'``: f_T with f_A in its data preprocessor,
            under the names of an MMAction2 recognizer, for tools that do not know the minimax
            model. Defaults to all parts.

    Returns:
        Path: The file, with the hash in its name.

    Raises:
        FileNotFoundError: If there is no such checkpoint.
        ValueError: If the file is no checkpoint, lacks the part, or has an anonymizer that hides
            nothing.
    """
    checkpoint = load_checkpoint(source)
    state = dict(checkpoint.get('state_dict', checkpoint))
    if part is not None:
        state = _PARTS[part](checkpoint, source)
    meta = checkpoint.get('meta') or {}
    meta = {key: meta[key] for key in _META if key in meta}
    # The phase is in the message hub, which is not published.
    training = {k: v for k, v in describe_training(checkpoint).items() if v is not None}
    if training:
        meta[PUBLISHED_KEY] = training
    buffer = io.BytesIO()
    torch.save(dict(meta=meta, state_dict=state), buffer)
    digest = hashlib.sha256(buffer.getvalue()).hexdigest()[:8]
    path = target.with_name(f'{target.stem}-{digest}.pth')
    write_whole(path, buffer.getvalue())
    return path


def _anonymizer(checkpoint: Mapping, source: str) -> dict:
    weights = find_weights(checkpoint)
    if not weights:
        raise ValueError(f'{source} holds no anonymizer: leave --anonymizer-only out.')
    flaw = find_flaw(checkpoint) or _measure(checkpoint, source)
    if flaw:
        raise ValueError(
            f'{source} is not published as an anonymizer: {flaw}; choose a checkpoint from the '
            'end of a minimax training, or leave --anonymizer-only out.'
        )
    return {f'anonymizer.{name}': value for name, value in weights.items()}


def _recognizer(checkpoint: Mapping, source: str) -> dict:
    state = checkpoint.get('state_dict', checkpoint)
    prefix = re.compile(r'(?:module\.)?recognizer\.(?:module\.)?')  # prefixes of several processes
    weights = {prefix.sub('', name, 1): state[name] for name in state if prefix.match(name)}
    if not weights:
        raise ValueError(
            f'{source} is of no minimax training, as it holds no recognizer.*: leave '
            '--recognizer-only out.'
        )
    # Empty for an anonymizer without weights.
    anonymizer = find_weights(checkpoint).items()
    weights.update({f'data_preprocessor.anonymizer.{name}': value for name, value in anonymizer})
    return weights


_PARTS = dict(anonymizer=_anonymizer, recognizer=_recognizer)


def _measure(checkpoint: Mapping, source: str) -> str:
    """Return the flaw of the anonymizer's output, if the checkpoint holds its config."""
    if find_raw_config(checkpoint) is None:
        return ''
    try:
        network = MODELS.build(find_config(checkpoint, source))
    except UnknownAnonymizerError:  # one of the user's own, which is published as it is
        return ''
    load_weights(network, checkpoint, source)
    if getattr(network, 'needs_boxes', False):
        return ''
    return find_flaw_on_drawn_pictures(network)
