"""What a checkpoint says of its anonymizer is believed where it speaks against it."""

import pytest
import torch

from spact_mm.apis import AnonymizeInferencer, publish
from spact_mm.apis.provenance import describe_training, find_flaw
from spact_mm.models.anonymizers import UNetAnonymizer

UNET = dict(type='UNetAnonymizer', base_channels=2, num_levels=2)
IDENTITY = dict(type='IdentityAnonymizer')
RECOLOR = dict(type='RecolorAnonymizer', seed=3)
NOISE = dict(type='NoiseAnonymizer', std=0.3)
SCHEDULE = [
    dict(phase='reconstruction', epochs=2),
    dict(phase='adversaries', epochs=3),
    dict(phase=('anonymizer', 'adversaries'), epochs=4),
]
INVERTER = dict(UNET, init_cfg=dict(type='Pretrained', checkpoint='a.pth', prefix='inverter.'))


def make(anonymizer=UNET, epoch=None, phase=None, schedule=SCHEDULE, extra='', place='anonymizer'):
    model = f"model = dict(type='MinimaxAnonymization', {place}={anonymizer})\n"
    hook = f"custom_hooks = [dict(type='MinimaxPhaseHook', schedule={schedule})]\n"
    network = UNetAnonymizer(2, 2)
    content = dict(
        state_dict={f'anonymizer.{k}': v for k, v in network.state_dict().items()},
        meta=dict(cfg=model + (hook if schedule else '') + extra),
        message_hub=dict(log_scalars={}, runtime_info={}, resumed_keys={}),
    )
    if epoch is not None:
        content['meta']['epoch'] = epoch
    if phase is not None:
        content['message_hub']['runtime_info']['phase'] = phase
    return content


@pytest.mark.parametrize(
    ('epoch', 'phase', 'schedule', 'expected'),
    [
        (1, 'reconstruction', SCHEDULE, 0),
        (5, 'adversaries', SCHEDULE, 0),
        (6, 'adversaries', SCHEDULE, 1),
        (9, 'adversaries', SCHEDULE, 4),
        (12, 'adversaries', SCHEDULE, 4),
        (3, None, SCHEDULE[2:], 3),
        (3, None, [dict(phase='anonymizer', epochs=9, name='x')], 3),
        # Without a schedule only the reconstruction tells for sure.
        (5, 'adversaries', None, None),
        (5, 'anonymizer', None, None),
        (5, 'reconstruction', None, 0),
        (None, None, SCHEDULE, None),
        (None, None, None, None),
        (5, None, [dict(phase=3, epochs='x')], None),
    ],
)
def test_epochs_of_the_minimax_are_counted(epoch, phase, schedule, expected):
    checkpoint = make(epoch=epoch, phase=phase, schedule=schedule)
    assert describe_training(checkpoint) == dict(phase=phase, minimax_epochs=expected)
    assert bool(find_flaw(checkpoint)) == (expected == 0)


@pytest.mark.parametrize('place', ['anonymizer', 'data_preprocessor'])
@pytest.mark.parametrize(
    ('anonymizer', 'flaw'),
    [
        (IDENTITY, 'ends in IdentityAnonymizer'),
        (dict(type='SequentialAnonymizer', stages=[IDENTITY]), 'ends in IdentityAnonymizer'),
        (dict(type='SequentialAnonymizer', stages=[UNET, IDENTITY]), 'ends in IdentityAnonymizer'),
        (
            dict(
                type='SequentialAnonymizer',
                stages=[dict(type='SequentialAnonymizer', stages=[IDENTITY])],
            ),
            'ends in IdentityAnonymizer',
        ),
        (dict(type='SequentialAnonymizer', stages=[UNET, INVERTER]), 'the inverter of a recons'),
        (dict(type='SequentialAnonymizer', stages=[IDENTITY, UNET]), ''),
        (RECOLOR, 'ends in RecolorAnonymizer, which only recolours and can'),
        (NOISE, 'ends in NoiseAnonymizer, which adds fresh noise'),
        (dict(type='SequentialAnonymizer', stages=[NOISE, IDENTITY, RECOLOR]), 'ends in Recolor'),
        (dict(type='SequentialAnonymizer', stages=[UNET, RECOLOR]), ''),
        (dict(type='SequentialAnonymizer', stages=[UNET, NOISE]), ''),
        (dict(type='SequentialAnonymizer', stages=[NOISE, dict(type='SequentialAnonymizer')]), ''),
        (dict(type='SequentialAnonymizer', stages=[]), ''),
        (dict(type='SequentialAnonymizer', stages=[NOISE, 3]), ''),
        (dict(type=['NoiseAnonymizer']), ''),
        (UNET, ''),
    ],
)
def test_ends_of_the_anonymizer_are_known(place, anonymizer, flaw):
    behind = dict(anonymizer=anonymizer) if place == 'data_preprocessor' else anonymizer
    checkpoint = make(behind, place=place, schedule=None)
    found = find_flaw(checkpoint)
    assert (flaw in found) and bool(found) == bool(flaw)
    # The same where the config is given.
    assert find_flaw(dict(state_dict={}), anonymizer) == found


