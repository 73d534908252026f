import importlib.util
import os
from pathlib import Path

import pytest
import torch
import torchvision
from mmaction.registry import MODELS
from mmengine.model import PretrainedInit

ROOT = Path(__file__).resolve().parents[2]
BACKBONE = dict(
    type='ResNet3d',
    depth=18,
    pretrained=None,
    with_pool1=False,
    with_pool2=False,
    temporal_strides=(1, 2, 2, 2),
    zero_init_residual=False,
)


@pytest.fixture(scope='module')
def converter():
    path = ROOT / 'tools' / 'convert' / 'torchvision_r3d18.py'
    spec = importlib.util.spec_from_file_location('torchvision_r3d18', path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope='module')
def weights(tmp_path_factory):
    """An ``r3d_18`` file with random weights and BatchNorm statistics, and its model."""
    generator = torch.Generator().manual_seed(0)
    model = torchvision.models.video.r3d_18(weights=None).eval()
    for name, buffer in model.named_buffers():
        if name.endswith('running_mean'):
            buffer.normal_(0, 0.1, generator=generator)
        elif name.endswith('running_var'):
            buffer.uniform_(0.5, 2, generator=generator)
    path = tmp_path_factory.mktemp('weights') / 'r3d_18-b3b3357e.pth'
    torch.save(model.state_dict(), path)
    return path, model


def test_converted_recognizer_gives_the_outputs_of_torchvision(converter, weights, tmp_path):
    source, reference = weights
    target = tmp_path / 'new' / 'r3d18.pth'
    assert converter.main([str(source), str(target)]) == 0
    checkpoint = torch.load(target, weights_only=True)
    assert set(checkpoint) == {'meta', 'state_dict'}

    backbone = MODELS.build(BACKBONE)
    head = MODELS.build(dict(type='I3DHead', num_classes=400, in_channels=512, dropout_ratio=0))
    recognizer = torch.nn.ModuleDict(dict(backbone=backbone, cls_head=head))
    recognizer.load_state_dict(checkpoint['state_dict'], strict=True)
    recognizer.eval()
    clip = torch.randn(2, 3, 8, 56, 56)
    with torch.no_grad():
        expected = reference(clip)
        # The features matter, not the classifier's bias alone.
        assert (expected[0] - expected[1]).abs().max() > 1e-3
        torch.testing.assert_close(head(backbone(clip)), expected, rtol=1e-6, atol=1e-6)


def test_pretrained_init_loads_the_backbone_by_its_prefix(converter, weights, tmp_path):
    source, reference = weights
    target = tmp_path / 'r3d18.pth'
    assert converter.main([str(source), str(target)]) == 0
    backbone = MODELS.build(BACKBONE)
    PretrainedInit(str(target), prefix='backbone.')(backbone)
    state = backbone.state_dict()
    original = reference.state_dict()
    assert len(state) == len(original) - 2
    assert torch.equal(state['conv1.conv.weight'], original['stem.0.weight'])
    assert torch.equal(
        state['layer4.1.conv2.bn.running_var'], original['layer4.1.conv2.1.running_var']
    )
    assert torch.equal(
        state['layer4.0.downsample.conv.weight'], original['layer4.0.downsample.0.weight']
    )


def test_dilated_leaves_out_exactly_the_two_new_convolutions(converter, weights, tmp_path, capsys):
    source, _ = weights
    plain, dilated = tmp_path / 'plain.pth', tmp_path / 'dilated.pth'
    assert converter.main([str(source), str(plain)]) == 0
    assert converter.main([str(source), str(dilated), '--dilated']) == 0
    plain, dilated = (torch.load(path, weights_only=True) for path in (plain, dilated))
    left_out = {'backbone.layer4.0.conv1.conv.weight', 'backbone.layer4.0.downsample.conv.weight'}
    assert set(plain['state_dict']) - set(dilated['state_dict']) == left_out
    assert set(dilated['meta']['left_out']) == left_out
    assert 'backbone.layer4.0.downsample.bn.weight' in dilated['state_dict']
    printed = capsys.readouterr().out
    assert all(key in printed for key in left_out)


def test_expected_shapes_are_those_of_torchvision(converter, weights):
    _, model = weights
    actual = {k: tuple(v.shape) for k, v in model.state_dict().items() if not k.startswith('fc.')}
    assert converter.expected_shapes() == actual


def test_fine_tuned_classifier_is_accepted(converter, tmp_path):
    model = torchvision.models.video.r3d_18(weights=None, num_classes=7)
    torch.save(model.state_dict(), tmp_path / 'a.pth')
    assert converter.main([str(tmp_path / 'a.pth'), str(tmp_path / 'b.pth')]) == 0
    state_dict = torch.load(tmp_path / 'b.pth', weights_only=True)['state_dict']
    assert state_dict['cls_head.fc_cls.weight'].shape == (7, 512)


@pytest.mark.parametrize(
    ('name', 'part'),
    [('mc3_18', 'of another shape: '), ('r2plus1d_18', 'unexpected: ')],
)
def test_other_models_are_refused_by_their_keys(converter, tmp_path, capsys, name, part):
    model = getattr(torchvision.models.video, name)(weights=None)
    torch.save(model.state_dict(), tmp_path / 'other.pth')
    assert converter.main([str(tmp_path / 'other.pth'), str(tmp_path / 'b.pth')]) == 2
    error = capsys.readouterr().err
    assert error.count('\n') == 1 and 'other.pth' in error and part in error and 'layer' in error
    assert not (tmp_path / 'b.pth').exists()


def test_missing_key_is_named(converter, weights, tmp_path, capsys):
    source, _ = weights
    state_dict = torch.load(source, weights_only=True)
    del state_dict['layer3.0.downsample.0.weight']
    torch.save(state_dict, tmp_path / 'a.pth')
    assert converter.main([str(tmp_path / 'a.pth'), str(tmp_path / 'b.pth')]) == 2
    assert 'missing: layer3.0.downsample.0.weight' in capsys.readouterr().err


class Payload:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (self.path,)


def test_pickle_payload_is_refused_and_not_run(converter, tmp_path, capsys):
    torch.save(dict(weights=Payload(str(tmp_path / 'ran'))), tmp_path / 'evil.pth')
    assert converter.main([str(tmp_path / 'evil.pth'), str(tmp_path / 'b.pth')]) == 2
    error = capsys.readouterr().err
    assert error.count('\n') == 1 and 'evil.pth' in error and 'run code' in error
    assert not (tmp_path / 'ran').exists() and not (tmp_path / 'b.pth').exists()


@pytest.mark.parametrize('content', [b'', b'<html>404</html>', b'PK\x03\x04 cut'])
def test_damaged_file_is_one_sentence(converter, tmp_path, capsys, content):
    path = tmp_path / 'a.pth'
    path.write_bytes(content)
    assert converter.main([str(path), str(tmp_path / 'b.pth')]) == 2
    error = capsys.readouterr().err
    assert error.count('\n') == 1 and str(path) in error and converter.URL in error


def test_absent_file_names_the_download(converter, tmp_path, capsys):
    assert converter.main([str(tmp_path / 'a.pth'), str(tmp_path / 'b.pth')]) == 2
    assert converter.URL in capsys.readouterr().err
