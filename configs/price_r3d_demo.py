# A price on information (docs/method.md) on the demo set: f_A's frames pass a noisy channel, and it
# is charged for what it sends. No adversary and no labels; the schedule and the networks are those
# of spact_r3d_demo.py. No protocol has measured it yet.
_base_ = './spact_r3d_demo.py'
anonymizer = _base_.model.anonymizer
for key in ('anonymizer', 'privacy_weight', 'max_action_loss'):
    _base_.model.pop(key)
for part in (_base_.optim_wrapper, _base_.param_scheduler):
    part.pop('privacy_branch')

model = dict(
    type='PricedAnonymization',
    anonymizer=dict(
        type='GaussianChannel',
        anonymizer=anonymizer,
        sigma_shared=0.15,
        sigma_frame=0.05,
    ),
    privacy_branch=None,
    rate_weight=1e-4,
)
val_evaluator = [*_base_.val_evaluator, dict(type='RateMetric')]
test_evaluator = val_evaluator
del anonymizer, part, key
