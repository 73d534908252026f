import math

import pytest
import torch
from reference import nt_xent

from spact_mm.models import NTXentLoss


def views(n, duplicated=False):
    z0, z1 = torch.randn(2, n, 16, dtype=torch.float64)
    if duplicated:
        z0[-1], z1[-1] = z0[0], z0[0]
    return z0.requires_grad_(), z1.requires_grad_()


@pytest.mark.parametrize('n', [2, 3, 64])
@pytest.mark.parametrize('duplicated', [False, True])
@pytest.mark.parametrize('temperature', [0.1, 0.5])
def test_value_and_gradient_equal_the_formula(n, duplicated, temperature):
    ours = views(n, duplicated)
    plain = tuple(z.detach().clone().requires_grad_() for z in ours)
    loss = NTXentLoss(temperature)(*ours)
    reference = nt_xent(*plain, temperature)
    torch.testing.assert_close(loss, reference, rtol=0, atol=1e-6)
    loss.backward(), reference.backward()
    for a, b in zip(ours, plain, strict=True):
        torch.testing.assert_close(a.grad, b.grad, rtol=0, atol=1e-6)


def test_equal_rows_give_the_logarithm_of_the_candidates():
    z = torch.ones(5, 3)
    assert NTXentLoss()(z, z).item() == pytest.approx(math.log(9))


def test_scale_of_the_embeddings_does_not_matter():
    z0, z1 = views(4)
    assert NTXentLoss()(z0, z1).item() == pytest.approx(NTXentLoss()(7 * z0, 0.1 * z1).item())


def test_one_pair_is_refused():
    with pytest.raises(ValueError, match='no negatives; use a batch size of 2'):
        NTXentLoss()(torch.rand(1, 3), torch.rand(1, 3))


def test_views_of_different_shape_are_refused():
    with pytest.raises(ValueError, match='two views of one shape'):
        NTXentLoss()(torch.rand(4, 3), torch.rand(5, 3))


def test_temperature_must_be_positive():
    with pytest.raises(ValueError, match='temperature > 0, but got 0'):
        NTXentLoss(temperature=0)
