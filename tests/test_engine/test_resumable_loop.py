import random
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from e2e import differences, load, log_of, resumable
from mmengine.optim import OptimWrapper, OptimWrapperDict
from torch.utils.data import BatchSampler, DataLoader, SequentialSampler
from toy import BATCH, BATCHES, Stop, make_runner, train

from spact_mm.engine.late_start import iterate_from
from spact_mm.engine.paired_dataloader import PairedDataLoader
from spact_mm.engine.training_state import capture_state, restore_state

ITERATIONS = dict(by_epoch=False, interval=1, max_keep_ckpts=3)
LAST = f'iter_{3 * BATCHES}.pth'


def curves_of(runner):
    return runner.message_hub.get_info('curves')


@pytest.fixture(scope='module', params=[0, 2])
def whole(request, tmp_path_factory):
    """Return an uninterrupted run: its workers, last checkpoint and curves."""
    folder = tmp_path_factory.mktemp('whole')
    loader = dict(num_workers=request.param, persistent_workers=request.param > 0)
    runner = train(folder, hook=ITERATIONS, loader=loader)
    return SimpleNamespace(loader=loader, last=load(folder / LAST), curves=curves_of(runner))


@pytest.mark.slow
@pytest.mark.parametrize('stops', [1, 3, BATCHES, BATCHES + 1, 3 * BATCHES - 1])
def test_a_run_stopped_in_mid_epoch_ends_as_the_uninterrupted_one(whole, tmp_path, stops):
    train(tmp_path, stops, hook=ITERATIONS, loader=whole.loader)
    runner = train(tmp_path, hook=ITERATIONS, loader=whole.loader, resume=True)
    assert f'resumed epoch: {(stops - 1) // BATCHES}, iter: {stops}' in log_of(tmp_path)
    assert differences(resumable(whole.last), resumable(load(tmp_path / LAST))) == []
    # The means of the whole epoch, not of what was left of it.
    assert curves_of(runner) == whole.curves and len(whole.curves['train']['loss']) == 3
    if whole.loader['num_workers'] == 0:
        loaded = runner.train_dataloader.dataset.dataset.loaded
        assert len(loaded) == (3 * BATCHES - stops) * BATCH


@pytest.mark.slow
def test_a_checkpoint_between_two_intervals_replays_what_came_after_it(whole, tmp_path):
    settings = dict(hook=dict(ITERATIONS, interval=4), loader=whole.loader)
    train(tmp_path, 7, **settings)
    assert (tmp_path / 'iter_4.pth').exists() and not (tmp_path / 'iter_7.pth').exists()
    train(tmp_path, resume=True, **settings)
    assert differences(resumable(whole.last), resumable(load(tmp_path / LAST))) == []


def test_gradients_that_wait_for_their_update_are_kept(tmp_path):
    settings = dict(hook=ITERATIONS, optim=dict(accumulative_counts=3), epochs=2)
    train(tmp_path / 'whole', **settings)
    train(tmp_path / 'parts', 4, **settings)
    assert len(load(tmp_path / 'parts/iter_4.pth')['mid_epoch']['states'][0]['optimizers']) == 1
    train(tmp_path / 'parts', resume=True, **settings)
    expected, actual = (load(tmp_path / name / 'iter_10.pth') for name in ('whole', 'parts'))
    assert differences(resumable(expected), resumable(actual)) == []


def test_with_another_batch_size_a_run_goes_on_at_the_same_part_of_the_epoch(tmp_path):
    train(tmp_path, 8, hook=ITERATIONS)
    runner = train(tmp_path, hook=ITERATIONS, loader=dict(batch_size=2), resume=True)
    # Three of five batches became six of ten.
    assert 'with another batch size, data set or number of processes' in log_of(tmp_path)
    assert 'at batch 6 of 10, not bit for bit' in log_of(tmp_path)
    assert len(runner.train_dataloader.dataset.dataset.loaded) == 2 * (4 + 10)
    assert load(tmp_path / 'iter_30.pth')['meta']['epoch'] == 2
    assert runner.epoch == 3 and runner.iter == 30


def test_checkpoints_by_iteration_of_mmengine_go_on_at_their_batch(tmp_path):
    train(tmp_path, 3, hook=dict(ITERATIONS, type='CheckpointHook'))
    path = str(tmp_path / 'iter_3.pth')
    runner = train(tmp_path, hook=ITERATIONS, resume=True, load_from=path)
    assert 'without the states of its random generators' in log_of(tmp_path)
    assert len(runner.train_dataloader.dataset.dataset.loaded) == BATCH * (3 * BATCHES - 3)


@pytest.mark.slow
@pytest.mark.parametrize('epochs', [1, 2])
def test_epochs_of_another_length_are_no_position_in_an_epoch(tmp_path, epochs):
    train(tmp_path, epochs=epochs, loader=dict(batch_size=5))
    runner = train(tmp_path, resume=True)
    assert len(runner.train_dataloader.dataset.dataset.loaded) == BATCH * BATCHES * (3 - epochs)
    assert runner.iter == 3 * BATCHES


