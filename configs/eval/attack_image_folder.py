# An attacker who looks at every pixel of a frame and names the person in clips of one's own, or
# their attributes. tools/attack.py makes the clips and lists, and sets what depends on them.
_base_ = './attack_image_weizmann.py'

clips = '{{$CLIPS_ROOT:data/clips}}'
num_classes = 10
# The tint of the day is in all parts of one's own clips: an attacker uses it.
preprocessor = dict(augment=dict(_delete_=True, flip=0.5, shift=4), num_classes=num_classes)
model = dict(data_preprocessor=preprocessor, head=dict(num_classes=num_classes))

# The clips are small copies of whole frames: nothing is cut off.
test_pipeline = [_base_.test_pipeline[0], _base_.test_pipeline[-1]]
train_pipeline = test_pipeline
videos = dict(data_prefix=dict(video=f'{clips}/videos'), pipeline=test_pipeline)
train_dataloader = dict(dataset=dict(ann_file=f'{clips}/train.json', **videos))
val_dataloader = dict(dataset=dict(ann_file=f'{clips}/val.json', **videos))
test_dataloader = dict(dataset=dict(ann_file=f'{clips}/test.json', **videos))
