"""Passes over a loader that begin in the middle."""

from collections.abc import Iterator
from itertools import islice

from torch.utils.data import BatchSampler, DataLoader


class _LateSampler:
    """A sampler whose next pass leaves out the first samples; for all else it is the sampler."""

    def __init__(self, sampler) -> None:
        self.sampler = sampler
        self.skipped = 0

    def __len__(self) -> int:
        return len(self.sampler)

    def __iter__(self) -> Iterator[int]:
        skipped, self.skipped = self.skipped, 0
        return islice(iter(self.sampler), skipped, None)


def iterate_from(loader: DataLoader, first: int) -> Iterator:
    """Start a pass at a batch; those before it are not loaded.

    Args:
        loader (DataLoader): Its order must not depend on what was loaded.
        first (int): The 0-based batch. A batch sampler that is not torch's own may draw batches of
            any length: there, what comes before is loaded and dropped.

    Returns:
        Iterator: Over the batches from ``first`` on.
    """
    sampler = getattr(loader, 'batch_sampler', None)
    if type(sampler) is not BatchSampler:
        return islice(iter(loader), first, None)
    if first > 0 and not isinstance(sampler.sampler, _LateSampler):
        # Persistent workers keep the batch sampler that they have begun with.
        sampler.sampler = _LateSampler(sampler.sampler)
    if isinstance(sampler.sampler, _LateSampler):
        # Also 0, as a pass that was to begin at its very end has not been begun.
        sampler.sampler.skipped = first * sampler.batch_size
    return iter(loader)
