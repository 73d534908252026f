# Does a training in mixed precision give the same result as one in float32? SPAct on the demo set,
# with float32 evaluations of both, by the stages of the controls.
_base_ = './demo_controls.py'

recipe = '../spact_r3d_demo.py'
bfloat16 = {'optim_wrapper.type': 'AmpOptimWrapper', 'optim_wrapper.dtype': 'bfloat16'}
protocol = dict(
    title='Demo set: a training in bfloat16',
    methods=[
        _base_.untrained[0],
        dict(name='SPAct', train=dict(config=recipe, options=_base_.untested)),
        dict(
            name='SPAct, bfloat16',
            train=dict(config=recipe, options={**_base_.untested, **bfloat16}),
        ),
    ],
    report=dict(notes=[]),
)
