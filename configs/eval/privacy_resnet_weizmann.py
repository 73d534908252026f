# A fresh attacker f'_B who names one of nine persons in a Weizmann video by single frames, behind a
# frozen anonymizer; raw video by default.
_base_ = [
    '../_base_/default_runtime.py',
    '../_base_/datasets/weizmann_frames_compared.py',
    '../_base_/attackers/weizmann.py',
]

model = dict(
    type='mmpretrain.ImageClassifier',
    _scope_='mmpretrain',
    data_preprocessor=dict(
        **_base_.image_preprocessor,
        augment=dict(flip=0.5, shift=4, color=_base_.color),
        num_classes=_base_.num_persons,
    ),
    backbone=dict(type='ResNet', depth=18, base_channels=16, stem_channels=16),
    neck=dict(type='GlobalAveragePooling'),
    head=dict(type='LinearClsHead', num_classes=_base_.num_persons, in_channels=128),
)
