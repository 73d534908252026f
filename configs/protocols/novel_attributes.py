# Novel attributes: f_A is trained on UCF101 and VISPR, the supervised one with the labels of
# VISPR1; the attacker is after seven other attributes, VISPR2 (whose list is unconfirmed).
#
# The f_A are those of known.py: novel_action.py tells how to train them once.
_base_ = ['./_base_/common.py', './_base_/published.py']
boxes = '../eval/privacy_resnet50_vispr2_boxes.py'

protocol = dict(
    title='VISPR1 to VISPR2: novel attributes',
    seeds=[0, 1, 2],
    methods=[
        *_base_.untrained,
        dict(
            name='blackening',
            anonymizer=dict(type='BlackenAnonymizer'),
            configs=dict(novel_privacy=boxes, novel_finetuned=boxes),
        ),
        *_base_.trained_on_ucf101,
    ],
    stages=dict(
        # A fresh attacker, from scratch.
        novel_privacy=dict(
            config='../eval/privacy_resnet50_vispr2.py', metrics=_base_.attacker_metrics
        ),
        # An attacker who starts from one that was trained on raw images.
        novel_finetuned=dict(
            config='../eval/privacy_resnet50_vispr2.py',
            load='raw:novel_privacy',
            options=_base_.finetuning,
            metrics=dict(cmap_finetuned='privacy/cMAP'),
            skip=['raw'],
        ),
        inverter=_base_.inverter,
        novel_reconstruction=dict(
            config='../eval/privacy_resnet50_vispr2.py',
            load='raw:novel_privacy',
            **_base_.reconstruction,
        ),
    ),
    report=dict(
        columns=['cmap', 'f1'],
        attack_columns=['cmap_finetuned', 'cmap_reconstructed', 'psnr', 'ssim'],
        published=_base_.published.novel_attributes,
        obfuscations=_base_.obfuscations,
        data='f_A: UCF101 split 1 (9,537 videos), VISPR (10,000 images); VISPR2 (10,000/8,000 '
        'images)',
        notes=[
            *_base_.notes,
            'The attributes of VISPR2 are unconfirmed, and so is that the published numbers are of '
            'these.',
        ],
    ),
)
