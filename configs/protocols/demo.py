# The demo set's protocol: known actions, known attributes; persons of the test set are in no
# training. `make demo` runs raw, one obfuscation and SPAct with one seed.
_base_ = './_base_/common.py'

# The further attacks are on the strongest obfuscation and on what is trained.
unstressed = ['raw', 'downsample 2×', 'weak blur', 'strong blur']
# What the recipe's own f_T scores is of no interest here.
untested = {'train_cfg.val_begin': 1000}
protocol = dict(
    title='Demo set: action recognition against attribute leakage',
    seeds=[0, 1, 2],
    methods=[
        *_base_.untrained[:3],
        # The kernels for 112 x 112 (13 and 21, sigma 10) in proportion to 48 x 48.
        dict(
            name='weak blur',
            anonymizer=dict(type='GaussianBlurAnonymizer', kernel_size=5, sigma=4.3),
        ),
        dict(
            name='strong blur',
            anonymizer=dict(type='GaussianBlurAnonymizer', kernel_size=9, sigma=4.3),
        ),
        dict(
            name='supervised',
            train=dict(config='../supervised_r3d_demo.py', options=untested),
        ),
        dict(name='SPAct', train=dict(config='../spact_r3d_demo.py', options=untested)),
    ],
    stages=dict(
        # Fresh models, from scratch.
        action=dict(config='../eval/action_r3d_demo.py', metrics=dict(top1='acc/top1')),
        privacy=dict(config='../eval/privacy_resnet_demo.py', metrics=_base_.attacker_metrics),
        # The same attacker, frame by frame over whole videos.
        video=dict(
            config='../eval/privacy_resnet_demo_video.py',
            train=False,
            load='privacy',
            metrics=dict(cmap_video='privacy/cMAP', cmap_video_chance='privacy/cMAP_chance'),
        ),
        # An attacker who starts from one that was trained on raw images.
        finetuned=dict(
            config='../eval/privacy_resnet_demo.py',
            load='raw:privacy',
            options={
                'optim_wrapper.optimizer.lr': 1e-3,
                'train_cfg.max_epochs': 3,
                'param_scheduler.0.end': 1,
                'param_scheduler.1.begin': 1,
                'param_scheduler.1.end': 3,
            },
            metrics=dict(cmap_finetuned='privacy/cMAP'),
            skip=unstressed,
        ),
        # An attacker who first undoes the anonymizer, then asks the one of raw images.
        inverter=dict(
            config='../eval/reconstruction_demo.py',
            slot='model',
            metrics=dict(psnr='reconstruction/PSNR', ssim='reconstruction/SSIM'),
            skip=unstressed,
        ),
        reconstruction=dict(
            config='../eval/privacy_resnet_demo.py',
            train=False,
            load='raw:privacy',
            inverter='inverter',
            metrics=dict(cmap_reconstructed='privacy/cMAP'),
            skip=unstressed,
        ),
    ),
    report=dict(
        attack_columns=['cmap_finetuned', 'cmap_video', 'cmap_reconstructed', 'psnr', 'ssim'],
        obfuscations=[method.name for method in _base_.untrained[1:]],
        goal=dict(min_top1_kept=0.95, min_advantage_removed=0.5),
        data='the rendered demo set (480/160 videos, 1200/400 images; 8 actions, 6 attributes)',
        notes=[
            'The figures are drawn: the demo shows the mechanism and says nothing about protection '
            'in the real world.',
            'Frames are rewritten one by one. Gait, body shape, place and time stay.',
        ],
    ),
)
