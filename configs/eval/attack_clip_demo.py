# An attacker who looks at clips with a 3D network. The network is that of action_r3d_demo.py, so an
# attacker can also start from the weights of an action target, which has learnt to see through f_A.
_base_ = ['./attack_mean_demo.py', '../_base_/recognizers/narrow_r3d_demo.py']
model = dict(
    data_preprocessor=dict(view='clip'),
    backbone=dict(_base_.pop('narrow_r3d').backbone, _delete_=True, type='mmaction.ResNet3d'),
    head=dict(in_channels=128),
)
train_pipeline = test_pipeline = _base_.test_pipeline
test_pipeline[1].update(clip_len=8, frame_interval=2)
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
