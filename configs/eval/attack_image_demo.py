# An attacker who looks at every pixel: single images of the demo set, behind a frozen anonymizer;
# raw images by default.
_base_ = [
    '../_base_/default_runtime.py',
    '../_base_/datasets/demo_images_compared.py',
    '../_base_/attackers/demo.py',
]

model = dict(
    data_preprocessor=dict(
        **_base_.image_preprocessor,
        augment=dict(flip=0.5, shift=4),
        num_classes=len(_base_.attributes),
    ),
)
