# An attacker who links by motion: see link_image_weizmann.py. A 3D network gets the differences of
# eight frames over 0.9 s. They show outlines and gait, but not the still wall and light, which
# identify the person's day. With model.data_preprocessor.view=clip the network gets the frames.
_base_ = ['./link_image_weizmann.py', '../_base_/recognizers/narrow_r3d_weizmann.py']
network = _base_.pop('narrow_r3d').backbone
size = _base_.size
model = dict(
    data_preprocessor=dict(
        _delete_=True,
        **_base_.clip_preprocessor,
        view='clip_difference',
        num_classes=_base_.num_persons,
    ),
    backbone=dict(network, _delete_=True, type='mmaction.ResNet3d'),
    # This BatchNorm centres the embeddings, so that their cosines spread.
    neck=[
        dict(type='MeanMaxPooling'),
        dict(type='LinearNeck', in_channels=128, out_channels=64),
    ],
    head=dict(in_channels=64),
)
train_pipeline = [
    dict(type='DecordInitFromPath', cache=dict(max_gib=1.0)),
    dict(type='SampleClip', clip_len=8, frame_interval=3),
    dict(type='DecordDecode'),
    dict(type='SquareCrop', scale=1.0, random=False),
    dict(type='Resize', scale=(size + 8, size + 8), keep_ratio=False),
    dict(type='RandomCrop', size=size),
    dict(type='ClipColorJitter', **_base_.color),
    dict(type='FlipOrErase', flip=0.5, erase=0.0),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='mmpretrain.PackInputs', input_key='imgs', meta_keys=('video_id',)),
]
test_pipeline = [
    *train_pipeline[:3],
    dict(type='SquareCrop', scale=size / (size + 8), random=False),
    dict(type='Resize', scale=(size, size), keep_ratio=False),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='mmpretrain.PackInputs', input_key='imgs', meta_keys=('video_id', 'action')),
]
auto_scale_lr = dict(base_batch_size=16)
train_dataloader = dict(batch_size=16, dataset=dict(frames_per_video=8, pipeline=train_pipeline))
test_dataloader = dict(batch_size=16, dataset=dict(frames_per_video=5, pipeline=test_pipeline))
