import pytest
import torch
from mmengine.registry import PARAM_SCHEDULERS

from spact_mm.engine.phase_hook import parse_schedule
from spact_mm.engine.stage_schedulers import resolve_stages

LENGTH = 6
ITERATIONS = dict(by_epoch=True, convert_to_iter_based=True)


def stages(reconstruction=4, warmup=4, minimax=10):
    phases = ('reconstruction', 'adversaries', ('anonymizer', 'adversaries'))
    epochs = (reconstruction, warmup, minimax)
    return parse_schedule(
        [dict(phase=phase, epochs=n) for phase, n in zip(phases, epochs, strict=True)]
    )


def resolve(schedulers, **epochs):
    return resolve_stages(schedulers, stages(**epochs), LENGTH)


def span(begin, end, **epochs):
    scheduler = dict(type='ExponentialLR', gamma=0.9, begin=begin, end=end)
    ((resolved,)) = resolve([scheduler], **epochs)
    return resolved['begin'], resolved['end']


@pytest.mark.parametrize(
    'begin, end, numbers',
    [
        ('reconstruction', 'reconstruction.end', (0, 4)),
        ('warmup', 'minimax', (4, 8)),
        ('warmup+2', 'warmup.end', (6, 8)),
        ('minimax + 1', 'minimax.end', (9, 18)),
        ('minimax', 'minimax+2.5', (8, 10.5)),
        (0, 8, (0, 8)),
    ],
)
def test_names_of_stages_become_epochs(begin, end, numbers):
    assert span(begin, end) == numbers


def test_schedulers_move_with_the_stages():
    assert span('minimax', 'minimax.end', reconstruction=1, warmup=2, minimax=3) == (3, 6)
    ((scheduler,)) = resolve([dict(type='MultiStepLR', milestones=['minimax'])], reconstruction=1)
    assert scheduler == dict(type='MultiStepLR', milestones=[5], end=15)


def test_an_offset_that_the_stage_has_no_epochs_for_is_half_way():
    for reconstruction, numbers in ((4, (1, 4)), (1, (0.5, 1))):
        scheduler = dict(
            type='CosineAnnealingLR', begin='reconstruction+1', end='reconstruction.end'
        )
        (resolved,) = resolve([dict(scheduler, **ITERATIONS)], reconstruction=reconstruction)
        assert (resolved['begin'], resolved['end']) == numbers
    # Whole epochs where the scheduler steps by epochs.
    ramp = dict(type='LinearLR', end='reconstruction+5')
    assert resolve([ramp], reconstruction=5)[0]['end'] == 2
    # A milestone that is not reached in the stage is at its end.
    step = dict(type='MultiStepLR', milestones=['minimax+8'])
    assert resolve([step], minimax=5)[0]['milestones'] == [13]


def test_milestones_by_name_count_from_the_first_epoch():
    step = dict(type='MultiStepLR', milestones=['minimax', 'minimax+3'], begin='warmup')
    assert resolve([step])[0]['milestones'] == [4, 7]


def test_ramps_without_steps_are_left_out():
    ramp = dict(type='LinearLR', start_factor=0.1, begin='reconstruction', end='reconstruction+1')
    assert resolve(dict(anonymizer=[dict(ramp, **ITERATIONS)]), reconstruction=0) == dict(
        anonymizer=[]
    )
    # MMEngine would leave a tenth of the rate for good.
    assert resolve([ramp]) == []


def test_schedulers_of_a_last_stage_without_epochs_are_left_out():
    cosine = dict(type='CosineAnnealingLR', begin='minimax+1', end='minimax.end')
    step = dict(type='MultiStepLR', milestones=['minimax'])
    assert resolve([cosine, step], minimax=0) == [dict(step, milestones=[8], end=8)]
    # After the warm-up the minimax goes on with what its scheduler leaves.
    with pytest.raises(ValueError, match='has 0 steps, from epoch 4 to 4'):
        resolve([dict(cosine, begin='warmup+1', end='warmup.end')], warmup=0)


def test_without_end_a_scheduler_ends_with_the_schedule():
    assert resolve([dict(type='CosineAnnealingLR')])[0]['end'] == 18
    assert resolve([dict(type='LinearLR', by_epoch=False)])[0]['end'] == 18 * LENGTH
    assert resolve(None) is None


def test_the_config_is_not_changed():
    schedulers = dict(anonymizer=[dict(type='MultiStepLR', milestones=['minimax'])])
    resolve(schedulers)
    assert schedulers == dict(anonymizer=[dict(type='MultiStepLR', milestones=['minimax'])])


