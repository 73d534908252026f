# PA-HMDB51: f_A and the action target are trained on HMDB51 without PA-HMDB51's videos, the
# attacker on VISPR1; both are tested on PA-HMDB51. There is no video-level attacker: attributes
# change within these videos, so a video as a whole has no labels.
_base_ = [
    './_base_/common.py',
    './_base_/published.py',
    './_base_/published_panel.py',
    '../_base_/datasets/hmdb51_without_pa.py',
    '../_base_/datasets/pa_hmdb51_frames.py',
]
vispr_boxes = '../eval/privacy_resnet50_vispr1_boxes.py'
pa_boxes = '../eval/privacy_resnet50_pa_hmdb51_boxes.py'

# Attackers train on VISPR and are chosen on its validation split; these stages test them.
pa_test = dict(
    train=False,
    attacker=_base_.attacker,
    options={
        'test_dataloader.dataset': dict(_delete_=True, **_base_.pa_frames),
        'test_evaluator.columns': _base_.pa_columns,
        # Augmentation does not affect a test. But with it the frames would be cached and so
        # rounded, unlike the frames of the attacker's training.
        'model.data_preprocessor.augment': None,
    },
)
load, resize, pack = _base_.pa_frames.pipeline
pa_test_boxes = {
    **_base_.vispr_boxes,
    'test_dataloader.dataset.pipeline': [
        load,
        dict(
            type='LoadPersonBoxes',
            box_file=f'{_base_.hmdb51_root}/person_boxes.json',
            min_score=0.5,
        ),
        resize,
        dict(pack, meta_keys=(*pack.meta_keys, 'person_boxes')),
    ],
}
del load, resize, pack

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
            options=dict(
                image_raw_attacker=_base_.vispr_boxes,
                image_raw=pa_test_boxes,
                convnext_raw_attacker=_base_.vispr_boxes,
                convnext_raw=pa_test_boxes,
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
            attacker=_base_.attacker,
            metrics=_base_.attacker_metrics,
        ),
        # An attacker who starts from an attacker trained on raw images.
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
            attacker=_base_.attacker,
            metrics=dict(cmap_finetuned='privacy/cMAP'),
            skip=['raw'],
        ),
        inverter=_base_.inverter,
        reconstruction=dict(
            config='../eval/privacy_resnet50_pa_hmdb51.py',
            load='raw:attacker',
            attacker=_base_.attacker,
            **_base_.reconstruction,
        ),
        image_attacker=dict(config=_base_.image, only=['raw']),
        image=dict(config=_base_.image, load='image_attacker', **pa_test, only=['raw']),
        convnext_attacker=dict(config=_base_.convnext, only=['raw']),
        convnext=dict(config=_base_.convnext, load='convnext_attacker', **pa_test, only=['raw']),
        image_raw_attacker=dict(config=_base_.image, load='raw:image_attacker', skip=['raw']),
        image_raw=dict(config=_base_.image, load='image_raw_attacker', **pa_test, skip=['raw']),
        convnext_raw_attacker=dict(
            config=_base_.convnext, load='raw:convnext_attacker', skip=['raw']
        ),
        convnext_raw=dict(
            config=_base_.convnext, load='convnext_raw_attacker', **pa_test, skip=['raw']
        ),
    ),
    report=dict(
        attack_columns=['cmap_finetuned', 'cmap_reconstructed', 'psnr', 'ssim'],
        published=_base_.published.pa_hmdb51,
        obfuscations=_base_.obfuscations,
        data='HMDB51 without PA-HMDB51 (6,251 videos), VISPR (10,000/4,167 images), PA-HMDB51 '
        '(515 videos, 52,411 labelled frames)',
        notes=[
            *_base_.notes,
            'HMDB51 cuts several clips from one film, so clips of a film may be on both sides.',
            'PSNR and SSIM are of the test images of VISPR.',
        ],
    ),
)
