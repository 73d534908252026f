# A renderer behind price_r3d_weizmann.py: see renderer_demo.py. Its videos are those of f_A's
# training.
_base_ = [
    '../_base_/default_runtime.py',
    '../_base_/datasets/weizmann.py',
    '../_base_/price.py',
    '../_base_/renderer.py',
]
price_checkpoint = 'work_dirs/price_r3d_weizmann/epoch_19.pth'
network = dict(type='UNetAnonymizer', base_channels=8, num_levels=3)
model = dict(
    # Of price_r3d_weizmann.py.
    anonymizer=dict(
        _base_.channel, sigma_shared=0.1, sigma_frame=0.1, anonymizer=network, stride=4
    ),
    checkpoint=price_checkpoint,
    renderer=dict(type='ClipRenderer', network=network),
)
f_a_videos = f'{_base_.weizmann_root}/fold{_base_.fold}/anonymizer_train.txt'
_base_.train_pipeline[1].update(_base_.clip)
train_dataloader = dict(
    dataset=dict(dataset=dict(dataset=dict(ann_file=f_a_videos, pipeline=_base_.train_pipeline)))
)
test_dataloader = None
auto_scale_lr = dict(enable=False, base_batch_size=8)
custom_hooks = [*_base_.custom_hooks, dict(type='ChannelsLastHook')]
