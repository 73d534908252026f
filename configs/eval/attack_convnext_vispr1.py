# The attacker of attack_image_vispr1.py with ConvNeXt-T and a suitable training, by the recipe of
# MMPretrain; sized for a GPU. This config has not been run on VISPR yet.
_base_ = './attack_image_vispr1.py'

model = dict(
    backbone=dict(
        _delete_=True,
        type='ConvNeXt',
        arch='tiny',
        drop_path_rate=0.1,
        # From scratch; 10,000 images are few for this network. ImageNet weights of the MMPretrain
        # zoo: init_cfg=dict(type='Pretrained', prefix='backbone.', checkpoint='https://'
        # 'download.openmmlab.com/mmclassification/v0/convnext/'
        # 'convnext-tiny_32xb128_in1k_20221207-998cf3e9.pth'),
    ),
    neck=None,  # ConvNeXt has its own pooling
    head=dict(in_channels=768),
    init_cfg=dict(type='TruncNormal', layer=['Conv2d', 'Linear'], std=0.02, bias=0.0),
)

# MMPretrain's 4e-3 is for batches of 4096; scaled by the square root it is about a tenth for 32.
epochs = 100
train_cfg = dict(max_epochs=epochs, val_interval=epochs // 4)
optim_wrapper = dict(
    optimizer=dict(lr=3e-4, weight_decay=0.05),
    paramwise_cfg=dict(norm_decay_mult=0.0, bias_decay_mult=0.0, flat_decay_mult=0.0),
)
param_scheduler = dict(eta_max=3e-4, total_steps=epochs)
