from itertools import count
from types import SimpleNamespace

import pytest
import torch
from e2e import build_runner, differences, load, log_of, workerless, write_config
from mmengine.hooks import Hook
from mmengine.model import BaseModel
from mmengine.optim import OptimWrapper, OptimWrapperDict
from mmengine.runner import Runner

from spact_mm.engine import MinimaxPhaseHook
from spact_mm.engine.accumulation import begin_accumulation, check_accumulation
from spact_mm.models import MinimaxAnonymization

SCHEDULE = [
    dict(phase='reconstruction', epochs=1),
    dict(phase=('anonymizer', 'adversaries'), epochs=2),
]
_NUMBERS = count()
PLAYERS = ('anonymizer', 'recognizer', 'privacy_branch')


def fake_runner(length, counts, schedule=SCHEDULE):
    """Return a runner whose players are one number each."""
    weights = {name: torch.nn.Parameter(torch.zeros(1)) for name in PLAYERS}
    wrappers = {
        name: OptimWrapper(torch.optim.SGD([weight], lr=1.0), accumulative_counts=count)
        for (name, weight), count in zip(weights.items(), counts, strict=True)
    }
    return SimpleNamespace(
        optim_wrapper=OptimWrapperDict(**wrappers),
        weights=weights,
        hooks=[MinimaxPhaseHook(schedule)],
        train_dataloader=range(length),
        epoch=0,
        message_hub=None,
        model=MinimaxAnonymization,
    )


def run_epoch(runner, gradients):
    """Return the weights after each iteration; the loss of iteration i has the gradient i."""
    begin_accumulation(runner)
    hook, after = runner.hooks[0], []
    for index, gradient in enumerate(gradients):
        phase = hook.phase_at(runner.epoch, index, len(gradients))
        for name in ('recognizer', 'privacy_branch') if phase == 'adversaries' else ('anonymizer',):
            loss = runner.weights[name].sum() * gradient
            runner.optim_wrapper[name].update_params(loss)
        after.append([-runner.weights[name].item() for name in PLAYERS])
    runner.epoch += 1
    return after


def test_each_player_accumulates_over_its_own_turns():
    """And what remains at the epoch's end is an update by the mean of what remains."""
    runner = fake_runner(7, (2, 3, 1))
    after = run_epoch(runner, [1, 3, 10, 20, 100, 300, 7])
    # Reconstruction: three pairs, and the last alone.
    assert [a[0] for a in after] == pytest.approx([0, 2, 2, 17, 17, 217, 224])
    assert after[-1][1:] == [0, 0]
    after = run_epoch(runner, [1, 2, 3, 4, 5, 6, 8])
    # f_A has 1, 3, 5 and 8; the adversaries 2, 4 and 6.
    assert [a[0] - 224 for a in after] == pytest.approx([0, 0, 2, 2, 2, 2, 8.5])
    assert [a[1] for a in after] == pytest.approx([0, 0, 0, 0, 0, 4, 4])
    assert [a[2] for a in after] == pytest.approx([0, 2, 2, 6, 6, 12, 12])


def test_four_batches_each_train_all_players():
    """With a count over all batches, the adversaries had none of theirs."""
    runner = fake_runner(10, (4, 4, 4))
    run_epoch(runner, [1] * 10)
    before = [-runner.weights[name].item() for name in PLAYERS]
    run_epoch(runner, [1] * 10)
    after = [-runner.weights[name].item() for name in PLAYERS]
    # Five turns each: four batches, then the one that remains.
    assert [a - b for a, b in zip(after, before, strict=True)] == [2, 2, 2]


def test_an_epoch_starts_without_what_another_left():
    runner = fake_runner(4, (2, 2, 2))
    wrapper, weight = runner.optim_wrapper['anonymizer'], runner.weights['anonymizer']
    wrapper.update_params(weight.sum() * 1000)
    assert weight.grad is not None
    assert run_epoch(runner, [1, 1, 1, 1])[-1][0] == 2


@pytest.mark.parametrize(
    ('length', 'counts', 'message'),
    [
        (3, (4, 1, 1), r'optim_wrapper\.anonymizer is 4, but in epoch 1 only 3 of 3 iterations'),
        (7, (1, 4, 1), r'optim_wrapper\.recognizer is 4, but in epoch 2 only 3 of 7 .* to 3 or'),
        (7, (1, 1, 5), r'optim_wrapper\.privacy_branch is 5, .* smaller train_dataloader\.batch'),
        # Turns go on over epochs: f_A has the second half of the third epoch.
        (3, (2, 2, 1), r'optim_wrapper\.recognizer is 2, but in epoch 2 only 1 of 3'),
    ],
)
def test_more_batches_than_a_player_has_turns_are_refused(length, counts, message):
    with pytest.raises(ValueError, match=message):
        check_accumulation(fake_runner(length, counts))


def test_what_fits_is_accepted():
    check_accumulation(fake_runner(7, (3, 3, 3)))
    check_accumulation(fake_runner(1, (1, 1, 1)))
    # No turn at all is none of accumulation's business.
    check_accumulation(fake_runner(4, (4, 9, 9), SCHEDULE[:1]))


