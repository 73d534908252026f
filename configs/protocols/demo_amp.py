# Does a training in mixed precision end where one in float32 does? SPAct on the demo set, with
# float32 evaluations of both.
_base_ = './demo.py'
_base_.pop('protocol')

float32 = dict(config='../spact_r3d_demo.py', options=_base_.untested)
protocol = dict(
    title='Demo set: a training in bfloat16',
    seeds=[0, 1, 2],
    methods=[
        dict(name='SPAct', train=float32),
        dict(
            name='SPAct, bfloat16',
            train=dict(
                config=float32['config'],
                options={
                    **_base_.untested,
                    'optim_wrapper.type': 'AmpOptimWrapper',
                    'optim_wrapper.dtype': 'bfloat16',
                },
            ),
        ),
    ],
    stages=dict(
        action=dict(config='../eval/action_r3d_demo.py', metrics=dict(top1='acc/top1')),
        privacy=dict(config='../eval/privacy_resnet_demo.py', metrics=_base_.attacker_metrics),
    ),
    report=dict(
        data='the rendered demo set (480/160 videos, 1200/400 images; 8 actions, 6 attributes)',
        notes=[],
    ),
)
