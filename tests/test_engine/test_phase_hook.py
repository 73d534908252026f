from types import SimpleNamespace

import pytest

from spact_mm.engine.phase_hook import MinimaxPhaseHook, parse_schedule
from spact_mm.models import MinimaxAnonymization

SCHEDULE = [
    dict(phase='reconstruction', epochs=2),
    dict(phase='adversaries', epochs=1),
    dict(phase=('anonymizer', 'adversaries'), epochs=3),
]


def test_phase_is_a_function_of_epoch_and_iteration():
    hook = MinimaxPhaseHook(SCHEDULE)
    assert [hook.phase_at(epoch, 0, 4) for epoch in range(4)] == [
        'reconstruction',
        'reconstruction',
        'adversaries',
        'anonymizer',
    ]
    assert [hook.phase_at(5, i, 4) for i in range(4)] == ['anonymizer', 'adversaries'] * 2


def test_stages_without_epochs_are_left_out():
    hook = MinimaxPhaseHook([dict(phase='reconstruction', epochs=0), *SCHEDULE[1:]])
    assert [(s.begin, s.end) for s in hook.stages] == [(0, 1), (1, 4)]
    assert [(s.name, s.end) for s in hook.all_stages][0] == ('reconstruction', 0)


@pytest.mark.parametrize(
    'entry, message',
    [
        (dict(phase=(), epochs=1), 'has no phase'),
        (dict(phase='anonymizer'), r'write dict\(phase=..., epochs=...\)'),
        (dict(phase='anonymizer', epochs=-1), 'epochs=-1; use a whole number'),
        (dict(phase='anonymizer', epochs=1.5), r'epochs=1\.5; use a whole number'),
    ],
)
def test_wrong_schedules_are_refused(entry, message):
    with pytest.raises(ValueError, match=message):
        MinimaxPhaseHook([entry])


@pytest.mark.parametrize('length', [1, 3, 5])
def test_turns_go_on_over_epochs(length):
    """In epochs of an odd number of iterations, and of one, each phase has half of them."""
    schedule = [SCHEDULE[1], dict(phase=('anonymizer', 'adversaries'), epochs=4)]
    hook = MinimaxPhaseHook(schedule)
    phases = [hook.phase_at(epoch, i, length) for epoch in range(1, 5) for i in range(length)]
    assert phases == ['anonymizer', 'adversaries'] * (2 * length)


def test_all_players_have_turns_where_an_epoch_is_one_batch():
    model = Model(0, 8)
    hook = MinimaxPhaseHook([dict(phase=('anonymizer', 'adversaries'), epochs=4)])
    for epoch in range(4):
        state = runner(model, epoch)
        state.train_dataloader = Loader([{}])
        hook.before_train_iter(state, 0)
    assert model.set == ['anonymizer', 'adversaries'] * 2


def test_turns_in_epochs_of_an_even_number_are_those_of_the_iteration_in_the_epoch():
    hook = MinimaxPhaseHook([dict(phase=('anonymizer', 'adversaries'), epochs=5)])
    for epoch in range(5):
        assert [hook.phase_at(epoch, i, 6) for i in range(6)] == ['anonymizer', 'adversaries'] * 3


def test_stages_have_names():
    stages = parse_schedule([*SCHEDULE, dict(SCHEDULE[1], name='cooldown')])
    assert [s.name for s in stages] == ['reconstruction', 'warmup', 'minimax', 'cooldown']


@pytest.mark.parametrize(
    'schedule, message',
    [
        ([dict(SCHEDULE[0], name='minimax'), SCHEDULE[2]], "calls two stages 'minimax'"),
        ([dict(SCHEDULE[0], name='a b')], "names a stage 'a b'; use letters"),
        ([dict(SCHEDULE[0], epochs=0)], 'has no epochs'),
        ([], 'has no epochs'),
    ],
)
def test_wrong_names_and_empty_schedules_are_refused(schedule, message):
    with pytest.raises(ValueError, match=message):
        MinimaxPhaseHook(schedule)


def test_a_loop_that_does_not_follow_the_schedule_is_refused():
    with pytest.raises(ValueError, match=r"set train_cfg.type='MinimaxTrainLoop'"):
        MinimaxPhaseHook(SCHEDULE).before_train(SimpleNamespace(train_loop=object()))


