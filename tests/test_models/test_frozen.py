"""Networks that gradients pass through and that stay as they are."""

from copy import deepcopy

import pytest
import torch
from torch import nn

from spact_mm.models.frozen import frozen


def fill(norm):
    """Give it statistics and weights that are not those it starts with."""
    generator = torch.Generator().manual_seed(0)
    for tensor in norm.state_dict().values():
        if tensor.is_floating_point():
            tensor.uniform_(0.3, 3, generator=generator)
    return norm.eval()


NORMS = {
    '1d': (nn.BatchNorm1d(6), (4, 6)),
    '2d': (nn.BatchNorm2d(6, affine=False), (2, 6, 5, 4)),
    '3d': (nn.BatchNorm3d(6, eps=0.1), (2, 6, 3, 4, 5)),
    'synchronized': (nn.SyncBatchNorm(6), (2, 6, 5, 4)),
}


@pytest.mark.parametrize('norm, shape', NORMS.values(), ids=NORMS)
def test_outputs_and_gradients_are_those_of_the_network(norm, shape):
    norm = fill(deepcopy(norm).double())
    x = torch.randn(shape, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(shape, dtype=torch.float64)
    expected = norm(x)
    (gradient,) = torch.autograd.grad(expected, x, weight)
    with frozen(norm):
        out = norm(x)
        assert not torch.equal(out, x)
        torch.testing.assert_close(out, expected, rtol=1e-13, atol=1e-13)
        torch.testing.assert_close(
            torch.autograd.grad(out, x, weight)[0], gradient, rtol=1e-13, atol=1e-13
        )


@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float16])
def test_half_precision_is_rounded_once(dtype):
    norm = fill(nn.BatchNorm2d(6))
    x = torch.randn(2, 6, 5, 4).to(dtype)
    with frozen(norm):
        out = norm(x)
    assert out.dtype == dtype
    # The last place of the largest value.
    atol = torch.finfo(dtype).eps * float(out.abs().max())
    torch.testing.assert_close(out, norm(x), rtol=0, atol=atol)


def test_batch_norm_keeps_nothing_for_the_backward_pass():
    network = nn.Sequential(
        nn.Conv2d(3, 6, 3), nn.BatchNorm2d(6), nn.ReLU(), nn.Conv2d(6, 6, 3), nn.BatchNorm2d(6)
    ).eval()
    sizes = []

    def pack(tensor):
        sizes.append(tensor.numel())
        return tensor

    x = torch.rand(2, 3, 20, 20, requires_grad=True)
    first, second = 2 * 6 * 18**2, 2 * 6 * 16**2
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        network(x)
        # Inputs of both BatchNorms, and the output of ReLU for it and for the convolution.
        assert (sizes.count(first), sizes.count(second)) == (3, 1)
        sizes.clear()
        with frozen(network):
            network(x)
    assert (sizes.count(first), sizes.count(second)) == (2, 0)


def test_networks_are_as_before_afterwards():
    network = nn.Sequential(nn.Linear(4, 6), fill(nn.BatchNorm1d(6)), nn.Linear(6, 2)).eval()
    network[0].requires_grad_(False)
    before = deepcopy(network.state_dict())
    x = torch.randn(3, 4, requires_grad=True)
    with pytest.raises(RuntimeError, match='stop'):
        with frozen(network):
            network(x).sum().backward()
            raise RuntimeError('stop')
    assert x.grad.abs().max() > 0
    assert all(p.grad is None for p in network.parameters())
    assert [p.requires_grad for p in network.parameters()] == [False, False, True, True, True, True]
    assert 'forward' not in vars(network[1])
    assert all(torch.equal(v, before[k]) for k, v in network.state_dict().items())


def test_batch_statistics_are_used_where_the_layer_asks_for_them():
    x = torch.randn(64, 6)
    for norm in (nn.BatchNorm1d(6).train(), nn.BatchNorm1d(6, track_running_stats=False).eval()):
        with frozen(norm):
            out = norm(5 * x + 3)
        torch.testing.assert_close(out.mean(0), torch.zeros(6), atol=1e-5, rtol=0)
        torch.testing.assert_close(out.std(0, correction=0), torch.ones(6), atol=1e-3, rtol=0)


def test_layers_with_a_forward_of_their_own_keep_it():
    class Doubled(nn.BatchNorm1d):
        def forward(self, x):
            return 2 * super().forward(x)

    norm = fill(Doubled(6))
    x = torch.randn(3, 6)
    with frozen(norm):
        assert torch.equal(norm(x), 2 * nn.BatchNorm1d.forward(norm, x))


def test_compiled_networks_are_compiled_once():
    network = nn.Sequential(nn.Conv2d(3, 6, 3), fill(nn.BatchNorm2d(6))).eval()
    graphs = []

    def backend(graph, inputs):
        graphs.append(graph)
        return graph.forward

    compiled = torch.compile(network, backend=backend)
    x = torch.rand(2, 3, 8, 8, requires_grad=True)
    expected = network(x)
    for _ in range(3):
        with frozen(network):
            torch.testing.assert_close(compiled(x), expected)
        torch.testing.assert_close(compiled(x), expected)
    assert len(graphs) == 2
