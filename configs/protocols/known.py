# Known actions, known attributes: f_A is trained on UCF101 and VISPR, the targets on the same.
_base_ = ['./_base_/common.py', './_base_/published.py']
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
        ),
        # An f_A that is trained already: checkpoint='work_dirs/.../epoch_370.pth' in place of
        # train, for all seeds the same.
        dict(name='supervised', train=dict(config='../supervised_r3d_ucf101.py')),
        dict(name='SPAct', train=dict(config='../spact_r3d_ucf101.py')),
    ],
    stages=dict(
        # Fresh models, from scratch.
        action=dict(config='../eval/action_r3d_ucf101.py', metrics=dict(top1='acc/top1')),
        privacy=dict(config='../eval/privacy_resnet50_vispr1.py', metrics=_base_.attacker_metrics),
        # An attacker who starts from one that was trained on raw images.
        finetuned=dict(
            config='../eval/privacy_resnet50_vispr1.py',
            load='raw:privacy',
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
        reconstruction=dict(
            config='../eval/privacy_resnet50_vispr1.py',
            train=False,
            load='raw:privacy',
            inverter='inverter',
            metrics=dict(cmap_reconstructed='privacy/cMAP'),
            skip=['raw', 'blackening'],
        ),
    ),
    report=dict(
        attack_columns=['cmap_finetuned', 'cmap_reconstructed', 'psnr', 'ssim'],
        published=_base_.published.known,
        obfuscations=_base_.obfuscations,
        data='UCF101 split 1 (9,537/3,783 videos), VISPR (10,000/8,000 images)',
        notes=_base_.notes,
    ),
)
