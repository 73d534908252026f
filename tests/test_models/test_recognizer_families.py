"""Each family of recognizers that MMAction2 has configs of, as f_T, through all phases."""

from pathlib import Path

import mmaction
import pytest
import torch
from mmengine.config import Config
from tiny import (
    CLASSES,
    action_batch,
    build_model,
    build_optimizers,
    changed,
    snapshot,
    trust_last_batch,
)
from tiny import privacy_batch as privacy

CONFIGS = Path(mmaction.__file__).parent / '.mim' / 'configs' / 'recognition'
#: What keeps pretrained weights from being downloaded, by backbone; as docs/recipes.md says.
SCRATCH, SCRATCH_2D = dict(pretrained=None), dict(pretrained=None, pretrained2d=False)

#: Family and variant: the config, the changes to its backbone, and the clips' frames and size.
FAMILIES = {
    'c2d': ('c2d_r50-in1k-pre_8xb32-16x4x1', SCRATCH, 8, 32),
    'c3d': ('c3d_sports1m', SCRATCH, 16, 112),
    'csn': ('ircsn_ig65m-pretrained-r50-bnfrozen', SCRATCH, 8, 32),
    'i3d': ('i3d_imagenet-pretrained-r50_8xb8-32x2x1', SCRATCH_2D, 8, 64),
    'i3d-nonlocal': ('i3d_imagenet-pretrained-r50-nl-embedded', SCRATCH_2D, 8, 64),
    'mvit': ('mvit-small-p244_32xb16', dict(spatial_size=64, temporal_size=8), 8, 64),
    'r2plus1d': ('r2plus1d_r34_8xb8-8x8x1', SCRATCH, 8, 64),
    'slowfast': ('slowfast_r50_8xb8-4x16x1', {}, 32, 32),
    'slowonly': ('slowonly_r50_8xb16-4x16x1', SCRATCH, 4, 32),
    'swin': ('swin-tiny-p244', SCRATCH_2D, 8, 64),
    'tanet': ('tanet_imagenet-pretrained-r50_8xb8-dense', SCRATCH, 8, 32),
    'timesformer-divided': ('timesformer_divST', dict(SCRATCH, img_size=32), 8, 32),
    'timesformer-joint': ('timesformer_jointST', dict(SCRATCH, img_size=32), 8, 32),
    'timesformer-space': ('timesformer_spaceOnly', dict(SCRATCH, img_size=32), 8, 32),
    'tpn-slowonly': ('tpn-slowonly_r50', SCRATCH, 8, 64),
    'tpn-tsm': ('tpn-tsm', SCRATCH_2D, 8, 64),
    'trn': ('trn_imagenet', SCRATCH, 8, 32),
    'tsm': ('tsm_imagenet-pretrained-r50_8xb16-1x1x8', SCRATCH_2D, 8, 32),
    'tsm-nonlocal': ('tsm_imagenet-pretrained-r50-nl-dot', SCRATCH_2D, 8, 32),
    'tsm-mobilenet': ('tsm_imagenet-pretrained-mobilenetv2', SCRATCH_2D, 8, 32),
    'tsm-mobileone': (
        'tsm_imagenet-pretrained-mobileone-s4_8xb16',
        dict(pretrained2d=False, init_cfg=None),
        16,
        64,
    ),
    'tsn': ('tsn_imagenet-pretrained-r50_8xb32-1x1x3', SCRATCH, 3, 32),
    'uniformer': ('uniformer-small', dict(pretrained2d=False), 8, 32),
    'uniformerv2': (
        'uniformerv2-base-p16-res224_clip_8xb32',
        dict(clip_pretrained=False, pretrained=None, input_resolution=32),
        8,
        32,
    ),
    'videomae': ('vit-base-p16', dict(img_size=32, num_frames=8, depth=2), 8, 32),
    'videomaev2': ('vit-small-p16', dict(img_size=32, num_frames=8, depth=2), 8, 32),
    'x3d': ('x3d_m', {}, 8, 64),
}
#: Those that cannot be trained here, and why.
OTHERS = {'omnisource': 'RecognizerOmni', 'tin': 'mmcv.ops'}


def recognizer_of(family, start, backbone):
    """Return the model of the first config of a family whose name begins so, for few classes."""
    paths = sorted((CONFIGS / family.split('-')[0]).glob(f'{start}*.py'))
    model = Config.fromfile(paths[0]).model.to_dict()
    model['backbone'].update(backbone)
    model['cls_head'].update(num_classes=CLASSES)
    auxiliary = model.get('neck', {}).get('aux_head_cfg')
    if auxiliary:
        auxiliary.update(out_channels=CLASSES)
    blending = model['data_preprocessor'].get('blending') or {}
    for augment in blending.get('augments', [blending]):
        if augment:
            augment.update(num_classes=CLASSES)
    return model


def test_every_family_of_mmaction2_is_here():
    families = {path.name for path in CONFIGS.iterdir() if path.is_dir()}
    assert {name.split('-')[0] for name in FAMILIES} | set(OTHERS) == families


