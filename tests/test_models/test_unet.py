import weakref
from functools import partial

import pytest
import torch
from reference import UNet
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten

from spact_mm.models import IdentityAnonymizer, UNetAnonymizer


def test_default_unet_has_the_published_number_of_parameters():
    assert sum(p.numel() for p in UNetAnonymizer().parameters()) == 17_267_523


@pytest.mark.parametrize('size', [(112, 112), (37, 50), (16, 31)])
@pytest.mark.parametrize('training', [True, False])
def test_output_equals_plain_reference(size, training):
    ours, plain = UNetAnonymizer(base_channels=6), UNet(6)
    for norm in (m for m in ours.modules() if isinstance(m, torch.nn.BatchNorm2d)):
        norm.running_mean.normal_()
        norm.running_var.uniform_(0.5, 2)
        norm.weight.data.uniform_(0.5, 2)
    plain.load_ours(ours.state_dict())
    ours.train(training), plain.train(training)
    frames = torch.rand(2, 3, *size)
    with torch.no_grad():
        torch.testing.assert_close(ours(frames), plain(frames), rtol=0, atol=1e-5)


def test_full_width_unet_equals_plain_reference():
    ours, plain = UNetAnonymizer().eval(), UNet().eval()
    plain.load_ours(ours.state_dict())
    frames = torch.rand(1, 3, 112, 112)
    with torch.no_grad():
        torch.testing.assert_close(ours(frames), plain(frames), rtol=0, atol=1e-5)


@pytest.mark.parametrize('levels', [1, 2, 3])
def test_fewer_levels_keep_shape_and_range(levels):
    frames = torch.rand(2, 3, 9, 14)
    out = UNetAnonymizer(base_channels=2, num_levels=levels)(frames)
    assert out.shape == frames.shape
    assert 0 <= out.min() and out.max() <= 1


def test_checkpointing_changes_neither_gradients_nor_running_statistics():
    plain, saving = UNetAnonymizer(4).double(), UNetAnonymizer(4, with_cp=True).double()
    saving.load_state_dict(plain.state_dict())
    frames = torch.rand(3, 3, 37, 50, dtype=torch.float64)
    for network in (plain, saving):
        for _ in range(2):
            network(frames).square().sum().backward()
    close = partial(torch.testing.assert_close, rtol=1e-10, atol=1e-10)
    for ours, theirs in zip(saving.parameters(), plain.parameters(), strict=True):
        close(ours.grad, theirs.grad)
    for ours, theirs in zip(saving.buffers(), plain.buffers(), strict=True):
        close(ours, theirs)
    assert saving.stem[1].num_batches_tracked == 2


class SavedBytes(torch.autograd.graph.saved_tensors_hooks):
    """Count the memory of what autograd keeps for the backward pass, each storage once."""

    def __init__(self, parameters):
        self.storages = {}
        own = {p.untyped_storage().data_ptr() for p in parameters}

        def pack(tensor):
            storage = tensor.untyped_storage()
            if storage.data_ptr() not in own:
                self.storages[storage.data_ptr()] = storage.nbytes()
            return tensor

        super().__init__(pack, lambda tensor: tensor)

    @property
    def total(self):
        return sum(self.storages.values())


def test_checkpointing_at_least_halves_the_memory_kept_for_the_backward_pass():
    kept = {}
    for with_cp in (False, True):
        network = UNetAnonymizer(16, with_cp=with_cp)
        frames = torch.rand(4, 3, 112, 112)
        saved = SavedBytes(network.parameters())
        with saved:
            out = network(frames)
            kept[with_cp] = saved.total
        del out
    assert kept[True] < 0.5 * kept[False]


class LiveBytes(TorchDispatchMode):
    """Follow the memory of all tensors that exist at a time, each storage once."""

    def __init__(self):
        super().__init__()
        self.sizes, self.peak = {}, 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        out = function(*args, **(kwargs or {}))
        for tensor in filter(torch.is_tensor, tree_flatten(out)[0]):
            storage = tensor.untyped_storage()
            if storage._cdata not in self.sizes:
                self.sizes[storage._cdata] = storage.nbytes()
                weakref.finalize(storage, self.sizes.pop, storage._cdata)
        self.peak = max(self.peak, sum(self.sizes.values()))
        return out


def test_checkpointing_more_than_halves_the_peak_memory_of_both_passes():
    peaks = {}
    for with_cp in (False, True):
        network, frames = UNetAnonymizer(8, with_cp=with_cp), torch.rand(16, 3, 64, 64)
        with LiveBytes() as live:
            network(frames).sum().backward()
        peaks[with_cp] = live.peak
    assert peaks[True] < 0.5 * peaks[False]


def test_too_small_frames_are_refused_in_one_sentence():
    with pytest.raises(ValueError, match='at least 16x16 pixels'):
        UNetAnonymizer(2)(torch.rand(1, 3, 15, 40))


@pytest.mark.parametrize('wrong', [dict(base_channels=0), dict(num_levels=0)])
def test_wrong_sizes_are_refused(wrong):
    with pytest.raises(ValueError, match='base_channels >= 1 and num_levels >= 1'):
        UNetAnonymizer(**wrong)


def test_identity_returns_the_frames():
    frames = torch.rand(2, 3, 5, 7)
    assert IdentityAnonymizer()(frames) is frames
