# UCF101 with SPAct's pipelines (tools/data/ucf101/README.md describes the preparation). Sources:
# [paper], [code] as in spact_r3d_ucf101.py.
ucf101_root = '{{$UCF101_ROOT:data/ucf101}}'
split = 1
size = 112  # intended by the paper; the code's loaders returned 128 [code]
# BlackenAnonymizer needs a file with boxes of persons (docs/person_boxes.md).
box_file = ''
boxes = [dict(type='LoadPersonBoxes', box_file=box_file, min_score=0.5)] if box_file else []
packed = dict(meta_keys=('img_shape', 'person_boxes')) if box_file else {}

# The same random crop, resize, colour, flip or erase for all frames of a clip [code].
train_pipeline = [
    dict(type='DecordInitFromPath', num_threads=1),
    dict(type='ReflectSampleFrames', clip_len=16, frame_interval=2, num_clips=1),
    dict(type='DecordDecode'),
    *boxes,
    dict(type='SquareCrop', scale=(0.6, 1.0)),
    dict(type='Resize', scale=(size, size), keep_ratio=False),
    dict(type='ClipColorJitter'),
    dict(type='FlipOrErase', flip=0.5, erase=0.25, erase_size=(9, 18)),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs', **packed),
]
# Five clips, centre crop of 0.8 of the height, softmax averaged over the clips [code].
test_pipeline = [
    dict(type='DecordInitFromPath', num_threads=1),
    dict(type='ReflectSampleFrames', clip_len=16, frame_interval=2, num_clips=5, test_mode=True),
    dict(type='DecordDecode'),
    *boxes,
    dict(type='SquareCrop', scale=0.8, random=False),
    dict(type='Resize', scale=(size, size), keep_ratio=False),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs', **packed),
]

train_dataloader = dict(
    batch_size=24,  # [code]
    num_workers=8,
    persistent_workers=True,
    drop_last=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        type='ReproducibleDataset',
        ann_file=f'{ucf101_root}/ucf101_train_split_{split}_videos.txt',
        data_prefix=dict(video=f'{ucf101_root}/videos'),
        pipeline=train_pipeline,
    ),
)
test_dataloader = dict(
    batch_size=1,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='ReproducibleDataset',
        ann_file=f'{ucf101_root}/ucf101_val_split_{split}_videos.txt',
        data_prefix=dict(video=f'{ucf101_root}/videos'),
        pipeline=test_pipeline,
        test_mode=True,
    ),
)
