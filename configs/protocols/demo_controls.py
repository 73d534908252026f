# Does the protocol measure correctly? Anonymizers with known answers, on the demo set: grey leaves
# nothing, so the result must be chance. A UNet that is trained to reproduce its input leaves
# everything, so the result must be raw's numbers; the same holds for a recolouring, which can be
# undone.
_base_ = './demo.py'
_base_.pop('protocol')

protocol = dict(
    title='Demo set: controls',
    seeds=[0, 1, 2],
    methods=[
        _base_.untrained[0],
        dict(name='grey', anonymizer=dict(type='ConstantAnonymizer')),
        dict(name='recolouring', anonymizer=dict(type='RecolorAnonymizer')),
        dict(
            name='reconstruction only',
            train=dict(
                config='../spact_r3d_demo.py',
                options={
                    **_base_.untested,
                    'custom_hooks.0.schedule.1.epochs': 0,
                    'custom_hooks.0.schedule.2.epochs': 0,
                },
            ),
        ),
    ],
    stages=_base_.fresh,
    report=dict(
        data='the rendered demo set (480/160 videos, 1200/400 images; 8 actions, 6 attributes)',
        notes=['Grey video has one picture for all: a network can only always answer the same.'],
    ),
)
