# A price on information on HMDB51 without the videos of PA-HMDB51, for the protocol that tests on
# these. Everything else is as in price_r3d_ucf101.py. This recipe has not been run.
_base_ = ['./price_r3d_ucf101.py', './_base_/datasets/hmdb51_without_pa.py']
# Chance is log(51) = 3.93.
model = dict(recognizer=dict(cls_head=dict(num_classes=51)), target_action_loss=1.9)
train_dataloader = dict(dataset=_base_.train_videos)
val_dataloader = dict(dataset=_base_.test_videos)
test_dataloader = val_dataloader
