# privacy_resnet50_pa_hmdb51.py with boxes of persons, for BlackenAnonymizer (docs/person_boxes.md).
_base_ = './privacy_resnet50_pa_hmdb51.py'
test_pipeline = _base_.test_pipeline
test_pipeline.insert(
    1,  # after loading
    dict(type='LoadPersonBoxes', box_file=f'{_base_.hmdb51_root}/person_boxes.json', min_score=0.5),
)
test_pipeline[-1].update(meta_keys=('filename', 'frame_index', 'person_boxes'))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
