import pytest
import torch
from mmengine.optim import OptimWrapper
from tiny import CHILDREN, build_model, build_optimizers

from spact_mm.engine.optim_constructor import MinimaxOptimWrapperConstructor


def constructor(**config):
    return MinimaxOptimWrapperConstructor(config)


def adam(lr=1e-3, **settings):
    return dict(optimizer=dict(type='Adam', lr=lr), **settings)


def test_each_child_has_its_own_optimizer_and_settings():
    model = build_model()
    wrappers = constructor(
        anonymizer=adam(1e-3, clip_grad=dict(max_norm=1)),
        recognizer=dict(optimizer=dict(type='SGD', lr=0.1, momentum=0.9)),
        privacy_branch=adam(1e-4),
    )(model)
    assert wrappers.get_lr() == {
        'anonymizer.lr': [1e-3],
        'recognizer.lr': [0.1],
        'privacy_branch.lr': [1e-4],
    }
    assert isinstance(wrappers['recognizer'].optimizer, torch.optim.SGD)
    assert wrappers['anonymizer'].clip_grad_kwargs == dict(max_norm=1)
    for name in CHILDREN:
        own = {id(p) for p in getattr(model, name).parameters()}
        held = {id(p) for g in wrappers[name].optimizer.param_groups for p in g['params']}
        assert held == own


class ScalingWrapper(OptimWrapper):
    """Stands in for AmpOptimWrapper, which needs a GPU."""

    def __init__(self, loss_scale, **kwargs):
        super().__init__(**kwargs)
        self.scale = loss_scale


def test_type_and_loss_scale_of_the_amp_option_reach_each_child():
    wrappers = constructor(
        type=ScalingWrapper,
        loss_scale='dynamic',
        anonymizer=adam(),
        recognizer=adam(loss_scale=128.0),
        privacy_branch=adam(),
    )(build_model())
    assert [wrappers[name].scale for name in CHILDREN] == ['dynamic', 128.0, 'dynamic']


def test_accumulation_is_handed_to_all_children():
    wrappers = build_optimizers(build_model(), accumulative_counts=4)
    assert [wrappers[name]._accumulative_counts for name in CHILDREN] == [4, 4, 4]


@pytest.mark.parametrize(
    'config, named',
    [
        (dict(anonymizer=adam(), recognizer=adam()), "['anonymizer', 'recognizer']"),
        (dict(generator=adam(), recognizer=adam(), privacy_branch=adam()), 'generator'),
        (dict(), '[]'),
    ],
)
def test_names_that_do_not_match_the_children_are_refused(config, named):
    with pytest.raises(ValueError) as refused:
        constructor(**config)(build_model())
    assert named in str(refused.value)
    assert "['anonymizer', 'privacy_branch', 'recognizer']" in str(refused.value)


def test_children_without_parameters_need_no_optimizer():
    model = build_model(anonymizer=dict(type='IdentityAnonymizer'))
    wrappers = constructor(recognizer=adam(), privacy_branch=adam())(model)
    assert list(wrappers.keys()) == ['recognizer', 'privacy_branch']
