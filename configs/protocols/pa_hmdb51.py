# PA-HMDB51: f_A and the action target are trained on HMDB51 without PA-HMDB51's videos, the
# attacker on VISPR1; both are tested on PA-HMDB51. There is no video-level attacker: attributes
# come and go within these videos, so that a video as a whole has no labels.
_base_ = ['./_base_/common.py', './_base_/published.py', '../_base_/datasets/hmdb51_without_pa.py']
vispr_boxes = '../eval/privacy_resnet50_vispr1_boxes.py'
pa_boxes = '../eval/privacy_resnet50_pa_hmdb51_boxes.py'

protocol = dict(
    title='PA-HMDB51: known actions, attributes known from VISPR1',
    seeds=[0, 1, 2],
    methods=[
        *_base_.untrained,
        dict(
            name='blackening',
            anonymizer=dict(type='BlackenAnonymizer'),
            configs=dict(
                action='../eval/action_r3d_hmdb51_boxes.py',
                attacker=vispr_boxes,
                privacy=pa_boxes,
                finetuned_attacker=vispr_boxes,
                finetuned=pa_boxes,
            ),
        ),
        dict(name='supervised', train=dict(config='../supervised_r3d_hmdb51.py')),
        dict(name='SPAct', train=dict(config='../spact_r3d_hmdb51.py')),
    ],
    stages=dict(
        # Fresh models, from scratch.
        action=dict(
            config='../eval/action_r3d_hmdb51.py',
            options={
                'train_dataloader.dataset': _base_.train_videos,
                'test_dataloader.dataset': _base_.test_videos,
            },
            metrics=dict(top1='acc/top1'),
        ),
        attacker=dict(config='../eval/privacy_resnet50_vispr1.py'),
        privacy=dict(
            config='../eval/privacy_resnet50_pa_hmdb51.py',
            train=False,
            load='attacker',
            metrics=_base_.attacker_metrics,
        ),
        # An attacker who starts from one that was trained on raw images.
        finetuned_attacker=dict(
            config='../eval/privacy_resnet50_vispr1.py',
            load='raw:attacker',
            options=_base_.finetuning,
            skip=['raw'],
        ),
        finetuned=dict(
            config='../eval/privacy_resnet50_pa_hmdb51.py',
            train=False,
            load='finetuned_attacker',
            metrics=dict(cmap_finetuned='privacy/cMAP'),
            skip=['raw'],
        ),
        inverter=_base_.inverter,
        reconstruction=dict(
            config='../eval/privacy_resnet50_pa_hmdb51.py',
            load='raw:attacker',
            **_base_.reconstruction,
        ),
    ),
    report=dict(
        attack_columns=['cmap_finetuned', 'cmap_reconstructed', 'psnr', 'ssim'],
        published=_base_.published.pa_hmdb51,
        obfuscations=_base_.obfuscations,
        data='HMDB51 without PA-HMDB51 (6,251 videos), VISPR (10,000 images), PA-HMDB51 '
        '(515 videos, 52,411 labelled frames)',
        notes=[
            *_base_.notes,
            'HMDB51 cuts several clips from one film, so clips of a film may be on both sides.',
            'PSNR and SSIM are of the test images of VISPR.',
        ],
    ),
)
