# Novel attributes: f_A is trained on UCF101 and VISPR, the supervised one with the labels of
# VISPR1; the attacker looks for seven other attributes, VISPR2 (their list is unconfirmed).
#
# The f_A are those of known.py: novel_action.py explains how to train them only once.
_base_ = ['./_base_/common.py', './_base_/published.py', './_base_/published_panel.py']
boxes = '../eval/privacy_resnet50_vispr2_boxes.py'
vispr2 = {f'{split}_dataloader.dataset.attributes': 'VISPR2' for split in ('train', 'val', 'test')}

protocol = dict(
    title='VISPR1 to VISPR2: novel attributes',
    seeds=[0, 1, 2],
    methods=[
        *_base_.untrained,
        dict(
            name='blackening',
            anonymizer=dict(type='BlackenAnonymizer'),
            configs=dict(novel_privacy=boxes, novel_finetuned=boxes),
            options=dict(novel_image_raw=_base_.vispr_boxes, novel_convnext_raw=_base_.vispr_boxes),
        ),
        *_base_.trained_on_ucf101,
    ],
    stages=dict(
        # A fresh attacker, from scratch.
        novel_privacy=dict(
            config='../eval/privacy_resnet50_vispr2.py',
            attacker=_base_.attacker,
            metrics=_base_.attacker_metrics,
        ),
        # An attacker who starts from an attacker trained on raw images.
        novel_finetuned=dict(
            config='../eval/privacy_resnet50_vispr2.py',
            load='raw:novel_privacy',
            options=_base_.finetuning,
            attacker=_base_.attacker,
            metrics=dict(cmap_finetuned='privacy/cMAP'),
            skip=['raw'],
        ),
        inverter=_base_.inverter,
        novel_reconstruction=dict(
            config='../eval/privacy_resnet50_vispr2.py',
            load='raw:novel_privacy',
            attacker=_base_.attacker,
            **_base_.reconstruction,
        ),
        novel_image=dict(
            config=_base_.image, options=vispr2, attacker=_base_.attacker, only=['raw']
        ),
        novel_convnext=dict(
            config=_base_.convnext, options=vispr2, attacker=_base_.attacker, only=['raw']
        ),
        novel_image_raw=dict(
            config=_base_.image,
            load='raw:novel_image',
            options=vispr2,
            attacker=_base_.attacker,
            skip=['raw'],
        ),
        novel_convnext_raw=dict(
            config=_base_.convnext,
            load='raw:novel_convnext',
            options=vispr2,
            attacker=_base_.attacker,
            skip=['raw'],
        ),
    ),
    report=dict(
        columns=['cmap', 'f1'],
        attack_columns=['cmap_finetuned', 'cmap_reconstructed', 'psnr', 'ssim'],
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
