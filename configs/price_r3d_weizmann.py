# A price on information (docs/method.md) on the Weizmann actions: see price_r3d_demo.py. Networks
# and data are those of spact_r3d_weizmann.py. This recipe has not been run as a whole.
_base_ = './spact_r3d_weizmann.py'
anonymizer = _base_.model.anonymizer
for key in ('anonymizer', 'privacy_weight'):
    _base_.model.pop(key)
for part in (_base_.optim_wrapper, _base_.param_scheduler):
    part.pop('privacy_branch')

# ---- Model ------------------------------------------------------------------------------------
model = dict(
    type='PricedAnonymization',
    # f_A sends means of 4 x 4 pixels: 16 x 16 numbers for each colour.
    anonymizer=dict(
        type='GaussianChannel',
        anonymizer=anonymizer,
        sigma_shared=0.15,
        sigma_frame=0.05,
        stride=4,
    ),
    privacy_branch=None,
    # The price rises until the action's loss has this value; chance is log(9) = 2.20.
    target_action_loss=0.6,
    rate_weight=3e-5,
)
del anonymizer, part, key

# ---- Schedule ---------------------------------------------------------------------------------
_base_.custom_hooks[0].schedule[2].update(epochs=20)
custom_hooks = [
    *_base_.custom_hooks,
    dict(type='NoiseRampHook', low=0.1, begin='minimax', end='minimax+4'),
]
val_evaluator = [*_base_.val_evaluator, dict(type='RateMetric')]
test_evaluator = val_evaluator