def test_a_checkpoint_of_another_schedule_is_not_resumed():
    """MMEngine's schedulers would keep to the epochs of that."""
    info = {}
    hub = SimpleNamespace(runtime_info=info, update_info=info.__setitem__)
    loop = SimpleNamespace(seed_epoch=None)
    state = SimpleNamespace(train_loop=loop, message_hub=hub)
    for _ in range(2):
        MinimaxPhaseHook(SCHEDULE).before_train(state)
    message = 'warmup 2 to 3, minimax 3 to 6 instead of reconstruction 0 to 2, .*by load_from'
    with pytest.raises(ValueError, match=message):
        MinimaxPhaseHook([*SCHEDULE[:2], dict(SCHEDULE[2], epochs=2)]).before_train(state)


class Model:
    phases = MinimaxAnonymization.phases

    def __init__(self, l1, correct):
        self.l1, self.correct, self.set = l1, correct, []

    def measure_readiness(self, data):
        return dict(l1=self.l1 * 10, frames=10, correct=self.correct, clips=8, classes=4.0)

    def set_phase(self, phase):
        self.set.append(phase)


class Loader(list):
    batch_size = 8


@pytest.mark.parametrize('phase', ['minimax', ('anonymizer', 'foo')])
def test_phases_that_the_model_does_not_have_are_refused(phase):
    hook = MinimaxPhaseHook([dict(phase=phase, epochs=1)])
    wrong = phase if isinstance(phase, str) else 'foo'
    with pytest.raises(ValueError, match=f"names the phase '{wrong}', which Model does not have"):
        hook.check_phases(Model(0.0, 8))


def runner(model, epoch, scalars=()):
    messages = []
    return SimpleNamespace(
        model=model,
        epoch=epoch,
        train_dataloader=Loader([{}] * 100),
        train_loop=SimpleNamespace(seed_epoch=lambda: messages.append('seeded')),
        logger=SimpleNamespace(info=messages.append),
        message_hub=SimpleNamespace(log_scalars=dict(scalars), update_info=lambda *_: None),
        messages=messages,
    )


@pytest.mark.parametrize(
    'l1, correct, message',
    [
        (0.05, 8, r'reconstruction L1 of the anonymizer is 0\.0500.*force=True'),
        (0.01, 2, r'Top-1 of 0\.2500 .* chance \(0\.2500\)'),
    ],
)
def test_minimax_without_hope_is_refused(l1, correct, message):
    hook = MinimaxPhaseHook(SCHEDULE)
    with pytest.raises(ValueError, match=message):
        hook.before_train_epoch(runner(Model(l1, correct), epoch=3))


def test_minimax_starts_where_there_is_hope_or_force():
    ready = runner(Model(0.01, 6), epoch=3)
    MinimaxPhaseHook(SCHEDULE).before_train_epoch(ready)
    assert 'L1 0.0100' in ready.messages[-1] and 'Top-1 0.7500' in ready.messages[-1]
    assert ready.messages.count('seeded') == 1
    MinimaxPhaseHook(SCHEDULE, force=True).before_train_epoch(runner(Model(0.5, 0), epoch=3))


def test_check_is_made_at_the_start_of_stages_only():
    hook = MinimaxPhaseHook(SCHEDULE)
    for epoch in (0, 1, 4, 5):
        hook.before_train_epoch(runner(Model(0.5, 0), epoch))


def test_an_anonymizer_without_hope_is_refused_when_its_reconstruction_is_over():
    MinimaxPhaseHook(SCHEDULE).before_train_epoch(runner(Model(0.01, 0), epoch=2))
    with pytest.raises(ValueError, match=r'reconstruction L1 .* is 0\.0500'):
        MinimaxPhaseHook(SCHEDULE).before_train_epoch(runner(Model(0.05, 8), epoch=2))
    # Nothing is to come that would need it.
    MinimaxPhaseHook(SCHEDULE[:2]).before_train_epoch(runner(Model(0.05, 8), epoch=2))


def test_running_means_of_phases_that_are_over_are_dropped():
    scalars = {'train/reconstruction/loss_l1': 1, 'train/adversaries/loss': 2, 'train/lr': 3}
    state = runner(Model(0, 8), 2, scalars)
    MinimaxPhaseHook(SCHEDULE).before_train_epoch(state)
    assert list(state.message_hub.log_scalars) == ['train/adversaries/loss', 'train/lr']
    assert state.messages[0] == 'Phase: adversaries (epochs 3 to 3)'


def test_each_iteration_sets_the_phase_of_the_model():
    model, hook = Model(0, 8), MinimaxPhaseHook(SCHEDULE)
    state = runner(model, epoch=4)
    for index in range(3):
        hook.before_train_iter(state, index)
    assert model.set == ['anonymizer', 'adversaries', 'anonymizer']
