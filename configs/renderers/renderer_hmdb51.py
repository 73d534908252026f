# A renderer behind price_r3d_hmdb51.py: see renderer_demo.py. This recipe has not been run.
_base_ = ['./renderer_ucf101.py', '../_base_/datasets/hmdb51_without_pa.py']
price_checkpoint = 'work_dirs/price_r3d_hmdb51/epoch_220.pth'
model = dict(checkpoint=price_checkpoint)
train_dataloader = dict(dataset=_base_.train_videos)
