# An attacker who looks at every pixel of a frame and names the person in the user's own clips, or
# their attributes. tools/attack.py makes the clips and lists, and sets the options that depend on
# them.
_base_ = './attack_image_weizmann.py'

clips = '{{$CLIPS_ROOT:data/clips}}'
num_classes = 10
# The tint of a day occurs in all parts of the user's own clips, so an attacker may use it.
preprocessor = dict(augment=dict(_delete_=True, flip=0.5, shift=4), num_classes=num_classes)
model = dict(data_preprocessor=preprocessor, head=dict(num_classes=num_classes))

# The clips are small copies of whole frames, without a crop.
test_pipeline = [
    dict(type='LoadVideoFrame', cache=dict(max_gib=1.0)),
    dict(type='mmpretrain.PackInputs', meta_keys=('video_id',)),
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
