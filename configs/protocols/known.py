# Known actions, known attributes: f_A is trained on UCF101 and VISPR, the targets on the same.
_base_ = ['./_base_/common.py', './_base_/published.py', './_base_/published_panel.py']
boxes = '../eval/privacy_resnet50_vispr1_boxes.py'

protocol = dict(
    title='UCF101 and VISPR1: known actions, known attributes',
    seeds=[0, 1, 2],
    methods=[
        *_base_.untrained,
        dict(
            name='blackening',
            anonymizer=dict(type='BlackenAnonymizer'),
            configs=dict(
                action='../eval/action_r3d_ucf101_boxes.py', privacy=boxes, finetuned=boxes
            ),
            options=dict(image_raw=_base_.vispr_boxes, convnext_raw=_base_.vispr_boxes),
        ),
        *_base_.trained_on_ucf101,
    ],
    stages=dict(
        # Fresh models, from scratch.
        action=dict(config='../eval/action_r3d_ucf101.py', metrics=dict(top1='acc/top1')),
        privacy=dict(
            config='../eval/privacy_resnet50_vispr1.py',
            attacker=_base_.attacker,
            metrics=_base_.attacker_metrics,
        ),
        # An attacker who starts from an attacker trained on raw images.
        finetuned=dict(
            config='../eval/privacy_resnet50_vispr1.py',
            load='raw:privacy',
            options=_base_.finetuning,
            attacker=_base_.attacker,
            metrics=dict(cmap_finetuned='privacy/cMAP'),
            skip=['raw'],
        ),
        inverter=_base_.inverter,
        reconstruction=dict(
            config='../eval/privacy_resnet50_vispr1.py',
            load='raw:privacy',
            attacker=_base_.attacker,
            **_base_.reconstruction,
        ),
        image=dict(config=_base_.image, attacker=_base_.attacker, only=['raw']),
        convnext=dict(config=_base_.convnext, attacker=_base_.attacker, only=['raw']),
        image_raw=dict(
            config=_base_.image, load='raw:image', attacker=_base_.attacker, skip=['raw']
        ),
        convnext_raw=dict(
            config=_base_.convnext, load='raw:convnext', attacker=_base_.attacker, skip=['raw']
        ),
    ),
    report=dict(
        attack_columns=['cmap_finetuned', 'cmap_reconstructed', 'psnr', 'ssim'],
        published=_base_.published.known,
        obfuscations=_base_.obfuscations,
        data='UCF101 split 1 (9,537/3,783 videos), VISPR (10,000/4,167/8,000 images)',
        notes=_base_.notes,
    ),
)
