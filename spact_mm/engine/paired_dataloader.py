"""The action and the privacy loader as one loader."""

from collections.abc import Iterator

import torch
from torch.utils.data import DataLoader

from .late_start import iterate_from

EPOCH_LENGTHS = ('action', 'shortest')


class PairedDataLoader:
    """Zip the action loader with a privacy loader.

    Hooks see the attributes of the action loader (``dataset``, ``sampler``, ``len``). Each
    iteration over the pair restarts both loaders; a privacy loader that ends early starts again, in
    a new order. Order and augmentation depend only on the seed, the epoch and the position.

    Args:
        action (DataLoader): Clips.
        privacy (DataLoader, optional): Images. None if the views come from the clips.
        epoch_length (str): ``'action'``: as long as the action loader; ``'shortest'``: as the
            shorter of both, as in the official code. Defaults to ``'action'``.

    Raises:
        ValueError: If a loader is empty or ``epoch_length`` is unknown.
    """

    def __init__(
        self, action: DataLoader, privacy: DataLoader | None, epoch_length: str = 'action'
    ) -> None:
        if epoch_length not in EPOCH_LENGTHS:
            raise ValueError(
                f'epoch_length of MinimaxTrainLoop is {epoch_length!r}; '
                f'choose from {list(EPOCH_LENGTHS)}.'
            )
        self.loaders = dict(action=action)
        if privacy is not None:
            self.loaders['privacy'] = privacy
        for name, loader in self.loaders.items():
            if len(loader) == 0:
                raise ValueError(
                    f'The {name} loader has no batch: {len(loader.dataset)} samples with '
                    f'batch_size={loader.batch_size} and drop_last={loader.drop_last}; '
                    'lower the batch size or give it more data.'
                )
        self.dataset = action.dataset
        self.sampler = action.sampler
        self.batch_size = action.batch_size
        self.epoch_length = epoch_length
        self._seed = 0
        self._epoch = 0

    def set_epoch(self, epoch: int, seed: int) -> None:
        """Set ``epoch`` (0-based) and ``seed`` of the next pass."""
        self._epoch, self._seed = epoch, seed

    def __len__(self) -> int:
        if self.epoch_length == 'shortest':
            return min(len(loader) for loader in self.loaders.values())
        return len(self.loaders['action'])

    def _start(self, name: str, restarts: int = 0, first: int = 0) -> Iterator:
        """Start a pass over a loader; ``restarts`` counts the passes within this epoch."""
        loader = self.loaders[name]
        # A restarted loader needs an order of its own; the offset is larger than any run's number
        # of epochs.
        epoch = self._epoch + restarts * 1_000_003
        if hasattr(loader.sampler, 'seed'):
            loader.sampler.seed = self._seed
        if hasattr(loader.sampler, 'set_epoch'):
            loader.sampler.set_epoch(epoch)
        if hasattr(loader.dataset, 'set_epoch'):
            loader.dataset.set_epoch(epoch, self._seed)
        # A loader draws a seed when it starts its workers. Persistent workers start in the first
        # epoch of a process, which is another epoch in a resumed run. The draw must not affect
        # dropout.
        with torch.random.fork_rng(devices=[]):
            return iterate_from(loader, first)

    def __iter__(self) -> Iterator[dict]:
        return self.iterate_from(0)

    def iterate_from(self, first: int) -> Iterator[dict]:
        """Iterate over the batches from ``first`` (0-based) on; earlier batches are not loaded."""
        iterators, restarts = dict(action=self._start('action', first=first)), 0
        if 'privacy' in self.loaders:
            restarts, begin = divmod(first, len(self.loaders['privacy']))
            iterators['privacy'] = self._start('privacy', restarts, begin)
        for _ in range(first, len(self)):
            batch = dict(action=next(iterators['action']))
            if 'privacy' in iterators:
                privacy = next(iterators['privacy'], None)
                if privacy is None:
                    restarts += 1
                    iterators['privacy'] = self._start('privacy', restarts)
                    privacy = next(iterators['privacy'])
                batch['privacy'] = privacy
            yield batch
