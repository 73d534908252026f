# Does a price on information withstand the panel? The demo's attackers, and attackers made for
# noise: they start with a fifth of the noise, and train twice as long; so does the action target.
_base_ = ['./demo.py', './_base_/price.py']
of_demo = _base_.pop('protocol')


def price(name, target):
    """Return the recipe with another target for the action's loss."""
    options = {**_base_.untested, 'model.target_action_loss': target}
    train = dict(config='../price_r3d_demo.py', options=options, metrics=_base_.own)
    return dict(name=name, train=train)


def spact(weight):
    """Return SPAct with another weight of its adversary; the recipe's is 8."""
    options = {**_base_.untested, 'model.privacy_weight': weight}
    train = dict(config='../spact_r3d_demo.py', options=options)
    return dict(name=f'SPAct, ω {weight}', train=train, seeds=[0])


# The other methods, for the curves of their strengths.
others = [*of_demo.methods[1:], spact(2), spact(32)]
methods = [
    _base_.untrained[0],
    *others,
    price('price', 1.0),
    price('low price', 0.6),
    dict(price('high price', 1.4), seeds=[0]),
]
others = [method['name'] for method in others]
priced = [method['name'] for method in methods[1 + len(others) :]]
ramped = _base_.ramped
ramped[-1].end = 12


def patient(stage, **changes):
    """Return a stage with a longer training and rising noise."""
    longer = {'custom_hooks': ramped, 'train_cfg.max_epochs': 24}
    if 'attacker' in stage:
        longer['param_scheduler.total_steps'] = 24
    options = {**stage.get('options', {}), **longer}
    return dict(stage, only=priced, skip=[], options=options, **changes)


# Behind noise a target from scratch needs the same help. The other methods meet the attackers who
# found most behind them in demo.py.
asked = ('image_raw', 'video_raw', 'mean_raw', 'clip_raw')
stages = {**_base_.fresh, **_base_.undoing}
for name, stage in stages.items():
    if name == 'action':
        stages[name] = dict(stage, only=['raw', *others])
    elif name == 'target':
        stages[name] = dict(stage, only=['raw'])
    elif name in _base_.undoing:
        stages[name] = dict(stage, only=priced)
    elif name not in asked and 'only' not in stage:
        stages[name] = dict(stage, skip=[*stage.get('skip', []), *others])
for name in ('action', 'image_raw', 'mean_raw', 'difference_raw', 'clip_raw', 'target'):
    stage = {**_base_.from_scratch, **_base_.from_raw}[name]
    changes = dict(load='patient_action') if name == 'target' else {}
    stages[f'patient_{name}'] = patient(stage, **changes)
# Movement alone does not see the noise that frames share.
movement = dict(config='../eval/attack_movement_demo.py', attacker=_base_.attacker)
stages['movement'] = dict(movement, only=['raw'])
stages['patient_movement_raw'] = patient(movement, load='raw:movement')
# The one with more time, frame by frame over whole videos.
stages['patient_video_raw'] = dict(_base_.fresh['video_raw'], load='patient_image_raw', only=priced)
# Attackers with more data: other persons, drawn for them, four times as many images and twice as
# many videos, by `python tools/data/demo/render.py --seed 1 --images 4800 8 --videos 960 8 --out
# data/demo_more`.
more_images = {'ann_file': 'train_attributes.json', 'data_prefix.img_path': 'images'}
more_videos = {'ann_file': 'train_video_attributes.json', 'data_prefix.video': 'videos'}
for name, files in dict(image=more_images, clip=more_videos).items():
    stages[f'more_{name}'] = dict(
        _base_.from_raw[f'{name}_raw'],
        load=f'patient_{name}_raw',
        only=priced,
        options={
            f'train_dataloader.dataset.{key}': f'data/demo_more/{file}'
            for key, file in files.items()
        },
    )
stages['more_video'] = dict(stages['patient_video_raw'], load='more_image')
# A renderer draws calm pictures of what was sent. A target and attackers see its pictures alone.
rendered = dict(only=priced, skip=[], seeds=[0], renderer='renderer')
stages['renderer'] = dict(
    config='../renderers/renderer_demo.py', slot='model', only=priced, seeds=[0]
)
stages['rendered_action'] = dict(
    _base_.from_scratch.action, **rendered, metrics=dict(top1_rendered='acc/top1')
)
for name in ('image_raw', 'mean_raw', 'clip_raw'):
    stages[f'rendered_{name}'] = {**_base_.from_raw[name], **rendered}
stages['rendered_video_raw'] = {
    **_base_.fresh['video_raw'],
    **rendered,
    'load': 'rendered_image_raw',
}
# Not one of the panel: who knows the noise subtracts it, and has to find more.
stages['known'] = dict(
    stages['patient_image_raw'],
    anonymizer_options=dict(known_noise=True),
    metrics=dict(cmap_known='privacy/cMAP'),
)
del stages['known']['attacker']
del name, stage, changes, movement, files
protocol = dict(
    title='Demo set: a price on information',
    seeds=[0, 1, 2],
    methods=methods,
    stages=stages,
    report=dict(
        method='price',
        attack_columns=[
            *_base_.own_columns,
            _base_.rendered_column,
            dict(
                metric='cmap_known',
                title='cMAP where the noise is known',
                higher_is_better=False,
                chance='cmap_chance',
            ),
            'psnr',
            'ssim',
        ],
        obfuscations=of_demo.report.obfuscations,
        curves={
            'price': ['low price', 'price', 'high price'],
            'SPAct': ['SPAct, ω 2', 'SPAct', 'SPAct, ω 32'],
        },
        goal=dict(min_top1_kept=0.98, min_advantage_removed=0.8),
        data='the rendered demo set (480/160 videos, 1200/400 images; 8 actions, 6 attributes)',
        notes=[
            'The figures are drawn: the demo shows the mechanism and says nothing about protection '
            'in the real world.',
            _base_.bound,
        ],
    ),
)
