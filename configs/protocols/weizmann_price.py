# Does a price on information hide who is who? The attackers on the Weizmann actions, and attackers
# made for noise: they start with a fifth of the noise, and train twice as long; so does the action
# target. The other methods and their stages are those of weizmann.py, whose results are taken over
# by `--results docs/results/weizmann/results.jsonl`.
_base_ = ['./weizmann.py', './_base_/price.py']
of_spact = _base_.pop('protocol')
ramped = _base_.ramped
ramped[-1].end = 8


def patient(stage, **changes):
    """Return a stage with a longer training and rising noise."""
    longer = {'custom_hooks': ramped, 'train_cfg.max_epochs': 16}
    if 'attacker' in stage:
        longer['param_scheduler.total_steps'] = 16
    options = {**stage['options'], **longer}
    return dict(stage, only=['price'], skip=[], options=options, **changes)


# Behind noise a target from scratch needs the same help.
others = [method['name'] for method in of_spact.methods]
stages = {name: dict(stage) for name, stage in of_spact.stages.items()}
for name in ('action', 'action_apart', 'target'):
    stages[name]['only'] = others
for name in ('action', 'action_apart', 'image_raw', 'mean_raw', 'difference_raw', 'clip_raw'):
    stages[f'patient_{name}'] = patient(stages[name])
stages['patient_target'] = patient(stages['target'], load='patient_action_apart')
# A renderer draws calm pictures of what was sent. A target and attackers see its pictures alone.
rendered = dict(only=['price'], skip=[], seeds=[0], renderer='renderer')
stages['renderer'] = dict(
    config='../renderers/renderer_weizmann.py',
    slot='model',
    options=_base_.of_fold,
    only=['price'],
    seeds=[0],
)
stages['rendered_action'] = {
    **stages['action'],
    **rendered,
    'metrics': dict(top1_rendered='acc/top1'),
}
for name in ('image_raw', 'mean_raw', 'clip_raw'):
    stages[f'rendered_{name}'] = {**stages[name], **rendered}
# Not one of the panel: who knows the noise subtracts it, and has to find more.
stages['known'] = dict(
    stages['patient_image_raw'],
    anonymizer_options=dict(known_noise=True),
    metrics=dict(identity_known='video/top1'),
)
del stages['known']['attacker']
del name

# The lists of SPAct's training; the score of f_T is asked for.
training = dict(config='../price_r3d_weizmann.py', options=_base_.of_fold, metrics=_base_.own)
protocol = dict(
    title='Weizmann actions: a price on information',
    seeds=[0, 1, 2],
    folds=[0, 1, 2],
    methods=[
        *of_spact.methods,
        dict(name='price', train=training),
    ],
    stages=stages,
    report=dict(
        of_spact.report,
        method='price',
        attack_columns=[
            *_base_.own_columns,
            _base_.rendered_column,
            dict(
                metric='identity_known',
                title='identity Top-1 where the noise is known',
                higher_is_better=False,
            ),
            *of_spact.report.attack_columns,
        ],
        goal=dict(min_top1_kept=0.97, min_advantage_removed=0.75),
        notes=[
            note for note in of_spact.report.notes if not note.startswith('Frames are rewritten')
        ]
        + [
            _base_.bound,
            'f_T grew up with six of nine actions, so its own Top-1 cannot exceed 66.7 %.',
        ],
    ),
)
