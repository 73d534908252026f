"""Passes over a loader that start in the middle."""

from collections.abc import Iterator
from itertools import islice

from torch.utils.data import BatchSampler, DataLoader


class _LateSampler:
    """A wrapper of a sampler whose next pass skips the first samples."""

    def __init__(self, sampler) -> None:
        self.sampler = sampler
        self.skipped = 0

    def __len__(self) -> int:
        return len(self.sampler)

    def __iter__(self) -> Iterator[int]:
        skipped, self.skipped = self.skipped, 0
        return islice(iter(self.sampler), skipped, None)


def iterate_from(loader: DataLoader, first: int) -> Iterator:
    """Start a pass at a batch; earlier batches are not loaded.

    Args:
        loader (DataLoader): The loader; its order must not depend on earlier batches.
        first (int): 0-based index of the batch. A batch sampler that is not torch's own may draw
            batches of any length: with such a sampler earlier batches are loaded and dropped.

    Returns:
        Iterator: Iterator over the batches from ``first`` on.
    """
    sampler = getattr(loader, 'batch_sampler', None)
    if type(sampler) is not BatchSampler:
        return islice(iter(loader), first, None)
    if first > 0 and not isinstance(sampler.sampler, _LateSampler):
        # Changed in place, as persistent workers keep their first batch sampler.
        sampler.sampler = _LateSampler(sampler.sampler)
    if isinstance(sampler.sampler, _LateSampler):
        # Also set to 0: an earlier value is still there if a pass at the very end was never
        # started.
        sampler.sampler.skipped = first * sampler.batch_size
    return iter(loader)
