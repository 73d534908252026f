# An attacker who looks at clips with a 3D network, and so sees movement, in clips of one's own.
# See attack_image_folder.py.
_base_ = './attack_clip_weizmann.py'

clips = '{{$CLIPS_ROOT:data/clips}}'
num_classes = 10
preprocessor = dict(augment=dict(_delete_=True, flip=0.5, shift=4), num_classes=num_classes)
model = dict(data_preprocessor=preprocessor, head=dict(num_classes=num_classes))

test_pipeline = [
    _base_.test_pipeline[0],
    dict(type='SampleClip', clip_len=8, frame_interval=2),
    _base_.test_pipeline[2],
    *_base_.test_pipeline[5:],
]
train_pipeline = test_pipeline
videos = dict(data_prefix=dict(video=f'{clips}/videos'), pipeline=test_pipeline)
train_dataloader = dict(dataset=dict(ann_file=f'{clips}/train.json', **videos))
val_dataloader = dict(dataset=dict(ann_file=f'{clips}/val.json', **videos))
test_dataloader = dict(dataset=dict(ann_file=f'{clips}/test.json', **videos))