def test_accumulation_without_a_schedule_is_refused():
    runner = fake_runner(4, (2, 1, 1))
    runner.hooks = []
    with pytest.raises(ValueError, match='needs one MinimaxPhaseHook, but custom_hooks has 0'):
        check_accumulation(runner)


def test_an_epoch_that_goes_on_in_its_middle_counts_the_turns_before():
    runner = fake_runner(7, (2, 3, 1))
    runner.epoch = 1
    begin_accumulation(runner, done=4)
    wrappers = runner.optim_wrapper
    assert [w.inner_count for w in wrappers.values()] == [2, 2, 2]
    assert [w._max_counts for w in wrappers.values()] == [4, 3, 3]


class Plain(BaseModel):
    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(2))

    def forward(self, inputs, mode='loss'):
        return dict(loss=(self.weight * inputs).square().mean())


class Points(torch.utils.data.Dataset):
    def __len__(self):
        return 5

    def __getitem__(self, index):
        return dict(inputs=torch.tensor([index + 1.0, 2.0]))


def train_plain(work_dir, epochs, counts=3, **settings):
    runner = Runner(
        model=Plain(),
        work_dir=str(work_dir),
        train_dataloader=dict(
            dataset=Points(),
            batch_size=1,
            sampler=dict(type='DefaultSampler', shuffle=False),
            collate_fn=dict(type='default_collate'),
        ),
        train_cfg=dict(by_epoch=True, max_epochs=epochs),
        optim_wrapper=dict(optimizer=dict(type='Adam', lr=0.01), accumulative_counts=counts),
        default_hooks=dict(
            accumulation=dict(type='GradientAccumulationHook'),
            checkpoint=dict(type='PlainCheckpointHook', interval=1),
        ),
        default_scope='mmaction',
        experiment_name=f'accumulation_{next(_NUMBERS)}',
        **settings,
    )
    runner.train()
    return runner


def test_other_trainings_keep_what_the_end_of_an_epoch_cuts(tmp_path):
    """Three batches of five and one of the next epoch make two updates."""
    train_plain(tmp_path / 'whole', 2)
    train_plain(tmp_path / 'resumed', 2, load_from=str(tmp_path / 'whole/epoch_1.pth'), resume=True)
    first, *ends = (load(tmp_path / name) for name in (
        'whole/epoch_1.pth', 'whole/epoch_2.pth', 'resumed/epoch_2.pth'
    ))  # fmt: skip
    assert first['accumulated']['count'] == 5 and 'accumulated' not in ends[0]
    for part in ('state_dict', 'optimizer'):
        assert differences(ends[0][part], ends[1][part]) == []


def test_sums_of_another_count_are_dropped_with_a_warning(tmp_path):
    train_plain(tmp_path / 'three', 2)
    checkpoint = str(tmp_path / 'three' / 'epoch_1.pth')
    train_plain(tmp_path / 'two', 2, counts=2, load_from=checkpoint, resume=True)
    expected = 'was 3 and is 2: the gradients of 2 batches in the checkpoint are dropped'
    assert expected in log_of(tmp_path / 'two')


class Steps(Hook):
    """Count the updates of each player."""

    def before_train(self, runner):
        self.counts = dict.fromkeys(PLAYERS, 0)
        for name, wrapper in runner.optim_wrapper.items():
            wrapper.optimizer.register_step_post_hook(lambda *_, name=name: self.count(name))

    def count(self, name):
        self.counts[name] += 1


@pytest.fixture(scope='module')
def config(tmp_path_factory, tiny_data):
    return write_config(
        tmp_path_factory.mktemp('accumulation'),
        tiny_data,
        SCHEDULE,
        **workerless(
            val_dataloader=None,
            val_evaluator=None,
            val_cfg=None,
            optim_wrapper=dict(accumulative_counts=3),
        ),
    )


def train(config, work_dir, **changes):
    runner = build_runner(config, work_dir, **changes)
    steps = Steps()
    runner.register_hook(steps)
    runner.train()
    return steps.counts


@pytest.mark.slow
def test_a_whole_run_updates_all_players(config, tmp_path):
    counts = train(config, tmp_path / 'whole')
    # Seven iterations, of which 3 + 3 + 1 are updates of f_A; then 3 or 4 turns an epoch each.
    assert counts == dict(anonymizer=3 + 2 + 1, recognizer=1 + 2, privacy_branch=1 + 2)
    stopped = tmp_path / 'resumed'
    stopped.mkdir()
    (stopped / 'epoch_2.pth').write_bytes((tmp_path / 'whole' / 'epoch_2.pth').read_bytes())
    train(config, stopped, resume=True, load_from=str(stopped / 'epoch_2.pth'))
    expected, found = (load(tmp_path / name / 'epoch_3.pth') for name in ('whole', 'resumed'))
    for part in ('state_dict', 'optimizer'):
        assert differences(expected[part], found[part]) == []


@pytest.mark.slow
def test_a_run_that_would_train_nothing_is_refused_before_it_begins(config, tmp_path):
    with pytest.raises(ValueError, match='only 4 of 7 iterations update it'):
        train(config, tmp_path, **{'optim_wrapper.anonymizer.accumulative_counts': 7})
