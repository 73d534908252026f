# An attacker who looks at clips of a Weizmann video with a 3D network, and so sees gait. It is that
# of action_r3d_weizmann.py, so that an attacker may also begin with an action target's weights.
_base_ = './attack_mean_weizmann.py'

model = dict(
    data_preprocessor=dict(view='clip'),
    backbone=dict(
        _delete_=True,
        type='mmaction.ResNet3d',
        depth=18,
        num_stages=3,
        stage_blocks=(1, 1, 1),
        out_indices=(2,),
        base_channels=16,
        pretrained=None,
        conv1_kernel=(5, 3, 3),
        with_pool1=False,
        with_pool2=False,
        spatial_strides=(2, 2, 2),
        temporal_strides=(1, 2, 2),
        dilations=(1, 1, 1),
        zero_init_residual=False,
    ),
    head=dict(in_channels=128),
)

sample = dict(type='SampleClip', clip_len=8, frame_interval=3)
train_pipeline = [_base_.train_pipeline[0], sample, *_base_.train_pipeline[2:]]
test_pipeline = [_base_.test_pipeline[0], sample, *_base_.test_pipeline[2:]]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
