"""Noise that rises over a training."""

from types import SimpleNamespace

import pytest
import torch
from mmengine.runner import get_priority
from torch import nn

from spact_mm.engine import MinimaxPhaseHook, NoiseRampHook
from spact_mm.models import GaussianChannel

SCHEDULE = (
    dict(phase='adversaries', epochs=4, name='warmup'),
    dict(phase=('anonymizer', 'adversaries'), epochs=6),
)


def fake_runner(*hooks, epochs=10, batches=4):
    channel = GaussianChannel(dict(type='IdentityAnonymizer'), sigma_shared=0.1, sigma_frame=1e-6)
    model = nn.Sequential(nn.Sequential(channel))
    return SimpleNamespace(
        model=model, hooks=hooks, max_epochs=epochs, epoch=0, train_dataloader=range(batches)
    )


def scales(hook, runner):
    """Return the share of the noise in each iteration, through an epoch's begin."""
    channel, found = runner.model[0][0], []
    hook.before_train(runner)
    for epoch in range(runner.max_epochs):
        runner.epoch = epoch
        hook.before_val(runner)
        hook.before_train_epoch(runner)
        for index in range(len(runner.train_dataloader)):
            hook.before_train_iter(runner, index)
            found.append(channel.noise_scale)
    hook.after_train(runner)
    assert channel.noise_scale == 1
    return torch.tensor(found)


def test_noise_rises_from_epoch_to_epoch():
    found = scales(NoiseRampHook(low=0.2, begin=2, end=4), fake_runner())
    assert (found[:9] == 0.2).all() and (found[16:] == 1).all()
    torch.testing.assert_close(found[8:17], torch.linspace(0.2, 1, 9))


def test_it_moves_with_the_schedule():
    phases = MinimaxPhaseHook(SCHEDULE)
    hook = NoiseRampHook(low=0.0, begin='minimax', end='minimax+2')
    found = scales(hook, fake_runner(phases))
    assert (found[:17] == 0).all() and (found[24:] == 1).all() and 0 < found[18] < found[20] < 1
    # Before the phase hook, who measures whether f_T reads what it shall.
    assert get_priority(hook.priority) < get_priority(phases.priority)


def test_the_output_has_that_share_of_the_noise():
    runner = fake_runner()
    hook, channel = NoiseRampHook(low=0.5, begin=5, end=6), runner.model[0][0]
    hook.before_train(runner)
    hook.before_train_epoch(runner)
    clips = torch.full((64, 1, 3, 8, 8), 0.5)
    rate = channel.rate(clips)
    assert (channel(clips) - 0.5).std().item() == pytest.approx(0.05, rel=0.05)
    hook.before_val(runner)
    assert (channel(clips) - 0.5).std().item() == pytest.approx(0.1, rel=0.05)
    assert torch.equal(channel.rate(clips), rate)


@pytest.mark.parametrize(
    'settings, message',
    [
        (dict(begin=3, end=3), 'from epoch 3 to 3, but the run has 10'),
        (dict(begin=3, end=11), 'from epoch 3 to 11, but the run has 10'),
        (dict(begin='minimax'), "begin of NoiseRampHook is 'minimax', but the run has no stages"),
    ],
)
def test_a_ramp_that_cannot_be_is_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        NoiseRampHook(**settings).before_train(fake_runner())


def test_other_wrong_settings_are_refused():
    with pytest.raises(ValueError, match=r'low of NoiseRampHook must be in \[0, 1\)'):
        NoiseRampHook(low=1.0)
    with pytest.raises(ValueError, match="end of NoiseRampHook is 'minmax', but the stages"):
        NoiseRampHook(end='minmax').before_train(fake_runner(MinimaxPhaseHook(SCHEDULE)))
    runner = fake_runner()
    runner.model = nn.Linear(1, 1)
    with pytest.raises(ValueError, match='no effect, as the model has no GaussianChannel'):
        NoiseRampHook().before_train(runner)
