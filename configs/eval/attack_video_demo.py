# The attacker of attack_image_demo.py on whole videos: the scores of ten frames are averaged. The
# attacker is trained on images.
_base_ = './attack_image_demo.py'
for split in ('val', 'test'):
    _base_.pop(f'{split}_dataloader')

test_pipeline = [
    dict(type='LoadVideoFrame', cache=dict(max_gib=1.0)),
    dict(type='mmpretrain.Resize', scale=(64, 48)),
    dict(type='mmpretrain.PackInputs', meta_keys=('video_id',)),
]
evaluated = dict(
    type='ReproducibleDataset',
    dataset='VideoAttributeDataset',
    data_prefix=dict(video=f'{_base_.demo_root}/videos'),
    attributes=_base_.attributes,
    frames_per_video=10,
    pipeline=test_pipeline,
    test_mode=True,
)
val_dataloader = dict(
    **_base_.loader,
    dataset=dict(ann_file=f'{_base_.demo_root}/attacker_val_video_attributes.json', **evaluated),
)
test_dataloader = dict(
    **_base_.loader,
    dataset=dict(ann_file=f'{_base_.demo_root}/test_video_attributes.json', **evaluated),
)
val_evaluator = dict(type='PrivacyAttributeMetric', level='video')
test_evaluator = val_evaluator
