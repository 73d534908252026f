# A fresh action target f'_T on HMDB51, split 1, behind a frozen anonymizer; raw video by default.
# Everything else is as in action_r3d_ucf101.py.
_base_ = './action_r3d_ucf101.py'
model = dict(cls_head=dict(num_classes=51))

hmdb51_root = '{{$HMDB51_ROOT:data/hmdb51}}'
split = 1
train_dataloader = dict(
    dataset=dict(
        ann_file=f'{hmdb51_root}/hmdb51_train_split_{split}_videos.txt',
        data_prefix=dict(video=f'{hmdb51_root}/videos'),
    )
)
test_dataloader = dict(
    dataset=dict(
        ann_file=f'{hmdb51_root}/hmdb51_val_split_{split}_videos.txt',
        data_prefix=dict(video=f'{hmdb51_root}/videos'),
    )
)
