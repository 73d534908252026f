# The attacker of privacy_resnet_demo.py on whole videos: the scores of ten frames, averaged.
_base_ = './privacy_resnet_demo.py'
_base_.pop('test_dataloader')

test_pipeline = [
    dict(type='LoadVideoFrame', cache=dict(max_gib=1.0)),
    dict(type='mmpretrain.Resize', scale=(64, 48)),
    dict(type='mmpretrain.PackInputs', meta_keys=('video_id',)),
]
test_dataloader = dict(
    batch_size=32,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='ReproducibleDataset',
        dataset='VideoAttributeDataset',
        ann_file=f'{_base_.demo_root}/test_video_attributes.json',
        data_prefix=dict(video=f'{_base_.demo_root}/videos'),
        attributes=_base_.attributes,
        frames_per_video=10,
        pipeline=test_pipeline,
        test_mode=True,
    ),
)
test_evaluator = dict(type='PrivacyAttributeMetric', level='video')
