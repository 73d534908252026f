"""Frames behind a frozen anonymizer, computed once for all who ask."""

import os
from collections.abc import Callable, Mapping
from hashlib import blake2b
from itertools import chain
from pathlib import Path

import torch
from torch import Tensor, nn

from ..byte_store import ByteStore

#: Of the keys and values; raised when their meaning changes.
_VERSION = 1
#: Frames of a store that are computed again before it is trusted, and how far they may lie apart:
#: half precision and other batch sizes round differently.
_NUM_CHECKED, _TOLERANCE = 8, 2


class AnonymizedCache:
    """Keep what an anonymizer makes of each frame, on disk, for all processes that attack it.

    The key of a frame is a hash of its bytes and shape, so that nothing has to be known of files
    and transforms: equal frames give equal outputs. The store, a subfolder, is that of one
    anonymizer: its name has a hash of the config, the weights, their precision and the kind of
    device, which is made again when they change. Outputs are rounded to uint8, what a video file
    would hold, whether they come from the store or not.

    A store is trusted after some of its frames were computed again and found the same, once in a
    process: an anonymizer that draws without saying so, or whose code has changed, is refused.

    Args:
        config (Mapping): Of the anonymizer. ``init_cfg`` in it is ignored.
        is_bgr (bool): Whether the frames are BGR.
        folder: Of the stores of all anonymizers, on a local disk; made at the first use.
        max_gib (float): Gibibytes that the store of each anonymizer may take; frames beyond are
            computed each time. Defaults to 4.0.

    Raises:
        ValueError: If ``max_gib`` is not positive.
    """

    def __init__(
        self,
        config: Mapping,
        is_bgr: bool,
        folder: str | os.PathLike,
        max_gib: float = 4.0,
    ) -> None:
        #: Frames that did not have to be computed; a second time in a batch counts.
        self.hits = 0
        #: Frames that had to be computed.
        self.misses = 0
        self._settings = f'{_VERSION} {_describe(config)} {is_bgr}'
        self._folder, self._max_gib = Path(folder), max_gib
        # Refuses a wrong bound before anything is computed.
        self._store, self._fingerprint = ByteStore(folder, max_gib), None
        self._is_checked = False

    def __call__(
        self, network: nn.Module, compute: Callable[[Tensor], Tensor], frames: Tensor
    ) -> Tensor:
        """Return the anonymized frames.

        Args:
            network (nn.Module): The anonymizer.
            compute (Callable): What makes anonymized frames in [0, 255] of some frames.
            frames (Tensor): (N, 3, H, W) uint8.

        Returns:
            Tensor: Same shape, uint8, on the same device.

        Raises:
            OSError: If the folder cannot be used.
            ValueError: If the store has other frames than those that are computed, or these are
                not finite or of another size.
        """
        self._open(network, frames.device.type)
        keys = _hash_frames(frames)
        known = self._store.find(set(keys))
        # Of each frame that is not there, the first place in the batch.
        places = {}
        for place, key in enumerate(keys):
            if key not in known:
                places.setdefault(key, place)
        if known and not self._is_checked:
            self._check(network, compute, frames, keys, known)
        if places:
            computed = _to_bytes(network, compute, frames[list(places.values())])
            new = dict(zip(places, (x.numpy().tobytes() for x in computed), strict=True))
            self._store.add(new)
            known |= new
        self.misses += len(places)
        self.hits += len(keys) - len(places)
        joined = bytearray().join(known[key] for key in keys)
        return torch.frombuffer(joined, dtype=torch.uint8).view(frames.shape).to(frames.device)

    def close(self) -> None:
        """Close the store's file; the next use opens it again."""
        self._store.close()

    def _open(self, network: nn.Module, device: str) -> None:
        """Open the store of the anonymizer as it is now."""
        tensors = chain(network.parameters(), network.buffers())
        fingerprint = device, [(x.data_ptr(), x._version, x.dtype) for x in tensors]
        if fingerprint != self._fingerprint:
            self.close()
            name = f'{type(network).__name__}-{_hash_network(network, self._settings + device)}'
            self._store = ByteStore(self._folder / name, self._max_gib)
            self._fingerprint, self._is_checked = fingerprint, False

    def _check(
        self,
        network: nn.Module,
        compute: Callable[[Tensor], Tensor],
        frames: Tensor,
        keys: list[bytes],
        known: Mapping[bytes, bytes],
    ) -> None:
        places = [place for place, key in enumerate(keys) if key in known][:_NUM_CHECKED]
        computed = _to_bytes(network, compute, frames[places])
        kept = bytearray().join(known[keys[place]] for place in places)
        kept = torch.frombuffer(kept, dtype=torch.uint8).view(computed.shape)
        if (kept.int() - computed.int()).abs().max() > _TOLERANCE:
            raise ValueError(
                f'{type(network).__name__} makes other frames than the cache {self._store.folder} '
                'has of it: give its class is_random = True and leave cache out if it draws; '
                'delete the cache if its code has changed.'
            )
        self._is_checked = True


def _to_bytes(network: nn.Module, compute: Callable[[Tensor], Tensor], frames: Tensor) -> Tensor:
    """Return the anonymized frames as a file would hold them, uint8, on the CPU."""
    computed = compute(frames)
    if computed.shape != frames.shape or not computed.isfinite().all():
        raise ValueError(
            f'{type(network).__name__} made frames {tuple(computed.shape)} of frames '
            f'{tuple(frames.shape)}, or numbers that are not finite, which cannot be kept: use '
            'another anonymizer, or leave cache out.'
        )
    return computed.round().clamp(0, 255).to(torch.uint8).cpu()


def _hash_frames(frames: Tensor) -> list[bytes]:
    start = blake2b(repr(tuple(frames.shape[1:])).encode(), digest_size=16)
    keys = []
    for frame in frames.cpu().contiguous().numpy():
        state = start.copy()
        state.update(frame)
        keys.append(state.digest())
    return keys


def _hash_network(network: nn.Module, settings: str) -> str:
    state = blake2b(settings.encode(), digest_size=16)
    for name, tensor in chain(network.named_parameters(), network.named_buffers()):
        state.update(f'{name} {tensor.dtype} {tuple(tensor.shape)}'.encode())
        state.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy())
    return state.hexdigest()


def _describe(config) -> str:
    """Return a text that is the same for configs that say the same."""
    if isinstance(config, Mapping):
        kept = sorted(key for key in config if key not in ('init_cfg', '_scope_'))
        return f'{{{", ".join(f"{key}: {_describe(config[key])}" for key in kept)}}}'
    if isinstance(config, (list, tuple)):
        return f'[{", ".join(map(_describe, config))}]'
    return repr(config)
