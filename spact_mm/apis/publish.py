"""Checkpoints for others: weights, and what one needs to use them."""

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
from .leftover import find_flaw_on_drawn_pictures
from .provenance import PUBLISHED_KEY, describe_training, find_flaw

#: What of the meta data is published: the config makes the checkpoint usable by itself.
_META = ('cfg', 'dataset_meta', 'epoch', 'iter', 'mmengine_version')


def publish(source: str, target: Path, part: str | None = None) -> Path:
    """Write what is to be published of a checkpoint.

    Args:
        source (str): The checkpoint.
        target (Path): Path and name without the hash.
        part (str, optional): What is kept of a minimax training. ``'anonymizer'``: f_A's weights,
            as ``anonymizer.*``. ``'recognizer'``: f_T with f_A in its data preprocessor, under the
            names of an MMAction2 recognizer, for tools that know no minimax. Defaults to all.

    Returns:
        Path: The file, with the hash in its name.

    Raises:
        FileNotFoundError: If there is no such checkpoint.
        ValueError: If it is none, or lacks the part, or its anonymizer does not anonymize.
    """
    checkpoint = load_checkpoint(source)
    state = dict(checkpoint.get('state_dict', checkpoint))
    if part is not None:
        state = _PARTS[part](checkpoint, source)
    meta = checkpoint.get('meta') or {}
    meta = {key: meta[key] for key in _META if key in meta}
    # The message hub, which is left out, tells the phase.
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
    prefix = re.compile(r'(?:module\.)?recognizer\.(?:module\.)?')  # as several processes save it
    weights = {prefix.sub('', name, 1): state[name] for name in state if prefix.match(name)}
    if not weights:
        raise ValueError(
            f'{source} is of no minimax training, as it holds no recognizer.*: leave '
            '--recognizer-only out.'
        )
    # Those of an anonymizer without weights are none.
    anonymizer = find_weights(checkpoint).items()
    weights.update({f'data_preprocessor.anonymizer.{name}': value for name, value in anonymizer})
    return weights


_PARTS = dict(anonymizer=_anonymizer, recognizer=_recognizer)


def _measure(checkpoint: Mapping, source: str) -> str:
    """Tell what is wrong with what the anonymizer gives, if the checkpoint tells its config."""
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
