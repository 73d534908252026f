import importlib
import os
import sys
from pathlib import Path

import pytest
import torch
import torchvision
from mmaction.registry import MODELS
from mmengine.model import PretrainedInit
from reference import UNet

from spact_mm.apis import AnonymizeInferencer

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / 'tools' / 'convert'))
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
    return importlib.import_module('torchvision_r3d18')


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
    expected = {k: v for k, v in converter.expected_shapes().items() if not k.startswith('fc.')}
    assert expected == actual


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


# ---- ResNet-50 -----------------------------------------------------------------------------------
def randomise(model):
    """Give BatchNorm statistics that matter."""
    for name, buffer in model.named_buffers():
        if name.endswith('running_mean'):
            buffer.normal_(0, 0.1)
        elif name.endswith('running_var'):
            buffer.uniform_(0.5, 2)
    return model.eval()


class Projector(torch.nn.Module):
    """SPAct's head of f_B, whose output is normalised."""

    def __init__(self):
        super().__init__()
        self.fc1 = torch.nn.Linear(2048, 2048)
        self.fc2 = torch.nn.Linear(2048, 128)

    def forward(self, x):
        return torch.nn.functional.normalize(self.fc2(self.fc1(x).relu()), dim=1)


@pytest.fixture(scope='module')
def resnet50():
    torch.manual_seed(0)
    return randomise(torchvision.models.resnet50(weights=None, num_classes=7))


@pytest.fixture(scope='module')
def projecting(resnet50):
    trunk = torchvision.models.resnet50(weights=None)
    trunk.fc = torch.nn.Identity()
    trunk.load_state_dict({k: v for k, v in resnet50.state_dict().items() if k[:3] != 'fc.'})
    return torch.nn.Sequential(trunk, Projector()).eval()


@pytest.fixture
def images():
    images = torch.rand(2, 3, 64, 64)
    images[1] = 0  # so that the features differ
    return images


def run_converter(name, source, target, *options):
    return importlib.import_module(name).main([str(source), str(target), *options])


def build_contrastive(state):
    branch = MODELS.build(
        dict(
            type='ContrastivePrivacyBranch',
            backbone=dict(type='mmpretrain.ResNet', depth=50),
            neck=dict(
                type='mmpretrain.MoCoV2Neck', in_channels=2048, hid_channels=2048, out_channels=128
            ),
        )
    )
    branch.load_state_dict(state)
    return branch.eval()


def build_attribute(state):
    branch = MODELS.build(
        dict(
            type='AttributePrivacyBranch',
            backbone=dict(type='mmpretrain.ResNet', depth=50),
            head=dict(type='mmpretrain.MultiLabelLinearClsHead', num_classes=7, in_channels=2048),
        )
    )
    branch.load_state_dict(state)
    return branch.eval()


def assert_same_classifier(state, reference, images):
    with torch.no_grad():
        (found,), expected = build_attribute(state)([images], mode='tensor'), reference(images)
    assert (expected[0] - expected[1]).abs().max() > 1e-2
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)


def assert_same_embedding(state, reference, images):
    with torch.no_grad():
        found = torch.nn.functional.normalize(build_contrastive(state).embed(images), dim=1)
        expected = reference(images)
    assert (expected[0] - expected[1]).abs().max() > 1e-2
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)


def test_torchvision_resnet50_gives_the_same_outputs(resnet50, images, tmp_path):
    torch.save(resnet50.state_dict(), tmp_path / 'a.pth')
    assert run_converter('resnet50', tmp_path / 'a.pth', tmp_path / 'b.pth') == 0
    state = torch.load(tmp_path / 'b.pth', weights_only=True)['state_dict']
    assert_same_classifier(state, resnet50, images)


