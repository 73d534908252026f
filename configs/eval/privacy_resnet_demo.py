# A fresh privacy attacker f'_B on the images of the demo set, behind a frozen anonymizer; raw
# images by default: a ResNet in place of attack_image_demo.py's network.
_base_ = './attack_image_demo.py'

model = dict(
    # The first three stages of a narrow ResNet-18 with the small stem for CIFAR; the first stage is
    # at full resolution.
    backbone=dict(
        _delete_=True,
        type='ResNet_CIFAR',
        depth=18,
        base_channels=16,
        stem_channels=16,
        num_stages=3,
        strides=(1, 2, 2),
        dilations=(1, 1, 1),
        out_indices=(2,),
    ),
    head=dict(in_channels=128),
)
