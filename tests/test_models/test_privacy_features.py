import pytest
import torch
from mmaction.registry import MODELS
from tiny import action_batch as action
from tiny import (
    build_model,
    build_optimizers,
    changed,
    privacy_batch,
    snapshot,
    trust_last_batch,
)

from spact_mm.models.privacy.features import feature_maps, in_channels

#: Families of MMPretrain, narrow where they allow: the config, the channels, the size of the views.
#: Deep ones need some pixels in their last maps, or BatchNorm's gradients overflow.
TINY_VIT = dict(embed_dims=24, num_layers=2, num_heads=2, feedforward_channels=48)
BACKBONES = {
    'VisionTransformer': (dict(arch=TINY_VIT, img_size=32), 24, 32),
    'VisionTransformer-map': (dict(arch=TINY_VIT, img_size=32, out_type='featmap'), 24, 32),
    'VisionTransformer-tokens': (dict(arch=TINY_VIT, img_size=32, out_type='raw'), 24, 32),
    'DistilledVisionTransformer': (dict(arch=TINY_VIT, img_size=32), 24, 32),
    'DeiT3': (dict(arch=TINY_VIT, img_size=32), 24, 32),
    'BEiTViT': (dict(arch=TINY_VIT, img_size=32), 24, 32),
    'ViTEVA02': (dict(arch=TINY_VIT, img_size=32, patch_size=16), 24, 32),
    'SwinTransformer': (
        dict(
            arch=dict(embed_dims=12, depths=[1, 1], num_heads=[1, 2]),
            out_indices=(1,),
            window_size=2,
            img_size=32,
        ),
        24,
        32,
    ),
    'SwinTransformerV2': (
        dict(
            arch=dict(
                embed_dims=12,
                depths=[1, 1, 1, 1],
                num_heads=[1, 2, 2, 2],
                extra_norm_every_n_blocks=0,
            ),
            window_size=2,
            img_size=64,
        ),
        96,
        64,
    ),
    'ConvNeXt': (dict(arch=dict(depths=[1, 1], channels=[8, 16]), out_indices=1), 16, 32),
    'ConvNeXt-map': (
        dict(
            arch=dict(depths=[1, 1], channels=[8, 16]), out_indices=1, gap_before_final_norm=False
        ),
        16,
        32,
    ),
    'T2T_ViT': (
        dict(
            img_size=32,
            embed_dims=24,
            num_layers=1,
            t2t_cfg=dict(token_dims=8),
            layer_cfgs=dict(num_heads=2, feedforward_channels=24),
        ),
        24,
        32,
    ),
    'TNT': (
        dict(
            img_size=32,
            arch=dict(
                embed_dims_outer=24,
                embed_dims_inner=8,
                num_layers=1,
                num_heads_outer=2,
                num_heads_inner=2,
            ),
        ),
        24,
        32,
    ),
    'MlpMixer': (
        dict(
            arch=dict(embed_dims=24, num_layers=1, tokens_mlp_dims=8, channels_mlp_dims=8),
            img_size=32,
            patch_size=8,
        ),
        24,
        32,
    ),
    'EfficientFormer': (dict(arch='l1'), 448, 224),
    'Conformer': (dict(arch='tiny', patch_size=32), 384, 64),
    'MViT': (dict(arch='tiny'), 768, 32),
    'HRNet': (dict(arch='w18'), 144, 64),
    'EdgeNeXt': (dict(arch='xxsmall'), 168, 64),
    'HorNet': (dict(arch='tiny'), 512, 32),
    'PoolFormer': (dict(arch='s12'), 512, 32),
    'VAN': (dict(arch='tiny'), 256, 32),
    'XCiT': (dict(patch_size=16, embed_dims=24, depth=1, cls_attn_layers=1, num_heads=2), 24, 32),
    'TinyViT': (dict(arch='5m', img_size=(32, 32), window_size=(1, 1, 1, 1)), 320, 32),
    'LeViT': (dict(arch='128s', img_size=128), 384, 128),
    'Twins': (dict(type='mmpretrain.PCPVT', arch='small'), 512, 32),
    'MobileViT': (dict(arch='xx_small'), 320, 32),
    'RevVisionTransformer': (dict(arch=TINY_VIT, img_size=32), 48, 32),
    'InceptionV3': (dict(num_classes=24, aux_logits=False), 24, 96),
    'ResNeXt': (dict(depth=50), 2048, 32),
    'SEResNet': (dict(depth=50), 2048, 32),
    'Res2Net': (dict(depth=50), 2048, 32),
    'RegNet': (dict(arch='regnetx_400mf'), 384, 32),
    'MobileNetV2': (dict(), 1280, 32),
    'MobileNetV3': (dict(arch='small_050'), 288, 32),
    'EfficientNet': (dict(arch='b0'), 1280, 32),
    'EfficientNetV2': (dict(arch='b0'), 1280, 32),
    'DenseNet': (dict(arch='121'), 1024, 96),
    'VGG': (dict(depth=11), 512, 32),
    'AlexNet': (dict(), 256, 64),
    'RepVGG': (dict(arch='A0'), 1280, 32),
    'MobileOne': (dict(arch='s0'), 1024, 32),
    'CSPDarkNet': (dict(depth=53), 1024, 32),
    'CSPResNet': (dict(depth=50), 1024, 32),
    'ShuffleNetV1': (dict(), 960, 32),
    'ShuffleNetV2': (dict(), 1024, 32),
    'ResNeSt': (dict(depth=50), 2048, 32),
    'ConvMixer': (dict(arch='768/32'), 768, 32),
    'DaViT': (dict(arch='tiny', pad_small_map=True), 768, 32),
    'RIFormer': (dict(arch='s12'), 512, 32),
}
#: One of each kind of output; the others are slow together.
FAST = {'VisionTransformer', 'VisionTransformer-tokens', 'DistilledVisionTransformer', 'MlpMixer'}
FAST |= {'SwinTransformer', 'ConvNeXt', 'ConvNeXt-map'}


