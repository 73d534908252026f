# The attacker of privacy_resnet50_vispr1.py, trained there, on the frames of PA-HMDB51. Test only:
# python tools/test.py configs/eval/privacy_resnet50_pa_hmdb51.py CHECKPOINT
_base_ = './privacy_resnet50_vispr1.py'
for key in ('train_dataloader', 'train_pipeline', 'train_cfg', 'optim_wrapper', 'param_scheduler'):
    _base_.pop(key)
for key in ('test_dataloader', 'custom_hooks', 'attributes', 'vispr_root'):
    _base_.pop(key)

hmdb51_root = '{{$HMDB51_ROOT:data/hmdb51}}'
test_pipeline = [
    dict(type='LoadVideoFrame'),
    dict(type='mmpretrain.Resize', scale=(_base_.size, _base_.size)),
    dict(type='mmpretrain.PackInputs', meta_keys=('filename', 'frame_index')),
]
test_dataloader = dict(
    batch_size=32,
    num_workers=8,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='ReproducibleDataset',
        dataset='PAHMDB51Dataset',
        ann_file='data/pa_hmdb51/pa_hmdb51.json',
        data_prefix=dict(video=f'{hmdb51_root}/videos'),
        # 8 takes every eighth frame: neighbours differ little, and each is decoded by itself.
        frame_interval=1,
        # The attacker's outputs are seven, the labels here are five.
        with_score=False,
        pipeline=test_pipeline,
        test_mode=True,
    ),
)
# spact_mm.datasets.VISPR1_COLUMNS. Image level only: an attribute comes and goes within a video.
test_evaluator = dict(
    columns=dict(skin_color=[0], gender=[1], face=[2, 3], nudity=[4], relationship=[5, 6])
)
