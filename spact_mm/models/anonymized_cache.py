"""A cache on disk for the output frames of a frozen anonymizer."""

import os
from collections.abc import Callable, Mapping, Sequence
from hashlib import blake2b
from itertools import chain
from pathlib import Path

import torch
from torch import Tensor, nn

from ..byte_store import ByteStore

#: Version of the format of keys and values; raised when their meaning changes.
_VERSION = 1
#: Number of stored frames that are computed again before a store is trusted, and the largest
#: allowed difference, in grey levels or in the same part of 1: half precision and other batch sizes
#: round differently.
_NUM_CHECKED, _TOLERANCE = 8, {torch.uint8: 2, torch.float32: 2 / 255}


class AnonymizedCache:
    """Keep an anonymizer's output for each frame on disk, for all processes that attack it.

    The key of a frame is a hash of its bytes and shape, so the cache needs no knowledge of files
    and transforms: equal frames give equal outputs. Each anonymizer has a store of its own, a
    subfolder. The subfolder's name holds a hash of the config, the weights, their precision and the
    kind of device; when one of these changes, a new store begins. Outputs are rounded to uint8, as
    in a video file, whether they come from the store or not. Of an anonymizer that adds noise, what
    it sends before the noise is kept in float32.

    Each process trusts a store only after it has computed some of its frames again and found them
    the same. This check refuses an anonymizer that draws random numbers without declaring it, and
    one whose code has changed.

    Args:
        config (Mapping): The anonymizer's config. ``init_cfg`` in it is ignored.
        is_bgr (bool): Whether the frames are BGR.
        folder: Folder of the stores of all anonymizers, on a local disk; made at the first use.
        max_gib (float): Gibibytes that the store of each anonymizer may take; further frames are
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
        #: Number of frames that were not computed; a repetition within a batch counts too.
        self.hits = 0
        #: Number of frames that were computed.
        self.misses = 0
        self._settings = f'{_VERSION} {_describe(config)} {is_bgr}'
        self._folder, self._max_gib = Path(folder), max_gib
        # Refuses a wrong bound before anything is computed.
        self._store, self._fingerprint = ByteStore(folder, max_gib), None
        self._is_checked = False

    def __call__(
        self,
        network: nn.Module,
        compute: Callable[[Tensor], Tensor],
        frames: Tensor,
        size: Sequence[int] | None = None,
    ) -> Tensor:
        """Return the anonymized frames, or the signals of which they are made.

        Args:
            network (nn.Module): The anonymizer.
            compute (Callable): Function from frames to anonymized frames in [0, 255], or to
                signals.
            frames (Tensor): (N, 3, H, W) uint8.
            size (Sequence[int], optional): Height and width of the signals. Defaults to None:
                frames are kept.

        Returns:
            Tensor: (N, 3, H, W), uint8, or (N, 3, height, width), float32, on the same device.

        Raises:
            OSError: If the folder cannot be used.
            ValueError: If stored frames differ from the computed ones, or computed frames are not
                finite or have another size.
        """
        shape = (3, *(size or frames.shape[-2:]))
        kind = torch.uint8 if size is None else torch.float32
        self._open(network, frames.device.type)
        keys = _hash_frames(frames)
        known = self._store.find(set(keys))
        # The first place in the batch of each frame that is not in the store.
        places = {}
        for place, key in enumerate(keys):
            if key not in known:
                places.setdefault(key, place)
        if known and not self._is_checked:
            self._check(network, compute, frames, keys, known, shape, kind)
        if places:
            computed = _compute(network, compute, frames[list(places.values())], shape, kind)
            new = dict(zip(places, (x.numpy().tobytes() for x in computed), strict=True))
            self._store.add(new)
            known |= new
        self.misses += len(places)
        self.hits += len(keys) - len(places)
        joined = bytearray().join(known[key] for key in keys)
        return torch.frombuffer(joined, dtype=kind).view(-1, *shape).to(frames.device)

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
        shape: tuple[int, ...],
        kind: torch.dtype,
    ) -> None:
        places = [place for place, key in enumerate(keys) if key in known][:_NUM_CHECKED]
        computed = _compute(network, compute, frames[places], shape, kind)
        kept = bytearray().join(known[keys[place]] for place in places)
        kept = torch.frombuffer(kept, dtype=kind).view(computed.shape)
        if (kept.double() - computed.double()).abs().max() > _TOLERANCE[kind]:
            raise ValueError(
                f'{type(network).__name__} makes other frames than the cache {self._store.folder} '
                'has of it: give its class is_random = True and leave cache out if it draws; '
                'delete the cache if its code has changed.'
            )
        self._is_checked = True


def _compute(
    network: nn.Module,
    compute: Callable[[Tensor], Tensor],
    frames: Tensor,
    shape: tuple[int, ...],
    kind: torch.dtype,
) -> Tensor:
    """Return the anonymized frames as a file would hold them, or the signals, on the CPU."""
    computed = compute(frames)
    if computed.shape[1:] != shape or not computed.isfinite().all():
        raise ValueError(
            f'{type(network).__name__} made frames {tuple(computed.shape)} of frames '
            f'{tuple(frames.shape)}, or numbers that are not finite, which cannot be kept: use '
            'another anonymizer, or leave cache out.'
        )
    if kind == torch.uint8:
        computed = computed.round().clamp(0, 255)
    return computed.to(kind).cpu()


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
    """Return a text that is the same for equivalent configs."""
    if isinstance(config, Mapping):
        kept = sorted(key for key in config if key not in ('init_cfg', '_scope_'))
        return f'{{{", ".join(f"{key}: {_describe(config[key])}" for key in kept)}}}'
    if isinstance(config, (list, tuple)):
        return f'[{", ".join(map(_describe, config))}]'
    return repr(config)