@pytest.mark.parametrize(
    'outputs, channels, shapes',
    [
        (torch.rand(2, 5, 3, 4), None, [(2, 5, 3, 4)]),
        ((torch.rand(2, 5, 6, 6), torch.rand(2, 7, 3, 3)), 7, [(2, 5, 6, 6), (2, 7, 3, 3)]),
        ((torch.rand(2, 5),), 5, [(2, 5, 1, 1)]),
        ((torch.rand(2, 9, 5),), 5, [(2, 5, 9, 1)]),
        ((torch.rand(2, 9, 5),), 9, [(2, 9, 5, 1)]),
        ((torch.rand(2, 9, 5),), None, [(2, 5, 9, 1)]),
        ((torch.rand(2, 5, 5),), 5, [(2, 5, 5, 1)]),
        (([torch.rand(2, 7, 3, 3), torch.rand(2, 5)],), 5, [(2, 5, 1, 1)]),
        ((None, torch.rand(2, 5)), 5, [(2, 5, 1, 1)]),
    ],
)
def test_outputs_of_any_kind_become_maps(outputs, channels, shapes):
    assert [tuple(x.shape) for x in feature_maps(outputs, channels)] == shapes


def test_mean_of_a_map_is_that_of_its_tokens():
    tokens = torch.rand(2, 9, 5)
    torch.testing.assert_close(feature_maps((tokens,))[0].mean((2, 3)), tokens.mean(1))
    torch.testing.assert_close(
        feature_maps((tokens.transpose(1, 2),), 5)[0].mean((2, 3)), tokens.mean(1)
    )


def test_maps_stay_the_same_tensors():
    maps = (torch.rand(2, 5, 3, 3), torch.rand(2, 6, 2, 2))
    assert all(a is b for a, b in zip(feature_maps(maps, 6), maps, strict=True))