def step_through(model, shape):
    # Two clips make large gradients: by larger steps the non-local blocks overflow.
    optimizers = build_optimizers(model, optimizer=dict(type='SGD', lr=1e-7))
    values = {}
    for phase in ('reconstruction', 'adversaries', 'anonymizer'):
        model.set_phase(phase)
        batch = dict(action=action_batch(2, shape), privacy=privacy(2))
        values |= model.train_step(batch, optimizers)
    return values


@pytest.mark.parametrize(
    'name',
    [name if name == 'tsn' else pytest.param(name, marks=pytest.mark.slow) for name in FAMILIES],
)
def test_family_passes_all_phases_and_predicts(name, monkeypatch):
    """At a small size, and without any download, which ``init_weights`` would start."""
    monkeypatch.setattr('mmengine.runner.checkpoint._load_checkpoint', refuse)
    monkeypatch.setattr('torch.hub.load_state_dict_from_url', refuse)
    start, backbone, frames, size = FAMILIES[name]
    model = build_model(recognizer=recognizer_of(name, start, backbone))
    model.init_weights()
    trust_last_batch(model)
    has_time = model.format_shape == 'NCTHW'
    shape = (1, 3, frames, size, size) if has_time else (frames, 3, size, size)
    before = snapshot(model)
    values = step_through(model, shape)
    assert all(torch.isfinite(torch.as_tensor(value)) for value in values.values())
    assert {name.split('.')[0] for name in changed(before, model)} == {
        'anonymizer',
        'recognizer',
        'privacy_branch',
    }
    # Two clips or crops of a video; `max_testing_views` takes one video at a time.
    model.eval()
    with torch.no_grad():
        (prediction,) = model.test_step(action_batch(1, (shape[0] * 2, *shape[1:])))
    assert prediction.pred_score.shape == (CLASSES,)
    assert prediction.frame_change > 0
    assert set(model.state_dict()) == set(before)


def refuse(*args, **kwargs):
    raise AssertionError(f'something is downloaded: {args}')


def test_omnisource_is_refused_with_what_it_takes():
    config = recognizer_of('omnisource', 'slowonly', {})
    with pytest.raises(ValueError, match='RecognizerOmni, which takes images beside videos'):
        build_model(recognizer=config)


def test_tin_needs_the_compiled_mmcv():
    backbone = dict(SCRATCH_2D)
    model = build_model(recognizer=recognizer_of('tin', 'tin_imagenet-pretrained-r50', backbone))
    try:
        import mmcv.ops  # noqa: F401
    except ImportError:
        with pytest.raises(ImportError, match='Failed to import `tin_shift` from `mmcv.ops`'):
            step_through(model, (8, 3, 32, 32))
    else:
        step_through(model, (8, 3, 32, 32))


FLOW = dict(type='ResNet3dSlowOnly', depth=50, pretrained=None, lateral=False, in_channels=2)
HEAD = dict(type='I3DHead', in_channels=2048, num_classes=CLASSES)
RGB = dict(type='ResNet3dSlowOnly', depth=50, pretrained=None, lateral=False)


@pytest.mark.parametrize(
    'config, message',
    [
        (
            dict(type='Recognizer3D', backbone=FLOW, cls_head=HEAD),
            'backbone.in_channels is 2, as for optical flow.*use an RGB recognizer',
        ),
        (
            dict(
                type='Recognizer2D',
                backbone=FLOW,
                data_preprocessor=dict(
                    type='ActionDataPreprocessor', mean=[128], std=[128], format_shape='NCHW_Flow'
                ),
            ),
            "format_shape='NCHW_Flow'.*use an RGB recognizer",
        ),
        (dict(type='RecognizerGCN', backbone={}), 'RecognizerGCN, which takes skeletons'),
        (dict(type='mmaction.RecognizerAudio', backbone={}), 'RecognizerAudio, which takes sound'),
        (dict(type='MMRecognizer3D', backbone={}), 'takes skeletons beside frames'),
        (dict(type='CLIPSimilarity', adapter={}), 'takes texts beside videos'),
        (
            dict(type='Recognizer3D', backbone=RGB, cls_head=dict(HEAD, multi_class=True)),
            'multi_class=True.*label each video with one class',
        ),
        (dict(type='Recognizer3D', backbone=RGB), 'no cls_head'),
        (
            dict(
                type='Recognizer3D',
                backbone=RGB,
                cls_head=HEAD,
                data_preprocessor=dict(
                    type='ActionDataPreprocessor',
                    format_shape='NCTHW',
                    blending=dict(type='MixupBlending', num_classes=400),
                ),
            ),
            'MixupBlending in .*blending has num_classes=400, but .*cls_head.num_classes is 4',
        ),
    ],
    ids=['flow', 'flow-2d', 'gcn', 'audio', 'multimodal', 'text', 'labels', 'headless', 'blending'],
)
def test_other_recognizers_are_refused_when_they_are_built(config, message):
    with pytest.raises(ValueError, match=message):
        build_model(recognizer=config)
