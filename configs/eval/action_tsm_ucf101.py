# The fresh action target of action_r3d_ucf101.py with MMAction2's TSM-R50, a 2D recognizer: eight
# frames spread over the video.
_base_ = ['./action_r3d_ucf101.py', '../_base_/recognizers/tsm_r50.py']
model = _base_.pop('recognizer')
model.data_preprocessor.update(_base_.anonymized)
model = dict(_delete_=True, **model)

train_pipeline = _base_.train_pipeline
test_pipeline = _base_.test_pipeline
for pipeline in (train_pipeline, test_pipeline):
    pipeline[1].update(clip_len=1, frame_interval=1, num_clips=8)
    pipeline[-2].update(input_format='NCHW')
del pipeline
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
