"""Training with a price on information."""

import copy
import math

import pytest
import torch
from mmaction.registry import METRICS, MODELS
from tiny import (
    PRIVACY_BRANCH,
    action_batch,
    batch,
    build_model,
    build_optimizers,
    changed,
    snapshot,
)

CHANNEL = dict(
    type='GaussianChannel',
    anonymizer=dict(type='UNetAnonymizer', base_channels=4, num_levels=2),
)


def priced(**settings):
    settings = dict(dict(privacy_branch=None), **settings)
    return build_model(type='PricedAnonymization', anonymizer=CHANNEL, **settings)


@pytest.mark.parametrize('branch', [None, PRIVACY_BRANCH])
@pytest.mark.parametrize('with_privacy', [False, True])
def test_every_phase_updates_whom_it_should(branch, with_privacy):
    model = priced(privacy_branch=branch)
    optimizers = build_optimizers(model)
    for phase in model.phases:
        model.set_phase(phase)
        before = snapshot(model)
        data = batch() if with_privacy else dict(action=action_batch())
        values = model.train_step(data, optimizers)
        assert all(torch.isfinite(value) for value in values.values())
        learnt = {name.split('.')[0] for name in changed(before, model)}
        assert learnt == set(model.phases[phase])
        rates = {name for name in values if 'rate' in name or 'bits' in name}
        wanted = (
            {'loss_rate_video', 'bits_video', 'rate_weight'} if phase == 'anonymizer' else set()
        )
        if phase == 'anonymizer' and (with_privacy or branch):
            wanted |= {'loss_rate_image', 'bits_image'}
        assert rates == {f'{phase}/{name}' for name in wanted}
        assert not model.anonymizer.rates
    assert ('privacy_branch' in model.phases['adversaries']) is (branch is not None)


@pytest.mark.slow
def test_a_high_price_silences_the_anonymizer():
    torch.manual_seed(0)
    model = priced(rate_weight=1.0)
    optimizers = build_optimizers(model, lr=1e-2)
    model.set_phase('anonymizer')
    data = dict(action=action_batch())
    bits = [model.train_step(data, optimizers)['anonymizer/bits_video'].item() for _ in range(40)]
    assert bits[-1] < 0.1 * bits[0]


@pytest.mark.slow
def test_the_price_follows_the_action():
    # With a branch the mean is of another phase, and stays as it is set here.
    model = priced(target_action_loss=0.5, rate_weight=1e-3, privacy_branch=PRIVACY_BRANCH)
    optimizers = build_optimizers(model)
    model.set_phase('anonymizer')
    for mean, grows in ((0.1, True), (0.5, None), (2.0, False)):
        model.mean_action_loss.fill_(mean)
        before = model.rate_weight.item()
        logged = model.train_step(dict(action=action_batch()), optimizers)
        assert logged['anonymizer/rate_weight'].item() == pytest.approx(before)
        after = model.rate_weight.item()
        assert after == pytest.approx(before) if grows is None else (after > before) is grows
    for _ in range(40):
        model.train_step(dict(action=action_batch()), optimizers)
    assert model.rate_weight.item() == pytest.approx(1e-3)  # no less than in the beginning
    assert {'rate_weight', 'mean_action_loss'} <= set(model.state_dict())
    assert 'mean_action_loss' not in priced().state_dict()


def test_both_learn_from_one_loss_without_an_adversary():
    model = priced(rate_weight=1e-3, target_action_loss=0.5).double()
    twin = copy.deepcopy(model)
    data = dict(action=action_batch())
    optimizers = build_optimizers(model, lr=0.1, optimizer=dict(type='SGD'))
    model.set_phase('anonymizer')
    torch.manual_seed(3)
    logged = model.train_step(data, optimizers)

    torch.manual_seed(3)
    twin.train()
    action = twin.data_preprocessor(data, True)['action']
    clips = action['inputs'].flatten(0, 1).transpose(1, 2)
    sent = twin.anonymizer(clips)
    (nats,) = twin.anonymizer.take_rates()
    loss = twin._utility_loss(dict(action, inputs=sent.transpose(1, 2)[:, None]))['loss_cls']
    (loss + 1e-3 * nats.mean()).backward()
    assert logged['anonymizer/loss_action'] == loss
    for (name, new), old in zip(model.named_parameters(), twin.parameters(), strict=True):
        torch.testing.assert_close(new, old - 0.1 * old.grad, msg=name)
    assert model.mean_action_loss.item() == pytest.approx(0.1 * loss.item())
    # The statistics of f_T's BatchNorm follow, too.
    for (name, new), old in zip(model.named_buffers(), twin.buffers(), strict=True):
        if 'running' in name:
            torch.testing.assert_close(new, old, msg=name)


def test_an_adversary_leaves_f_t_to_its_own_phase():
    model = priced(privacy_branch=PRIVACY_BRANCH)
    assert len(model.opponents()) == 2
    assert priced().opponents() == []


def test_reconstruction_and_readiness_see_no_noise():
    model = priced()
    model.anonymizer.anonymizer = MODELS.build(dict(type='IdentityAnonymizer'))
    measured = model.measure_readiness(dict(action=action_batch()))
    assert measured['l1'] == 0
    assert not model.anonymizer.is_silent


def test_predictions_tell_the_bound():
    model = priced().eval()
    model.anonymizer.anonymizer = MODELS.build(dict(type='IdentityAnonymizer'))
    data = action_batch(clips=2, shape=(3, 3, 8, 32, 32))
    batch = model.data_preprocessor(data, False)
    out = model(batch['inputs'], batch['data_samples'], mode='predict')
    by_hand = model.anonymizer.rate(batch['inputs'].flatten(0, 1).transpose(1, 2))
    expected = by_hand.view(2, 3).mean(1) / math.log(2)
    found = torch.stack([sample.bits_clip for sample in out])
    torch.testing.assert_close(found, expected)
    assert not model.anonymizer.rates
    metric = METRICS.build(dict(type='RateMetric'))
    metric.process({}, [dict(bits_clip=bits) for bits in found])
    assert metric.evaluate(2) == {'rate/bits_clip': pytest.approx(expected.mean().item())}


@pytest.mark.parametrize(
    'settings, message',
    [
        (dict(rate_weight=0.0), 'rate_weight must be above 0'),
        (dict(target_action_loss=0.0), 'target_action_loss must be above 0'),
        (dict(privacy_weight=2.0), 'privacy_weight of PricedAnonymization has no effect'),
    ],
)
def test_wrong_settings_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        priced(**settings)


def test_an_anonymizer_without_a_channel_is_refused():
    with pytest.raises(ValueError, match='UNetAnonymizer, which tells no rate'):
        build_model(
            type='PricedAnonymization', anonymizer=CHANNEL['anonymizer'], privacy_branch=None
        )
