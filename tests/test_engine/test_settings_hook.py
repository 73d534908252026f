from types import SimpleNamespace

import pytest
from mmengine.config import Config
from mmengine.runner import EpochBasedTrainLoop, IterBasedTrainLoop
from torch.utils.data import ConcatDataset, Dataset, Subset

from spact_mm.datasets import ReproducibleDataset
from spact_mm.engine import (
    BadSampleHook,
    MinimaxTrainLoop,
    ReproducibleEpochHook,
    SettingsHook,
)


class Data(Dataset):
    def __len__(self):
        return 3


SEEDS, COUNTS = ReproducibleEpochHook(), BadSampleHook()


def check(hooks=(SEEDS, COUNTS), loop=EpochBasedTrainLoop, data=None, **cfg):
    """Return the warnings."""
    warnings = []
    data = ReproducibleDataset(Data()) if data is None else data
    runner = SimpleNamespace(
        hooks=list(hooks),
        train_loop=object.__new__(loop),
        train_dataloader=SimpleNamespace(dataset=data),
        cfg=Config(cfg),
        max_epochs=10,
        max_iters=50,
        logger=SimpleNamespace(warning=warnings.append),
    )
    SettingsHook().before_train(runner)
    return warnings


def test_complete_runs_pass():
    assert check() == []
    assert check([COUNTS], MinimaxTrainLoop) == []
    assert check([], data=Data()) == []
    assert check([SEEDS], data=ReproducibleDataset(Data(), on_bad='raise')) == []


def test_data_without_an_epoch_are_refused():
    with pytest.raises(ValueError, match=r"add dict\(type='ReproducibleEpochHook'\) to "):
        check([COUNTS])
    (warning,) = check([COUNTS], IterBasedTrainLoop)
    assert 'no epochs to seed' in warning


def test_a_reproducible_data_set_within_another_is_refused():
    inner = ReproducibleDataset(Data())
    for outer in (Subset(inner, [0, 1]), ConcatDataset([Subset(inner, [0]), Data()])):
        with pytest.raises(ValueError, match='put ReproducibleDataset around all other wrappers'):
            check(data=outer)


def test_uncounted_bad_samples_are_said():
    for loop, hooks in ((EpochBasedTrainLoop, [SEEDS]), (MinimaxTrainLoop, [])):
        (warning,) = check(hooks, loop)
        assert 'BadSampleHook is off' in warning and "on_bad='raise'" in warning


@pytest.mark.parametrize(
    'schedulers, message',
    [
        (
            [dict(type='CosineAnnealingLR', begin=2, end=11)],
            r'^param_scheduler.0.end \(Cosi.* 11',
        ),
        ([dict(type='MultiStepLR', milestones=[4, 12])], r'0.milestones .* 12, .*max_epochs is 10'),
        (dict(type='CosineAnnealingLR', begin=2, T_max=10), r'^param_scheduler.T_max .* to 12'),
        (dict(a=[dict(type='LinearLR', end=20)]), '^param_scheduler.a.0.end'),
        ([dict(type='LinearLR', by_epoch=False, end=51)], '51, but train_cfg.max_iters is 50'),
    ],
)
def test_schedulers_beyond_the_run_are_refused(schedulers, message):
    with pytest.raises(ValueError, match=message):
        check(param_scheduler=schedulers)
    # The loop of a minimax knows its schedule, of which this may be a part.
    check([COUNTS], MinimaxTrainLoop, param_scheduler=schedulers)


def test_schedulers_within_the_run_pass():
    ramp = dict(type='LinearLR', by_epoch=False, end=50)
    check(param_scheduler=[ramp, dict(type='CosineAnnealingLR', begin=2)])
    check(param_scheduler=[dict(type='MultiStepLR', milestones=[6, 9], end=10)])