def test_reconstruction_attack_is_no_anonymizer():
    checkpoint = make(schedule=None)
    checkpoint['meta']['cfg'] = f"model = dict(type='ReconstructionAttack', anonymizer={UNET})"
    assert 'of a reconstruction attack' in find_flaw(checkpoint)


@pytest.mark.parametrize(
    'checkpoint',
    [{}, dict(meta=None), dict(meta=[], message_hub=3), dict(meta=dict(cfg=3, spact=4, epoch='x')),
     dict(meta=dict(cfg='custom_hooks = 3')), dict(meta=dict(cfg='model = dict(anonymizer=[1])')),
     dict(meta=dict(spact=dict(phase=3, minimax_epochs='x')))],
)  # fmt: skip
def test_other_contents_say_nothing(checkpoint):
    assert describe_training(checkpoint) == dict(phase=None, minimax_epochs=None)
    assert find_flaw(checkpoint) == ''


def test_publishing_keeps_what_tells(tmp_path):
    torch.save(make(epoch=9, phase='adversaries'), tmp_path / 'a.pth')
    path = publish(str(tmp_path / 'a.pth'), tmp_path / 'fa.pth', part='anonymizer')
    meta = torch.load(path, weights_only=True)['meta']
    assert meta['spact'] == dict(phase='adversaries', minimax_epochs=4)
    again = publish(str(path), tmp_path / 'again.pth')
    assert torch.load(again, weights_only=True)['meta'] == meta


@pytest.mark.parametrize(
    ('settings', 'flaw'),
    [
        (dict(epoch=2, phase='reconstruction'), 'before an epoch of the minimax was over'),
        (dict(epoch=5, phase='adversaries'), 'before an epoch of the minimax was over'),
        (dict(epoch=5, phase='reconstruction', schedule=None), r'\(in the phase reconstruction\)'),
        (dict(anonymizer=IDENTITY), 'ends in IdentityAnonymizer'),
        (dict(anonymizer=RECOLOR), 'ends in RecolorAnonymizer'),
        (dict(anonymizer=dict(type='SequentialAnonymizer', stages=[INVERTER])), 'the inverter'),
    ],
)
def test_what_says_that_it_is_none_is_neither_published_nor_used(tmp_path, settings, flaw):
    source = str(tmp_path / 'a.pth')
    torch.save(make(**settings), source)
    with pytest.raises(ValueError, match=f'a.pth is not published as an anonymizer: .*{flaw}'):
        publish(source, tmp_path / 'fa.pth', part='anonymizer')
    with pytest.raises(ValueError, match=f'a.pth is no anonymizer: .*{flaw}.*--force'):
        AnonymizeInferencer(weights=source, device='cpu')
    # The whole model may be published; what it is stays known.
    whole = str(publish(source, tmp_path / 'whole.pth'))
    with pytest.raises(ValueError, match='is no anonymizer'):
        AnonymizeInferencer(weights=whole, device='cpu')
