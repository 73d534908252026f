# The demo set's protocol: known actions, known attributes; persons of the test set are in no
# training. `make demo` runs raw, one obfuscation and SPAct with one seed.
_base_ = ['./_base_/common.py', './_base_/demo_panel.py']

# Attackers try to undo the strongest obfuscation and the trained methods.
not_undone = ['raw', 'downsample 2×', 'weak blur', 'strong blur']
obfuscations = [method.name for method in _base_.untrained[1:]]
# Attackers who found less than others on each of these methods run with one seed only; the two most
# expensive attackers do not run on obfuscations.
weaker = dict(
    resnet=dict(seeds=[0]),
    difference=dict(seeds=[0]),
    resnet_raw=dict(seeds=[0], skip=['raw', *obfuscations]),
    difference_raw=dict(seeds=[0], skip=['raw', *obfuscations]),
    **{
        name: dict(seeds=dict.fromkeys(obfuscations, [0]))
        for name in ('image', 'target', 'clip_raw')
    },
)
# The score of the recipe's own f_T is not needed here.
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
        **{name: {**stage, **weaker.get(name, {})} for name, stage in _base_.fresh.items()},
        **{name: dict(**stage, skip=not_undone) for name, stage in _base_.undoing.items()},
    ),
    # A check whether attackers have trained enough.
    strength=dict(methods=['raw', 'SPAct'], seeds=[0]),
    report=dict(
        attack_columns=['psnr', 'ssim'],
        obfuscations=obfuscations,
        goal=dict(min_top1_kept=0.95, min_advantage_removed=0.5),
        data='the rendered demo set (480/160 videos, 1200/400 images; 8 actions, 6 attributes)',
        notes=[
            'The figures are drawn: the demo shows the mechanism and says nothing about protection '
            'in the real world.',
            'Frames are rewritten one by one. Gait, body shape, place and time stay.',
        ],
    ),
)
