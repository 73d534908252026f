from types import SimpleNamespace

import pytest
import torch
from mmengine.dataset import DefaultSampler
from mmengine.optim import OptimWrapper, OptimWrapperDict
from torch.utils.data import DataLoader, Dataset

from spact_mm.engine.minimax_loop import MinimaxTrainLoop
from spact_mm.engine.paired_dataloader import PairedDataLoader


class Numbers(Dataset):
    def __init__(self, count):
        self.count = count
        self.epochs = []

    def set_epoch(self, epoch, seed):
        self.epochs.append((epoch, seed))

    def __len__(self):
        return self.count

    def __getitem__(self, index):
        return index


def loader(count, batch_size=2, **kwargs):
    data = Numbers(count)
    return DataLoader(data, batch_size, sampler=DefaultSampler(data, shuffle=True), **kwargs)


def values(paired, name):
    return [batch[name].tolist() for batch in paired]


def test_epoch_is_as_long_as_the_action_loader_and_privacy_cycles():
    paired = PairedDataLoader(loader(10), loader(4))
    assert len(paired) == 5
    privacy = values(paired, 'privacy')
    assert len(privacy) == 5
    assert sorted(sum(privacy[:2], [])) == sorted(sum(privacy[2:4], [])) == [0, 1, 2, 3]
    assert sorted(sum(values(paired, 'action'), [])) == list(range(10))


def test_shortest_cuts_to_the_shorter_loader():
    assert len(PairedDataLoader(loader(10), loader(4), 'shortest')) == 2
    assert len(PairedDataLoader(loader(2), loader(8), 'shortest')) == 1
    assert len(values(PairedDataLoader(loader(10), loader(4), 'shortest'), 'privacy')) == 2


def test_order_is_a_function_of_seed_and_epoch_alone():
    def order(epoch, seed, privacy=6):
        paired = PairedDataLoader(loader(20), loader(privacy))
        paired.set_epoch(epoch, seed)
        return values(paired, 'action'), values(paired, 'privacy')

    first = order(3, 7)
    assert order(3, 7) == first
    assert order(4, 7)[0] != first[0] and order(3, 8)[0] != first[0]
    # The second pass over a cycling loader is shuffled anew.
    assert first[1][:3] != first[1][3:6]


def test_datasets_hear_of_each_pass():
    paired = PairedDataLoader(loader(8), loader(4))
    paired.set_epoch(2, seed=5)
    list(paired)
    assert paired.loaders['action'].dataset.epochs == [(2, 5)]
    assert paired.loaders['privacy'].dataset.epochs == [(2, 5), (2 + 1_000_003, 5)]


def test_without_privacy_loader_batches_hold_the_action_only():
    assert [list(batch) for batch in PairedDataLoader(loader(4), None)] == [['action']] * 2


def test_looks_like_the_action_loader_to_hooks():
    action = loader(10)
    paired = PairedDataLoader(action, loader(4))
    assert paired.dataset is action.dataset and paired.sampler is action.sampler
    assert paired.batch_size == 2


@pytest.mark.parametrize(
    'action, privacy, length, message',
    [
        (4, 4, 'longest', "epoch_length of MinimaxTrainLoop is 'longest'"),
        (1, 4, 'action', 'action loader has no batch: 1 samples with batch_size=2'),
        (4, 1, 'action', 'privacy loader has no batch'),
    ],
)
def test_wrong_loaders_are_refused(action, privacy, length, message):
    with pytest.raises(ValueError, match=message):
        PairedDataLoader(loader(action, drop_last=True), loader(privacy, drop_last=True), length)


def build_loop(action, privacy):
    model = torch.nn.Module()
    model.privacy_branch = SimpleNamespace(min_batch_size=2)
    runner = SimpleNamespace(model=model, seed=0, _randomness_cfg={}, visualizer=None)
    return MinimaxTrainLoop(runner, action, max_epochs=1, privacy_dataloader=privacy)


@pytest.mark.parametrize(
    'action, privacy, message',
    [
        (
            loader(4),
            loader(4, batch_size=1),
            r'^train_cfg.privacy_dataloader.batch_size is 1, .* at least 2',
        ),
        (
            loader(4),
            loader(5, batch_size=2),
            'last batch of train_cfg.privacy_dataloader holds 1 of 5 samples.*drop_last=True',
        ),
        (loader(4, batch_size=1), None, '^train_dataloader.batch_size is 1'),
    ],
)
def test_batches_without_negatives_are_refused(action, privacy, message):
    with pytest.raises(ValueError, match=message):
        build_loop(action, privacy)


@pytest.mark.parametrize(
    'privacy', [loader(6, batch_size=4), loader(5, batch_size=2, drop_last=True)]
)
def test_a_last_batch_with_negatives_or_dropped_is_accepted(privacy):
    assert len(build_loop(loader(4), privacy).dataloader) == 2


def test_seeds_of_an_epoch_depend_on_seed_and_epoch():
    def draw(seed, epoch):
        loop = build_loop(loader(4), loader(4))
        loop.runner.seed, loop._epoch = seed, epoch
        loop.seed_epoch()
        return torch.rand(1).item()

    assert draw(1, 2) == draw(1, 2)
    assert len({draw(1, 2), draw(1, 3), draw(2, 2)}) == 3


def test_an_epoch_starts_without_what_the_last_one_accumulated(monkeypatch):
    loop = build_loop(loader(4), loader(4))
    weight = torch.nn.Parameter(torch.zeros(1))
    wrapper = OptimWrapper(torch.optim.SGD([weight], lr=1.0), accumulative_counts=2)
    loop.runner.optim_wrapper = OptimWrapperDict(anonymizer=wrapper)

    def epoch(loop):
        for _ in range(3):
            wrapper.update_params(weight.sum())

    monkeypatch.setattr('spact_mm.engine.resumable_loop.ResumableTrainLoop.run_epoch', epoch)
    for count in (1, 2):
        loop.run_epoch()
        # Three batches, of which two make an update.
        assert weight.item() == -count