def test_a_loop_that_cannot_go_on_in_mid_epoch_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"set train_cfg.type='ResumableTrainLoop'"):
        train(tmp_path / 'a', hook=ITERATIONS, loop='EpochBasedTrainLoop')
    train(tmp_path / 'b', 3, hook=ITERATIONS)
    with pytest.raises(ValueError, match=r"iter_3.pth was written .*type='ResumableTrainLoop'"):
        train(
            tmp_path / 'b', loop='EpochBasedTrainLoop', resume=True,
            load_from=str(tmp_path / 'b/iter_3.pth'),
        )  # fmt: skip


def test_an_error_in_an_iteration_is_not_swallowed(tmp_path):
    runner = make_runner(tmp_path)
    runner.train_loop.run_iter = lambda *_: (_ for _ in ()).throw(Stop())
    with pytest.raises(Stop):
        runner.train()


# ---- loaders -------------------------------------------------------------------------------------
class Recorded(torch.utils.data.Dataset):
    def __init__(self, count):
        self.count, self.loaded = count, []

    def __len__(self):
        return self.count

    def __getitem__(self, index):
        self.loaded.append(index)
        return index


@pytest.mark.parametrize('first', [0, 1, 3, 4])
@pytest.mark.parametrize('workers', [0, 1])
def test_a_late_start_yields_the_rest_and_the_next_pass_is_whole(first, workers):
    settings = dict(num_workers=workers, persistent_workers=workers > 0)
    loader = DataLoader(Recorded(10), batch_size=3, **settings)
    expected = [batch.tolist() for batch in loader]
    assert [batch.tolist() for batch in iterate_from(loader, first)] == expected[first:]
    iterate_from(loader, first)  # and not begun
    assert [batch.tolist() for batch in iterate_from(loader, 0)] == expected


def test_a_late_start_loads_nothing_that_came_before():
    loader = DataLoader(Recorded(10), batch_size=3)
    list(iterate_from(loader, 2))
    assert loader.dataset.loaded == [6, 7, 8, 9]


def test_a_batch_sampler_of_its_own_kind_is_run_through():
    class Odd(BatchSampler):
        def __iter__(self):
            yield from [[0], [1, 2], [3, 4, 5]]

    loader = DataLoader(Recorded(6), batch_sampler=Odd(SequentialSampler(range(6)), 2, False))
    assert [batch.tolist() for batch in iterate_from(loader, 1)] == [[1, 2], [3, 4, 5]]


@pytest.mark.parametrize('first', range(8))
@pytest.mark.parametrize('length', ['action', 'shortest'])
def test_paired_loaders_go_on_where_they_were(first, length):
    def make():
        loaders = []
        for count in (14, 6):
            data = Recorded(count)
            sampler = SeededSampler(count)
            loaders.append(DataLoader(data, batch_size=2, sampler=sampler))
        paired = PairedDataLoader(*loaders, epoch_length=length)
        paired.set_epoch(2, seed=5)
        return paired

    expected = [{key: value.tolist() for key, value in batch.items()} for batch in make()]
    late = make()
    rest = [{k: v.tolist() for k, v in batch.items()} for batch in late.iterate_from(first)]
    assert rest == expected[first:]
    if rest and length == 'action':
        assert len(late.loaders['privacy'].dataset.loaded) == 2 * len(rest)


class SeededSampler:
    def __init__(self, count):
        self.count, self.seed, self.epoch = count, 0, 0

    def set_epoch(self, epoch):
        self.epoch = epoch

    def __len__(self):
        return self.count

    def __iter__(self):
        yield from np.random.default_rng([self.seed, self.epoch]).permutation(self.count).tolist()


# ---- states --------------------------------------------------------------------------------------
def test_states_bring_back_generators_gradients_and_counts():
    layers = dict(a=torch.nn.Linear(2, 1), b=torch.nn.Linear(2, 1))
    wrappers = {
        name: OptimWrapper(torch.optim.SGD(layer.parameters(), lr=1.0), accumulative_counts=2)
        for name, layer in layers.items()
    }
    runner = SimpleNamespace(optim_wrapper=OptimWrapperDict(**wrappers), model=layers['a'])
    wrappers['a'].update_params(layers['a'](torch.ones(1, 2)).sum())
    state = capture_state(runner)
    drawn = [random.random(), np.random.rand(), torch.rand(1).item()]
    gradient = layers['a'].weight.grad.clone()
    layers['a'].weight.grad.zero_()
    wrappers['b'].update_params(layers['b'](torch.ones(1, 2)).sum())
    wrappers['a']._inner_count = 7
    restore_state(runner, state)
    assert [random.random(), np.random.rand(), torch.rand(1).item()] == drawn
    assert torch.equal(layers['a'].weight.grad, gradient) and gradient.abs().sum() > 0
    assert [wrapper._inner_count for wrapper in wrappers.values()] == [1, 0]
