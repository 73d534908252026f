# An attacker who looks at clips of a Weizmann video with a 3D network, and so sees gait. The
# network is that of action_r3d_weizmann.py, so an attacker can also start from an action target's
# weights.
_base_ = ['./attack_mean_weizmann.py', '../_base_/recognizers/narrow_r3d_weizmann.py']
model = dict(
    data_preprocessor=dict(view='clip'),
    backbone=dict(_base_.pop('narrow_r3d').backbone, _delete_=True, type='mmaction.ResNet3d'),
    head=dict(in_channels=128),
)
train_pipeline = test_pipeline = _base_.test_pipeline
test_pipeline[1].update(clip_len=8, frame_interval=3)
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
