# privacy_resnet50_vispr1.py with boxes of persons, for BlackenAnonymizer (docs/person_boxes.md).
_base_ = './privacy_resnet50_vispr1.py'
boxes = dict(
    type='LoadPersonBoxes', box_file=f'{_base_.vispr_root}/person_boxes.json', min_score=0.5
)
train_pipeline = _base_.train_pipeline
test_pipeline = _base_.test_pipeline
for pipeline in (train_pipeline, test_pipeline):
    pipeline.insert(1, boxes)  # after loading
    pipeline[-1].update(meta_keys=('img_path', 'person_boxes'))
del pipeline, boxes
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
