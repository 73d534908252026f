# VISPR's images with labels, for attackers; choices of this project are marked [here].
vispr_root = '{{$VISPR_ROOT:data/vispr}}'
attributes = 'VISPR1'
# The recipes train f_A on frames of 112 x 112. It is convolutional and takes any size, so the
# attacker can choose the best size of anonymized images.
size = 224
# BlackenAnonymizer needs a file with boxes of persons (docs/person_boxes.md).
box_file = ''
boxes = [dict(type='LoadPersonBoxes', box_file=box_file, min_score=0.5)] if box_file else []
packed = dict(meta_keys=('img_path', 'person_boxes')) if box_file else {}

# The whole image is used in tests [here], as labels may concern its margin. Training has crops and
# flips, but no change of colours, which some attributes depend on. These crops and flips keep boxes
# of persons correct.
train_pipeline = [
    dict(type='LoadImageRGB'),
    *boxes,
    dict(type='mmpretrain.Resize', scale=(size * 5 // 4, size * 5 // 4)),
    dict(type='SquareCrop', scale=(0.8, 1.0)),
    dict(type='mmpretrain.Resize', scale=(size, size)),
    dict(type='FlipOrErase', flip=0.5, erase=0),
    dict(type='mmpretrain.PackInputs', **packed),
]
test_pipeline = [
    dict(type='LoadImageRGB'),
    *boxes,
    dict(type='mmpretrain.Resize', scale=(size, size)),
    dict(type='mmpretrain.PackInputs', **packed),
]
train_dataloader = dict(
    batch_size=32,
    num_workers=8,
    persistent_workers=True,
    drop_last=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        type='ReproducibleDataset',
        dataset='VISPRDataset',
        ann_file=f'{vispr_root}/vispr_train.json',
        data_prefix=dict(img_path=f'{vispr_root}/images'),
        attributes=attributes,
        pipeline=train_pipeline,
    ),
)
evaluated = dict(
    type='ReproducibleDataset',
    dataset='VISPRDataset',
    data_prefix=dict(img_path=f'{vispr_root}/images'),
    attributes=attributes,
    pipeline=test_pipeline,
    test_mode=True,
)
loader = dict(batch_size=32, num_workers=8, sampler=dict(type='DefaultSampler', shuffle=False))
test_dataloader = dict(
    **loader, dataset=dict(ann_file=f'{vispr_root}/vispr_test.json', **evaluated)
)
