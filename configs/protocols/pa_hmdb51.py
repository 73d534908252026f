# PA-HMDB51: f_A and the action target are trained on HMDB51 without PA-HMDB51's videos, the
# attacker on VISPR1; both are tested on PA-HMDB51. There is no video-level attacker: attributes
# change within these videos, so a video as a whole has no labels.
_base_ = [
    './_base_/published.py',
    './_base_/published_panel.py',
    '../_base_/datasets/hmdb51_without_pa.py',
]
resnet = '../eval/privacy_resnet50_vispr1.py'
# Attackers train on VISPR and are chosen on its validation split; these configs test them.
resnet_pa = '../eval/privacy_resnet50_pa_hmdb51.py'
image_pa = '../eval/attack_image_pa_hmdb51.py'
convnext_pa = '../eval/attack_convnext_pa_hmdb51.py'

ramps = _base_.ramps
pa_boxes = dict(**_base_.vispr_boxes, pa_box_file=_base_.hmdb51_boxes['box_file'])
blackened = dict(
    action=_base_.hmdb51_boxes,
    **dict.fromkeys(
        ('attacker', 'finetuned_attacker', 'image_raw_attacker', 'convnext_raw_attacker'),
        _base_.vispr_boxes,
    ),
    **dict.fromkeys(('privacy', 'finetuned', 'image_raw', 'convnext_raw'), pa_boxes),
)
protocol = dict(
    title='PA-HMDB51: known actions, attributes known from VISPR1',
    seeds=[0, 1, 2],
    methods=[
        *_base_.untrained,
        dict(**_base_.blackening, options=blackened),
        dict(name='supervised', train=dict(config='../supervised_r3d_hmdb51.py')),
        dict(name='SPAct', train=dict(config='../spact_r3d_hmdb51.py')),
        dict(
            name='price',
            train=dict(config='../price_r3d_hmdb51.py'),
            options=dict(
                action=ramps.action,
                attacker=ramps.resnet,
                finetuned_attacker=ramps.finetuned,
                inverter=ramps.inverter,
                image_raw_attacker=ramps.image,
                convnext_raw_attacker=ramps.convnext,
            ),
        ),
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
        attacker=dict(config=resnet),
        privacy=dict(config=resnet_pa, train=False, load='attacker', **_base_.from_scratch),
        # Attackers who start from an attacker trained on raw images.
        finetuned_attacker=dict(
            config=resnet, load='raw:attacker', options=_base_.finetuning, skip=['raw']
        ),
        finetuned=dict(
            config=resnet_pa, train=False, load='finetuned_attacker', **_base_.finetuned
        ),
        inverter=_base_.inverter,
        reconstruction=dict(config=resnet_pa, load='raw:attacker', **_base_.reconstruction),
        image_attacker=dict(config=_base_.image, only=['raw']),
        image=dict(config=image_pa, train=False, load='image_attacker', **_base_.on_raw),
        convnext_attacker=dict(config=_base_.convnext, only=['raw']),
        convnext=dict(config=convnext_pa, train=False, load='convnext_attacker', **_base_.on_raw),
        image_raw_attacker=dict(config=_base_.image, load='raw:image_attacker', skip=['raw']),
        image_raw=dict(config=image_pa, train=False, load='image_raw_attacker', **_base_.from_raw),
        convnext_raw_attacker=dict(
            config=_base_.convnext, load='raw:convnext_attacker', skip=['raw']
        ),
        convnext_raw=dict(
            config=convnext_pa, train=False, load='convnext_raw_attacker', **_base_.from_raw
        ),
    ),
    report=dict(
        attack_columns=_base_.attack_columns,
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