@pytest.mark.parametrize(
    'scheduler, message',
    [
        (
            dict(type='MultiStepLR', milestones=[70]),
            r'^param_scheduler.anonymizer.0.milestones is 70, where no stage .*minimax is 8 to 18.*'
            r"'minimax\+62'",
        ),
        (dict(type='CosineAnnealingLR', end=20), r"0.end is 20, .*'minimax\+12'"),
        (dict(type='CosineAnnealingLR', begin=5), r"0.begin is 5, .*'warmup\+1'"),
        (dict(type='MultiStepLR', begin=4, milestones=[3]), r"milestones is 3, .*'warmup\+3'"),
        (dict(type='LinearLR', begin='main'), r"0.begin is 'main', but the stages .*'minimax'\]"),
        (dict(type='LinearLR', end='minimax-1'), "0.end is 'minimax-1', but the stages"),
        (dict(type='LinearLR', end='warmup.end+1'), 'after the end of a stage'),
        (dict(type='LinearLR', begin=4, end=4), r'\(LinearLR\) has 0 steps'),
        (
            dict(type='CosineAnnealingLR', begin='minimax', end='minimax+1'),
            r'has 1 steps, .*convert_to_iter_based=True',
        ),
        (
            dict(type='MultiStepLR', begin='minimax', milestones=['warmup']),
            "milestones has 'warmup', epoch 4, which is before its begin, 8",
        ),
        (dict(type='CosineAnnealingLR', end=4, T_max=10), 'T_max is 10, .* only 4 epochs'),
        (dict(type='LinearLR', by_epoch=False, end='minimax'), 'by_epoch=False counts iterations'),
        (dict(type='LinearLR', by_epoch=False, begin=108), 'begin is iteration 108, .* has 108'),
    ],
)
def test_what_fits_no_stage_is_refused(scheduler, message):
    with pytest.raises(ValueError, match=message):
        resolve(dict(anonymizer=[scheduler]))


def test_a_name_of_two_stages_is_refused():
    schedule = parse_schedule([dict(phase='adversaries', epochs=2)] * 2)
    with pytest.raises(ValueError, match="is 'warmup', and 2 stages are called so"):
        resolve_stages([dict(type='LinearLR', begin='warmup')], schedule, LENGTH)


def rates(schedulers, epochs, length=LENGTH):
    """Return the learning rate of each iteration, as MMEngine's hook steps the schedulers."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.5e-2)
    built = [
        PARAM_SCHEDULERS.build(
            scheduler, default_args=dict(optimizer=optimizer, epoch_length=length)
        )
        for scheduler in schedulers
    ]
    found = []
    for _ in range(epochs):
        for _ in range(length):
            found.append(optimizer.param_groups[0]['lr'])
            optimizer.step()
            [scheduler.step() for scheduler in built if not scheduler.by_epoch]
        [scheduler.step() for scheduler in built if scheduler.by_epoch]
    return found


#: Of the demo's f_A.
BY_NAME = [
    dict(type='LinearLR', start_factor=0.1, begin=0, end='reconstruction+1', **ITERATIONS),
    dict(
        type='CosineAnnealingLR',
        eta_min=2e-4,
        begin='reconstruction+1',
        end='reconstruction.end',
        **ITERATIONS,
    ),
    dict(type='MultiStepLR', milestones=['minimax'], gamma=20, by_epoch=True),
]


def test_rates_by_name_are_those_by_number():
    by_number = [
        dict(type='LinearLR', start_factor=0.1, begin=0, end=1, **ITERATIONS),
        dict(type='CosineAnnealingLR', eta_min=2e-4, begin=1, end=4, **ITERATIONS),
        dict(type='MultiStepLR', milestones=[8], gamma=20, by_epoch=True, end=18),
    ]
    assert rates(resolve(BY_NAME), 18) == rates(by_number, 18)


@pytest.mark.parametrize('reconstruction, warmup', [(4, 4), (2, 0), (3, 2), (8, 1)])
def test_the_minimax_begins_with_its_own_rate_wherever_it_begins(reconstruction, warmup):
    resolved = resolve_stages(BY_NAME, stages(reconstruction, warmup), 60)
    found = rates(resolved, 18, length=60)
    assert found[(reconstruction + warmup) * 60] == pytest.approx(4e-3, rel=0.1)
