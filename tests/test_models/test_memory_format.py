import copy
from types import SimpleNamespace

import pytest
import torch
from mmaction.registry import HOOKS
from tiny import (
    CHILDREN,
    PRIVACY_BRANCH,
    RECOGNIZER,
    batch,
    build_model,
    build_optimizers,
)
from torch import nn

from spact_mm.models import memory_format
from spact_mm.models.memory_format import use_channels_last


def is_channels_last(parameter):
    formats = {4: torch.channels_last, 5: torch.channels_last_3d}
    return parameter.is_contiguous(memory_format=formats[parameter.dim()])


def test_weights_of_2d_and_3d_convolutions_change_their_layout_only():
    module = nn.ModuleList([nn.Conv2d(8, 4, 3), nn.Conv3d(8, 4, 3), nn.Linear(8, 4)])
    before = copy.deepcopy(module.state_dict())
    assert use_channels_last(module) is module
    for key, value in module.state_dict().items():
        assert torch.equal(value, before[key])
    assert all(is_channels_last(module[i].weight) for i in (0, 1))


@pytest.mark.parametrize('layer', [nn.Conv2d(7, 16, 1, stride=2), nn.Conv3d(7, 16, 1, stride=2)])
def test_what_would_corrupt_memory_is_refused(layer):
    with pytest.raises(ValueError, match='channels_last .* strided 1x1 convolution of 7 channels'):
        use_channels_last(nn.Sequential(layer))
    use_channels_last(nn.Sequential(layer), trained=False)


def test_training_channels_last_gives_the_same_parameters():
    privacy_branch, recognizer = copy.deepcopy(PRIVACY_BRANCH), copy.deepcopy(RECOGNIZER)
    privacy_branch['backbone'].update(base_channels=8, stem_channels=8)
    privacy_branch['neck'].update(in_channels=64)
    recognizer['backbone'].update(base_channels=8)
    recognizer['cls_head'].update(in_channels=64)
    wide = dict(privacy_branch=privacy_branch, recognizer=recognizer)
    plain, fast = build_model(**wide).double(), build_model(**wide, channels_last=True).double()
    fast.load_state_dict(plain.state_dict())
    assert all(is_channels_last(p) for p in fast.parameters() if p.dim() > 3)
    data = batch(size=32)
    for model in (plain, fast):
        optimizers = build_optimizers(model, lr=1e-3)
        for phase in ('reconstruction', 'anonymizer', 'adversaries'):
            model.set_phase(phase)
            torch.manual_seed(1)
            model.train_step(data, optimizers)
    for child in CHILDREN:
        first, second = (getattr(model, child).state_dict() for model in (plain, fast))
        for key, value in first.items():
            if key.endswith('bias'):  # some stand before a BatchNorm: their gradient is rounding
                continue
            # Adam makes steps of gradients that are next to zero.
            assert (second[key] - value).abs().max() <= 1e-6 * value.abs().max()


def test_hook_changes_a_recognizer_before_its_weights_are_loaded():
    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(8, 8, 3)

    torch.manual_seed(0)
    plain, model = Model(), Model()
    HOOKS.build(dict(type='ChannelsLastHook')).before_run(SimpleNamespace(model=model))
    model.load_state_dict(plain.state_dict())
    assert model.conv.weight.is_contiguous(memory_format=torch.channels_last)
    x = torch.randn(2, 8, 9, 9)
    y = model.conv(x)
    assert y.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(y, plain.conv(x))


@pytest.mark.parametrize(
    ('trains_faster', 'gradients', 'expected'),
    [(False, False, True), (False, True, False), (True, False, True), (True, True, True)],
)
def test_frames_pass_channels_last_where_that_is_faster(
    monkeypatch, trains_faster, gradients, expected
):
    monkeypatch.setattr(memory_format, '_TRAINS_FASTER', trains_faster)
    frames = torch.rand(2, 3, 4, 5)
    with torch.set_grad_enabled(gradients):
        y = memory_format.to_faster_format(frames)
    assert torch.equal(y, frames)
    assert y.is_contiguous(memory_format=torch.channels_last) == expected


def test_frames_of_other_devices_stay_as_they_are():
    frames = torch.rand(2, 3, 4, 5, device='meta')
    assert memory_format.to_faster_format(frames) is frames


@pytest.mark.parametrize('phase', ['adversaries', 'anonymizer'])
def test_the_privacy_branch_gets_contiguous_frames(phase):
    model, given = build_model(), []
    model.privacy_branch.register_forward_pre_hook(lambda _, args: given.extend(args[0]))
    model.set_phase(phase)
    model.train_step(batch(), build_optimizers(model))
    assert len(given) == 2
    assert all(view.is_contiguous() for view in given)
