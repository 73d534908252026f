from types import SimpleNamespace

import pytest
import torch
from mmengine.dataset import DefaultSampler
from torch.utils.data import DataLoader, Dataset

from spact_mm.engine.minimax_loop import MinimaxTrainLoop
from spact_mm.engine.paired_dataloader import PairedDataLoader
from spact_mm.engine.phase_hook import MinimaxPhaseHook
from spact_mm.models import MinimaxAnonymization

SCHEDULE = [dict(phase='reconstruction', epochs=1)]


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


def build_loop(action, privacy, hooks=None, cfg=(), **settings):
    model = torch.nn.Module()
    model.privacy_branch = SimpleNamespace(min_batch_size=2)
    model.phases = MinimaxAnonymization.phases
    runner = SimpleNamespace(model=model, seed=0, _randomness_cfg={}, visualizer=None)
    runner.hooks = [MinimaxPhaseHook(SCHEDULE)] if hooks is None else hooks
    runner.cfg, runner.param_schedulers = dict(cfg), None
    if privacy != 'top level':
        settings['privacy_dataloader'] = privacy
    return MinimaxTrainLoop(runner, action, **settings)


@pytest.mark.parametrize(
    'action, privacy, message',
    [
        (
            loader(4),
            loader(4, batch_size=1),
            r'^privacy_dataloader.batch_size is 1, .* at least 2',
        ),
        (
            loader(4),
            loader(5, batch_size=2),
            'last batch of privacy_dataloader holds 1 of 5 samples.*drop_last=True',
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


LONG = [dict(phase='reconstruction', epochs=1), dict(phase='adversaries', epochs=2)]


@pytest.mark.parametrize('hooks', [(), (MinimaxPhaseHook(LONG), MinimaxPhaseHook(LONG))])
def test_a_run_without_a_schedule_or_with_two_is_refused(hooks):
    with pytest.raises(ValueError, match=rf'has {len(hooks)}; .*\[\*_base_.custom_hooks, '):
        build_loop(loader(4), None, hooks, max_epochs=3)


def test_the_schedule_says_how_long_the_run_is():
    hook = MinimaxPhaseHook(LONG)
    assert build_loop(loader(4), None, [hook]).max_epochs == 3
    assert build_loop(loader(4), None, [hook], max_epochs=3).max_epochs == 3


@pytest.mark.parametrize('max_epochs', [2, 4])
def test_another_length_than_the_schedule_is_refused(max_epochs):
    message = f'covers 3 epochs, but train_cfg.max_epochs is {max_epochs}.*allow_partial=True'
    with pytest.raises(ValueError, match=message):
        build_loop(loader(4), None, [MinimaxPhaseHook(LONG)], max_epochs=max_epochs)


def test_a_part_of_the_schedule_is_run_if_it_is_meant():
    hook = MinimaxPhaseHook(LONG, allow_partial=True)
    assert build_loop(loader(4), None, [hook], max_epochs=2).max_epochs == 2
    with pytest.raises(ValueError, match='max_epochs is 4'):
        build_loop(loader(4), None, [hook], max_epochs=4)


def test_the_privacy_loader_stands_beside_the_action_loader():
    privacy = loader(4)
    top = dict(privacy_dataloader=privacy)
    loop = build_loop(loader(4), 'top level', cfg=top, max_epochs=1)
    assert loop.dataloader.loaders['privacy'] is privacy
    for cfg in ({}, dict(privacy_dataloader=None)):
        assert list(build_loop(loader(4), 'top level', cfg=cfg).dataloader.loaders) == ['action']
    # As configs of before have it.
    assert build_loop(loader(4), privacy).dataloader.loaders['privacy'] is privacy
    cfg = dict(privacy_dataloader=privacy)
    assert build_loop(loader(4), privacy, cfg=cfg).dataloader.loaders['privacy'] is privacy


@pytest.mark.parametrize('inner, top', [(None, loader(4)), (loader(4), None), (1, 2)])
def test_two_privacy_loaders_are_refused(inner, top):
    message = 'are both given and differ; keep privacy_dataloader, beside'
    with pytest.raises(ValueError, match=message):
        build_loop(loader(4), inner, cfg=dict(privacy_dataloader=top), max_epochs=1)


def test_settings_without_effect_are_refused():
    with pytest.raises(ValueError, match="epoch_length='shortest' compares"):
        build_loop(loader(4), None, epoch_length='shortest')
    cfg = dict(model=dict(view_distance=(3, 7)))
    with pytest.raises(ValueError, match='model.view_distance is for views from the clips'):
        build_loop(loader(4), loader(4), cfg=cfg)
    assert list(build_loop(loader(4), None, cfg=cfg).dataloader.loaders) == ['action']
