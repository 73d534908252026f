# A renderer behind price_r3d_demo.py: calm pictures of what f_A has sent (docs/method.md). The
# checkpoint of this training is an anonymizer of both.
_base_ = [
    '../_base_/default_runtime.py',
    '../_base_/datasets/demo.py',
    '../_base_/price.py',
    '../_base_/renderer.py',
]
price_checkpoint = 'work_dirs/price_r3d_demo/epoch_20.pth'
network = dict(type='UNetAnonymizer', base_channels=8, num_levels=3)
model = dict(
    anonymizer=dict(**_base_.channel, anonymizer=network, stride=4),  # of price_r3d_demo.py
    checkpoint=price_checkpoint,
    renderer=dict(type='ClipRenderer', network=network),
)
_base_.train_pipeline[1].update(_base_.clip)
train_dataloader = dict(dataset=dict(pipeline=_base_.train_pipeline))
test_dataloader = None  # the test is an action target's, behind the checkpoint
auto_scale_lr = dict(enable=False, base_batch_size=8)
custom_hooks = [*_base_.custom_hooks, dict(type='ChannelsLastHook')]
