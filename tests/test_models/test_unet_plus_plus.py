from functools import partial

import pytest
import torch
import torch.nn.functional as F

from spact_mm.models import UNetPlusPlusAnonymizer


def test_default_has_the_widths_of_the_paper():
    # Per block (i channels in, o out): 9io + 9oo weights, 2o biases, 4o of BatchNorm.
    widths, total = [32, 64, 128, 256, 512], 3 * 32 + 3
    for level, width in enumerate(widths):
        inputs = [widths[level - 1] if level else 3]
        inputs += [j * width + widths[level + 1] for j in range(1, 5 - level)]
        total += sum(9 * n * width + 9 * width**2 + 6 * width for n in inputs)
    assert sum(p.numel() for p in UNetPlusPlusAnonymizer().parameters()) == total == 9_163_395


@pytest.mark.parametrize('size', [(16, 24), (13, 18)])
def test_nodes_are_connected_as_in_the_paper(size):
    """Two levels, written out node by node."""
    network = UNetPlusPlusAnonymizer(base_channels=3, num_levels=2).eval()
    for norm in (m for m in network.modules() if isinstance(m, torch.nn.BatchNorm2d)):
        norm.running_mean.normal_()
    nodes = network.nodes

    def up(x, like):
        x = F.interpolate(x, scale_factor=2, mode='bilinear', align_corners=True)
        missing_rows = like.shape[-2] - x.shape[-2]
        missing_columns = like.shape[-1] - x.shape[-1]
        return F.pad(
            x,
            (
                missing_columns // 2,
                missing_columns - missing_columns // 2,
                missing_rows // 2,
                missing_rows - missing_rows // 2,
            ),
        )

    frames = torch.rand(2, 3, *size)
    with torch.no_grad():
        x00 = nodes[0][0](frames)
        x10 = nodes[1][0](F.max_pool2d(x00, 2))
        x20 = nodes[2][0](F.max_pool2d(x10, 2))
        x01 = nodes[0][1](torch.cat([x00, up(x10, x00)], 1))
        x11 = nodes[1][1](torch.cat([x10, up(x20, x10)], 1))
        x02 = nodes[0][2](torch.cat([x00, x01, up(x11, x00)], 1))
        expected = torch.sigmoid(network.head(x02))
        torch.testing.assert_close(network(frames), expected)


def test_checkpointing_changes_neither_gradients_nor_running_statistics():
    plain = UNetPlusPlusAnonymizer(3, num_levels=2).double()
    saving = UNetPlusPlusAnonymizer(3, num_levels=2, with_cp=True).double()
    saving.load_state_dict(plain.state_dict())
    frames = torch.rand(3, 3, 18, 21, dtype=torch.float64)
    for network in (plain, saving):
        network(frames).square().sum().backward()
    # A convolution on several features is a sum of convolutions, so rounding differs.
    close = partial(torch.testing.assert_close, rtol=1e-10, atol=1e-10)
    for ours, theirs in zip(saving.parameters(), plain.parameters(), strict=True):
        close(ours.grad, theirs.grad)
    for ours, theirs in zip(saving.buffers(), plain.buffers(), strict=True):
        close(ours, theirs)


def test_every_parameter_gets_a_gradient():
    network = UNetPlusPlusAnonymizer(2, num_levels=3)
    network(torch.rand(2, 3, 8, 8)).square().sum().backward()
    assert all(p.grad is not None for p in network.parameters())


def test_too_small_frames_and_wrong_sizes_are_refused():
    with pytest.raises(ValueError, match='UNetPlusPlusAnonymizer with 4 levels .* 16x16 pixels'):
        UNetPlusPlusAnonymizer(2)(torch.rand(1, 3, 15, 40))
    with pytest.raises(ValueError, match='base_channels >= 1 and num_levels >= 1'):
        UNetPlusPlusAnonymizer(num_levels=0)
