# Known actions, known attributes: f_A is trained on UCF101 and VISPR, the targets on the same.
_base_ = ['./_base_/published.py', './_base_/published_panel.py']

resnet = '../eval/privacy_resnet50_vispr1.py'
ramps = _base_.ramps
blackened = dict.fromkeys(('privacy', 'finetuned', 'image_raw', 'convnext_raw'), _base_.vispr_boxes)
protocol = dict(
    title='UCF101 and VISPR1: known actions, known attributes',
    seeds=[0, 1, 2],
    methods=[
        *_base_.untrained,
        dict(**_base_.blackening, options=dict(action=_base_.ucf101_boxes, **blackened)),
        *_base_.trained_on_ucf101,
        dict(
            **_base_.price_on_ucf101,
            options=dict(
                action=ramps.action,
                privacy=ramps.resnet,
                finetuned=ramps.finetuned,
                inverter=ramps.inverter,
                image_raw=ramps.image,
                convnext_raw=ramps.convnext,
            ),
        ),
    ],
    stages=dict(
        # Fresh models, from scratch.
        action=dict(config='../eval/action_r3d_ucf101.py', metrics=dict(top1='acc/top1')),
        privacy=dict(config=resnet, **_base_.from_scratch),
        # Attackers who start from an attacker trained on raw images.
        finetuned=dict(
            config=resnet, load='raw:privacy', options=_base_.finetuning, **_base_.finetuned
        ),
        inverter=_base_.inverter,
        reconstruction=dict(config=resnet, load='raw:privacy', **_base_.reconstruction),
        image=dict(config=_base_.image, **_base_.on_raw),
        convnext=dict(config=_base_.convnext, **_base_.on_raw),
        image_raw=dict(config=_base_.image, load='raw:image', **_base_.from_raw),
        convnext_raw=dict(config=_base_.convnext, load='raw:convnext', **_base_.from_raw),
    ),
    report=dict(
        attack_columns=_base_.attack_columns,
        published=_base_.published.known,
        obfuscations=_base_.obfuscations,
        data='UCF101 split 1 (9,537/3,783 videos), VISPR (10,000/4,167/8,000 images)',
        notes=_base_.notes,
    ),
)