def test_features_of_other_shapes_are_refused():
    with pytest.raises(ValueError, match=r'shape \(2, 3, 4, 5, 6\).*MMPretrain'):
        feature_maps((torch.rand(2, 3, 4, 5, 6),))


def test_channels_are_those_of_the_first_neck_if_they_are_one_number():
    assert in_channels(dict(in_channels=5)) == 5
    assert in_channels([dict(in_channels=(4, 8)), dict(in_channels=5)]) is None
    assert in_channels(dict(type='GlobalAveragePooling')) is None


@pytest.mark.parametrize(
    'name',
    [name if name in FAST else pytest.param(name, marks=pytest.mark.slow) for name in BACKBONES],
)
def test_any_backbone_learns_in_both_branches_and_teaches_the_anonymizer(name):
    settings, channels, size = BACKBONES[name]
    backbone = dict(dict(type=f'mmpretrain.{name.split("-")[0]}'), **settings)
    neck = dict(type='MoCoV2Neck', in_channels=channels, hid_channels=8, out_channels=4)
    neck['type'] = 'mmpretrain.MoCoV2Neck'
    head = dict(type='MultiLabelLinearClsHead', num_classes=3, in_channels=channels)
    for branch in (
        dict(type='ContrastivePrivacyBranch', backbone=backbone, neck=neck),
        dict(type='AttributePrivacyBranch', backbone=backbone, head=head),
    ):
        model = build_model(privacy_branch=branch)
        model.init_weights()
        trust_last_batch(model)
        optimizers = build_optimizers(model)
        data = dict(action=action(), privacy=privacy_batch(3, size, attributes=3))
        before = snapshot(model)
        for phase in ('adversaries', 'anonymizer'):
            model.set_phase(phase)
            values = model.train_step(data, optimizers)
            assert all(torch.isfinite(value) for value in values.values())
        learnt = {n.split('.')[1] for n in changed(before, model) if n.startswith('privacy_branch')}
        assert learnt >= ({'backbone', 'neck'} if 'neck' in branch else {'backbone', 'head'})
        assert any(n.startswith('anonymizer') for n in changed(before, model))


def test_necks_of_several_stages_get_all():
    fuse = dict(type='mmpretrain.HRFuseScales', in_channels=(18, 36, 72, 144), norm_cfg=None)
    project = dict(type='mmpretrain.MoCoV2Neck', in_channels=2048, hid_channels=8, out_channels=4)
    branch = MODELS.build(
        dict(
            type='ContrastivePrivacyBranch',
            backbone=dict(type='mmpretrain.HRNet', arch='w18'),
            neck=[fuse, project],
        )
    )
    views = [torch.rand(2, 3, 64, 64), torch.rand(2, 3, 64, 64)]
    assert [tuple(z.shape) for z in branch(views, mode='tensor')] == [(2, 4)] * 2


@pytest.mark.parametrize('name', ['VisionTransformer', 'ConvNeXt', 'SwinTransformer'])
def test_attackers_of_the_same_backbones_work_behind_an_anonymizer(name):
    settings, channels, size = BACKBONES[name]
    attacker = MODELS.build(
        dict(
            type='ImageClassifier',
            _scope_='mmpretrain',
            backbone=dict(dict(type=name), **settings),
            neck=dict(type='GlobalAveragePooling') if name == 'SwinTransformer' else None,
            head=dict(type='MultiLabelLinearClsHead', num_classes=3, in_channels=channels),
            data_preprocessor=dict(
                type='AnonymizedImagePreprocessor', anonymizer=dict(type='IdentityAnonymizer')
            ),
        )
    )
    batch = privacy_batch(3, size, attributes=3, views=1)
    batch = attacker.data_preprocessor(batch, True)
    assert torch.isfinite(attacker(**batch, mode='loss')['loss'])
    assert len(attacker(**batch, mode='predict')) == 3
