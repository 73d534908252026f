# A price on information (docs/method.md) on UCF101 and VISPR: see price_r3d_demo.py. Networks,
# data and rates are those of spact_r3d_ucf101.py; the last stage has half of the epochs, as all of
# its iterations train f_A and f_T. This recipe has not been run: noise,
# price and the target of the action's loss are taken from the demo set, in proportion.
_base_ = ['./spact_r3d_ucf101.py', './_base_/price.py']
_base_.model.pop('privacy_weight')
_base_.optim_wrapper.pop('privacy_branch')
_base_.param_scheduler.pop('privacy_branch')

# ---- Model ------------------------------------------------------------------------------------
model = dict(
    **_base_.price,
    # f_A sends means of 8 x 8 pixels: 14 x 14 numbers for each colour.
    anonymizer=dict(**_base_.channel, _delete_=True, anonymizer=_base_.model.anonymizer, stride=8),
    # The price rises until the action's loss has this value; chance is log(101) = 4.62.
    target_action_loss=2.2,
)

# ---- Schedule ---------------------------------------------------------------------------------
_base_.custom_hooks[0].schedule[2].update(_base_.together, epochs=150)
custom_hooks = [*_base_.custom_hooks, dict(_base_.ramp, end='minimax+30')]
val_evaluator = test_evaluator = [*_base_.val_evaluator, _base_.rate]
