# The supervised baseline on HMDB51 without the videos of PA-HMDB51, and VISPR1. Everything else is
# as in supervised_r3d_ucf101.py.
_base_ = ['./supervised_r3d_ucf101.py', './_base_/datasets/hmdb51_without_pa.py']
model = dict(recognizer=dict(cls_head=dict(num_classes=51)))
train_dataloader = dict(dataset=_base_.train_videos)
val_dataloader = dict(dataset=_base_.test_videos)
test_dataloader = val_dataloader
