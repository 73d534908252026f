# An attacker who looks at the user's own clips with a 3D network, and so sees movement.
_base_ = ['./attack_clip_weizmann.py', '../_base_/datasets/own_clips.py']
model = _base_.pop('own_model')

test_pipeline = [step for step in _base_.test_pipeline if step.type not in _base_.cropping]
test_pipeline[1].update(frame_interval=2)
train_pipeline = test_pipeline
train_dataloader = dict(dataset=dict(**_base_.own_videos.train, pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(**_base_.own_videos.val, pipeline=test_pipeline))
test_dataloader = dict(dataset=dict(**_base_.own_videos.test, pipeline=test_pipeline))
