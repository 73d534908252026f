# An attacker who looks at the user's own clips with a 3D network, and so sees movement. See
# attack_image_folder.py.
_base_ = './attack_clip_weizmann.py'

clips = '{{$CLIPS_ROOT:data/clips}}'
num_classes = 10
preprocessor = dict(augment=dict(_delete_=True, flip=0.5, shift=4), num_classes=num_classes)
model = dict(data_preprocessor=preprocessor, head=dict(num_classes=num_classes))

test_pipeline = [
    dict(type='DecordInitFromPath', cache=dict(max_gib=1.0)),
    dict(type='SampleClip', clip_len=8, frame_interval=2),
    dict(type='DecordDecode'),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='mmpretrain.PackInputs', input_key='imgs', meta_keys=('video_id',)),
]
train_pipeline = test_pipeline
videos = dict(data_prefix=dict(video=f'{clips}/videos'))
train_dataloader = dict(
    dataset=dict(ann_file=f'{clips}/train.json', pipeline=train_pipeline, **videos)
)
val_dataloader = dict(dataset=dict(ann_file=f'{clips}/val.json', pipeline=test_pipeline, **videos))
test_dataloader = dict(
    dataset=dict(ann_file=f'{clips}/test.json', pipeline=test_pipeline, **videos)
)
