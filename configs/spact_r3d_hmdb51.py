# SPAct on HMDB51 without the videos of PA-HMDB51, for the protocol that tests on these videos.
# Everything else, including the schedule, is as in spact_r3d_ucf101.py.
_base_ = ['./spact_r3d_ucf101.py', './_base_/datasets/hmdb51_without_pa.py']
model = dict(recognizer=dict(cls_head=dict(num_classes=51)))
train_dataloader = dict(dataset=_base_.train_videos)
val_dataloader = dict(dataset=_base_.test_videos)
test_dataloader = val_dataloader
