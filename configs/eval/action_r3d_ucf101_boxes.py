# action_r3d_ucf101.py with boxes of persons, for BlackenAnonymizer (docs/person_boxes.md).
_base_ = './action_r3d_ucf101.py'
boxes = dict(
    type='LoadPersonBoxes', box_file=f'{_base_.ucf101_root}/person_boxes.json', min_score=0.5
)
train_pipeline = _base_.train_pipeline
test_pipeline = _base_.test_pipeline
for pipeline in (train_pipeline, test_pipeline):
    pipeline.insert(3, boxes)  # after decoding
    pipeline[-1].update(meta_keys=('img_shape', 'person_boxes'))
del pipeline, boxes
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
