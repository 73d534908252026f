# An attacker who averages: the temporal mean of 16 frames of a video beside one of them, on the
# demo set, behind a frozen anonymizer. The mean removes noise that is new in each frame.
_base_ = [
    '../_base_/default_runtime.py',
    '../_base_/datasets/demo_attributes.py',
    '../_base_/attackers/demo.py',
]

model = dict(
    data_preprocessor=dict(
        **_base_.clip_preprocessor,
        view='mean',
        augment=dict(flip=0.5, shift=4),
        num_classes=len(_base_.attributes),
    ),
    backbone=dict(in_channels=6),
)
