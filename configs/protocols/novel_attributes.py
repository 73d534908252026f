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
        # An f_A that is trained already: checkpoint='work_dirs/.../epoch_370.pth' in place of
        # train, for all seeds the same.
        dict(name='supervised', train=dict(config='../supervised_r3d_ucf101.py')),
        dict(name='SPAct', train=dict(config='../spact_r3d_ucf101.py')),
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
        # An attacker who first undoes the anonymizer, then asks the one of raw images. Black boxes
        # hold nothing that could be undone.
        inverter=dict(
            config='../eval/reconstruction_vispr.py',
            slot='model',
            metrics=dict(psnr='reconstruction/PSNR', ssim='reconstruction/SSIM'),
            skip=['raw', 'blackening'],
        ),
        novel_reconstruction=dict(
            config='../eval/privacy_resnet50_vispr2.py',
            train=False,
            load='raw:novel_privacy',
            inverter='inverter',
            metrics=dict(cmap_reconstructed='privacy/cMAP'),
            skip=['raw', 'blackening'],
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
