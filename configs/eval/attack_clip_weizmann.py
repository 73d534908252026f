# An attacker who looks at clips of a Weizmann video with a 3D network, and so sees gait. The
# network is that of action_r3d_weizmann.py, so an attacker can also start from an action target's
# weights.
_base_ = ['./attack_mean_weizmann.py', '../_base_/recognizers/narrow_r3d_weizmann.py']
network = _base_.pop('narrow_r3d').backbone

model = dict(
    data_preprocessor=dict(view='clip'),
    backbone=dict(network, _delete_=True, type='mmaction.ResNet3d'),
    head=dict(in_channels=128),
)

sample = dict(type='SampleClip', clip_len=8, frame_interval=3)
train_pipeline = [_base_.train_pipeline[0], sample, *_base_.train_pipeline[2:]]
test_pipeline = [_base_.test_pipeline[0], sample, *_base_.test_pipeline[2:]]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
