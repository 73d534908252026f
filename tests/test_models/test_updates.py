"""One backward pass for several optimizer wrappers."""

import copy

import torch
from mmengine.optim import OptimWrapper
from torch import nn

from spact_mm.models.updates import backward, update


class Scaler:
    """Stands for a ``GradScaler``, which needs a GPU: a factor."""

    def __init__(self, factor):
        self.factor = factor

    def scale(self, loss):
        return loss * self.factor


class ScaledWrapper(OptimWrapper):
    """Passes the scaled loss back, as ``AmpOptimWrapper`` does."""

    def __init__(self, factor, **kwargs):
        super().__init__(**kwargs)
        self.loss_scaler = Scaler(factor)

    def backward(self, loss, **kwargs):
        super().backward(self.loss_scaler.scale(loss), **kwargs)


def wrap(networks):
    optimizers = [torch.optim.SGD(network.parameters(), lr=0.5) for network in networks]
    return [
        ScaledWrapper(8.0, optimizer=optimizers[0]),
        OptimWrapper(optimizer=optimizers[1], accumulative_counts=2),
        ScaledWrapper(8.0, optimizer=optimizers[2]),
    ]


def test_each_wrapper_has_the_gradients_of_a_pass_of_its_own():
    torch.manual_seed(0)
    start = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2), nn.Linear(2, 2))
    batches = torch.randn(2, 5, 3)
    together = copy.deepcopy(start)
    wrappers = wrap(together)
    for data in batches:
        backward(wrappers[0], together(data).square().mean(), *wrappers[1:])
    assert all(wrapper.should_update() for wrapper in wrappers)
    for index in range(3):
        alone = copy.deepcopy(start)
        wrapper = wrap(alone)[index]
        for data in batches:
            backward(wrapper, alone(data).square().mean())
        for expected, found in zip(
            alone[index].parameters(), together[index].parameters(), strict=True
        ):
            torch.testing.assert_close(found.grad, expected.grad)
            assert found.grad.abs().max() > 0

    update(*wrappers)
    for old, new in zip(start.parameters(), together.parameters(), strict=True):
        assert new.grad is None and not torch.equal(old, new)
