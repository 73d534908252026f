# A price on information (docs/method.md) on the demo set: f_A's frames pass a noisy channel, and
# f_A pays a price for the information that it sends. There is no adversary and no label; networks
# and data are those of spact_r3d_demo.py.
_base_ = './spact_r3d_demo.py'
anonymizer = _base_.model.anonymizer
for key in ('anonymizer', 'privacy_weight', 'max_action_loss'):
    _base_.model.pop(key)
for part in (_base_.optim_wrapper, _base_.param_scheduler):
    part.pop('privacy_branch')

# ---- Model ------------------------------------------------------------------------------------
model = dict(
    type='PricedAnonymization',
    # f_A sends means of 4 x 4 pixels: 12 x 12 numbers for each colour.
    anonymizer=dict(
        type='GaussianChannel',
        anonymizer=anonymizer,
        sigma_shared=0.15,
        sigma_frame=0.05,
        stride=4,
    ),
    privacy_branch=None,
    # The price rises until the action's loss has this value; chance is log(8) = 2.08.
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
