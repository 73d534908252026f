# Novel attributes: f_A is trained on UCF101 and VISPR, the supervised one with the labels of
# VISPR1; the attacker looks for seven other attributes, VISPR2 (their list is unconfirmed).
#
# The f_A are those of known.py: novel_action.py explains how to train them only once.
_base_ = ['./_base_/published.py', './_base_/published_panel.py']

resnet = '../eval/privacy_resnet50_vispr2.py'
vispr2 = dict(options=dict(attributes='VISPR2'))
blackened = dict.fromkeys(
    ('novel_privacy', 'novel_finetuned', 'novel_image_raw', 'novel_convnext_raw'),
    _base_.vispr_boxes,
)
ramps = _base_.ramps
on_raw = dict(**vispr2, **_base_.on_raw)
from_raw = dict(**vispr2, **_base_.from_raw)
protocol = dict(
    title='VISPR1 to VISPR2: novel attributes',
    seeds=[0, 1, 2],
    methods=[
        *_base_.untrained,
        dict(**_base_.blackening, options=blackened),
        *_base_.trained_on_ucf101,
        dict(
            **_base_.price_on_ucf101,
            options=dict(
                novel_privacy=ramps.resnet,
                novel_finetuned=ramps.finetuned,
                inverter=ramps.inverter,
                novel_image_raw=ramps.image,
                novel_convnext_raw=ramps.convnext,
            ),
        ),
    ],
    stages=dict(
        # A fresh attacker, from scratch.
        novel_privacy=dict(config=resnet, **_base_.from_scratch),
        # Attackers who start from an attacker trained on raw images.
        novel_finetuned=dict(
            config=resnet, load='raw:novel_privacy', options=_base_.finetuning, **_base_.finetuned
        ),
        inverter=_base_.inverter,
        novel_reconstruction=dict(config=resnet, load='raw:novel_privacy', **_base_.reconstruction),
        novel_image=dict(config=_base_.image, **on_raw),
        novel_convnext=dict(config=_base_.convnext, **on_raw),
        novel_image_raw=dict(config=_base_.image, load='raw:novel_image', **from_raw),
        novel_convnext_raw=dict(config=_base_.convnext, load='raw:novel_convnext', **from_raw),
    ),
    report=dict(
        columns=['cmap', 'f1'],
        attack_columns=_base_.attack_columns,
        published=_base_.published.novel_attributes,
        obfuscations=_base_.obfuscations,
        data='f_A: UCF101 split 1 (9,537 videos), VISPR (10,000 images); VISPR2 '
        '(10,000/4,167/8,000 images)',
        notes=[
            *_base_.notes,
            'The attributes of VISPR2 are unconfirmed, and so is that the published numbers are of '
            'these.',
        ],
    ),
)
