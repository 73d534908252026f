# privacy_resnet50_pa_hmdb51.py with boxes of persons, for BlackenAnonymizer (docs/person_boxes.md).
_base_ = './privacy_resnet50_pa_hmdb51.py'
val_pipeline = _base_.val_dataloader.dataset.pipeline
test_pipeline = _base_.test_dataloader.dataset.pipeline
boxes = dict(type='LoadPersonBoxes', min_score=0.5)
val_pipeline.insert(1, dict(boxes, box_file=f'{_base_.vispr_root}/person_boxes.json'))
val_pipeline[-1].update(meta_keys=('img_path', 'person_boxes'))
test_pipeline.insert(1, dict(boxes, box_file='{{$HMDB51_ROOT:data/hmdb51}}/person_boxes.json'))
test_pipeline[-1].update(meta_keys=('filename', 'frame_index', 'person_boxes'))
val_dataloader = dict(dataset=dict(pipeline=val_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
del boxes, val_pipeline, test_pipeline
