# A price on information (docs/method.md) on the demo set. Networks and data are those of
# spact_r3d_demo.py; _base_/price.py has what the recipes of a price share.
_base_ = ['./spact_r3d_demo.py', './_base_/price.py']
_base_.model.pop('privacy_weight')
_base_.model.pop('max_action_loss')
_base_.optim_wrapper.pop('privacy_branch')
_base_.param_scheduler.pop('privacy_branch')

# ---- Model ------------------------------------------------------------------------------------
model = dict(
    **_base_.price,
    # f_A sends means of 4 x 4 pixels: 12 x 12 numbers for each colour.
    anonymizer=dict(**_base_.channel, _delete_=True, anonymizer=_base_.model.anonymizer, stride=4),
    # The price rises until the action's loss has this value; chance is log(8) = 2.08.
    target_action_loss=0.6,
)

# ---- Schedule ---------------------------------------------------------------------------------
_base_.custom_hooks[0].schedule[2].update(_base_.together, epochs=12)
custom_hooks = [*_base_.custom_hooks, dict(_base_.ramp, end='minimax+4')]
val_evaluator = test_evaluator = [*_base_.val_evaluator, _base_.rate]
