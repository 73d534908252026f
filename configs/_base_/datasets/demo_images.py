# The images of the demo set for attackers, who see the whole image, 64 x 48. They train on seven of
# eight training persons.
_base_ = './small.py'
demo_root = '{{$DEMO_ROOT:data/demo}}'
attributes = ['dark_skin', 'long_hair', 'glasses', 'shirt_print', 'hat', 'companion']

test_pipeline = [
    dict(type='LoadImageRGB'),
    dict(type='mmpretrain.Resize', scale=(64, 48)),
    dict(type='mmpretrain.PackInputs'),
]
# Images are augmented behind the anonymizer: with cache=dict(folder=...) each image is anonymized
# once.
train_pipeline = test_pipeline
train_dataloader = dict(
    batch_size=32,
    **_base_.training,
    dataset=dict(
        type='ReproducibleDataset',
        dataset='VISPRDataset',
        ann_file=f'{demo_root}/attacker_train_attributes.json',
        data_prefix=dict(img_path=f'{demo_root}/images'),
        attributes=attributes,
        pipeline=train_pipeline,
    ),
)
evaluated = dict(
    type='ReproducibleDataset',
    dataset='VISPRDataset',
    data_prefix=dict(img_path=f'{demo_root}/images'),
    attributes=attributes,
    pipeline=test_pipeline,
    test_mode=True,
)
loader = dict(batch_size=32, **_base_.testing)
test_dataloader = dict(
    **loader, dataset=dict(ann_file=f'{demo_root}/test_attributes.json', **evaluated)
)