def as_vissl(projecting, with_head=True):
    trunk = {f'_feature_blocks.{k}': v for k, v in projecting[0].state_dict().items()}
    heads = {f'{int(k[2]) - 1}.clf.0.{k[4:]}': v for k, v in projecting[1].state_dict().items()}
    model = dict(trunk=trunk, heads=heads if with_head else {})
    return dict(phase_idx=799, classy_state_dict=dict(base_model=dict(model=model)))


def test_vissl_trunk_and_head_give_the_same_embeddings(projecting, images, tmp_path):
    torch.save(as_vissl(projecting), tmp_path / 'a.torch')
    assert run_converter('resnet50', tmp_path / 'a.torch', tmp_path / 'b.pth') == 0
    state = torch.load(tmp_path / 'b.pth', weights_only=True)['state_dict']
    assert_same_embedding(state, projecting, images)


def test_vissl_trunk_alone_becomes_a_backbone(projecting, tmp_path):
    torch.save(as_vissl(projecting, with_head=False), tmp_path / 'a.torch')
    assert run_converter('resnet50', tmp_path / 'a.torch', tmp_path / 'b.pth') == 0
    state = torch.load(tmp_path / 'b.pth', weights_only=True)['state_dict']
    backbone = MODELS.build(dict(type='mmpretrain.ResNet', depth=50))
    backbone.load_state_dict({k.removeprefix('backbone.'): v for k, v in state.items()})
    assert torch.equal(backbone.conv1.weight, projecting[0].conv1.weight)


def test_head_of_another_shape_is_refused_by_its_keys(projecting, tmp_path, capsys):
    content = as_vissl(projecting)
    heads = content['classy_state_dict']['base_model']['model']['heads']
    heads['2.clf.0.weight'] = torch.zeros(3, 3)
    torch.save(content, tmp_path / 'a.torch')
    assert run_converter('resnet50', tmp_path / 'a.torch', tmp_path / 'b.pth') == 2
    assert 'unexpected: heads.2.clf.0.weight' in capsys.readouterr().err


def test_another_resnet_is_refused_by_its_keys(tmp_path, capsys):
    torch.save(torchvision.models.resnet18(weights=None).state_dict(), tmp_path / 'a.pth')
    assert run_converter('resnet50', tmp_path / 'a.pth', tmp_path / 'b.pth') == 2
    error = capsys.readouterr().err
    assert "a.pth is not torchvision's resnet50 (missing: layer1.0.conv3.weight" in error
    assert error.count('\n') == 1


# ---- the official code ---------------------------------------------------------------------------
def as_official_unet(state):
    """Rename the reference UNet's parts as the official code does."""
    renamed = {}
    for key, value in state.items():
        part, rest = key.split('.', 1)
        inner = {'inc': '', 'outc': 'conv.'}.get(
            part, 'maxpool_conv.1.' if part.startswith('down') else 'conv.'
        )
        inner += '' if part == 'outc' else 'double_conv.'
        renamed[f'{part}.{inner}{rest}'] = value
    return renamed


@pytest.fixture(scope='module')
def official(projecting):
    """The networks and the content of a checkpoint of a DataParallel run."""
    torch.manual_seed(1)
    unet, r3d = randomise(UNet()), torchvision.models.video.r3d_18(weights=None, num_classes=102)
    first = r3d.layer4[0]
    first.conv1[0] = torch.nn.Conv3d(
        256, 512, 3, (1, 2, 2), padding=(2, 1, 1), dilation=(2, 1, 1), bias=False
    )
    first.downsample[0] = torch.nn.Conv3d(256, 512, 1, (1, 2, 2), bias=False)
    randomise(r3d)
    parts = dict(fa=as_official_unet(unet.state_dict()), ft=r3d.state_dict())
    parts['fb'] = projecting.state_dict()
    content = {
        f'{name}_model_state_dict': {f'module.{k}': v for k, v in state.items()}
        for name, state in parts.items()
    }
    return unet, r3d, {**content, 'epoch': 12, 'optimizer_fa': dict(state={}, param_groups=[])}


