# A renderer behind price_r3d_ucf101.py: see renderer_demo.py. The learning rate is that with which
# f_A learns the identity (spact_r3d_ucf101.py). This recipe has not been run.
_base_ = [
    '../_base_/default_runtime.py',
    '../_base_/datasets/ucf101.py',
    '../_base_/price.py',
    '../_base_/renderer.py',
]
price_checkpoint = 'work_dirs/price_r3d_ucf101/epoch_220.pth'
network = dict(type='UNetAnonymizer', base_channels=64, num_levels=4, with_cp=False)
model = dict(
    anonymizer=dict(**_base_.channel, anonymizer=network, stride=8),  # of price_r3d_ucf101.py
    checkpoint=price_checkpoint,
    renderer=dict(type='ClipRenderer', network=network),
)
_base_.train_pipeline[1].update(_base_.clip)
train_dataloader = dict(batch_size=8, dataset=dict(pipeline=_base_.train_pipeline))
test_dataloader = None
auto_scale_lr = dict(enable=False, base_batch_size=8)
optim_wrapper = dict(optimizer=dict(_delete_=True, type='Adam', lr=1e-3))