def select(state, child):
    return {k.removeprefix(f'{child}.'): v for k, v in state.items() if k.startswith(f'{child}.')}


@pytest.mark.slow
def test_official_checkpoint_gives_the_outputs_of_its_networks(
    official, projecting, images, tmp_path
):
    unet, r3d, content = official
    torch.save(content, tmp_path / 'a.pth')
    assert run_converter('spact', tmp_path / 'a.pth', tmp_path / 'b.pth') == 0
    state = torch.load(tmp_path / 'b.pth', weights_only=True)['state_dict']

    anonymizer = MODELS.build(dict(type='UNetAnonymizer'))
    anonymizer.load_state_dict(select(state, 'anonymizer'))
    anonymizer.eval()
    frames = torch.rand(1, 3, 50, 67)
    clips = torch.rand(1, 3, 8, 32, 32)
    backbone = MODELS.build(dict(type='DilatedResNet3d'))
    head = MODELS.build(dict(type='I3DHead', num_classes=102, in_channels=512, dropout_ratio=0))
    recognizer = torch.nn.ModuleDict(dict(backbone=backbone, cls_head=head)).eval()
    recognizer.load_state_dict(select(state, 'recognizer'))
    with torch.no_grad():
        torch.testing.assert_close(anonymizer(frames), unet(frames), rtol=1e-5, atol=1e-5)
        torch.testing.assert_close(head(backbone(clips)), r3d(clips), rtol=1e-5, atol=1e-5)
    assert_same_embedding(select(state, 'privacy_branch'), projecting, images)


def test_attacker_with_labels_becomes_an_attribute_branch(resnet50, images, tmp_path):
    torch.save(dict(fb_model_state_dict=resnet50.state_dict()), tmp_path / 'a.pth')
    assert run_converter('spact', tmp_path / 'a.pth', tmp_path / 'b.pth') == 0
    state = torch.load(tmp_path / 'b.pth', weights_only=True)['state_dict']
    assert_same_classifier(select(state, 'privacy_branch'), resnet50, images)


def test_converted_anonymizer_needs_no_config_to_anonymize(official, tmp_path):
    unet, _, content = official
    torch.save(content, tmp_path / 'a.pth')
    options = ('--only', 'anonymizer')
    assert run_converter('spact', tmp_path / 'a.pth', tmp_path / 'b.pth', *options) == 0
    anonymize = AnonymizeInferencer(
        weights=str(tmp_path / 'b.pth'), device='cpu', show_progress=False
    )
    frames = torch.rand(1, 3, 32, 32)
    with torch.no_grad():
        expected = unet(frames)
    torch.testing.assert_close(anonymize(frames)['predictions'][0], expected, rtol=0, atol=1e-4)


def test_other_networks_of_the_official_format_are_refused_by_their_keys(
    official, tmp_path, capsys
):
    content = dict(official[2], fa_model_state_dict={'encoder.conv1.weight': torch.zeros(1)})
    torch.save(content, tmp_path / 'a.pth')
    assert run_converter('spact', tmp_path / 'a.pth', tmp_path / 'b.pth') == 2
    error = capsys.readouterr().err
    assert 'fa_model_state_dict of' in error and 'unexpected: encoder.conv1.weight' in error
    assert error.count('\n') == 1 and not (tmp_path / 'b.pth').exists()
    options = ('--only', 'recognizer', 'privacy_branch')
    assert run_converter('spact', tmp_path / 'a.pth', tmp_path / 'b.pth', *options) == 0


def test_file_of_another_kind_is_refused(tmp_path, capsys):
    torch.save(dict(model={}), tmp_path / 'a.pth')
    assert run_converter('spact', tmp_path / 'a.pth', tmp_path / 'b.pth') == 2
    assert 'a.pth has no anonymizer or recognizer or privacy_branch, only model;' in (
        capsys.readouterr().err
    )
