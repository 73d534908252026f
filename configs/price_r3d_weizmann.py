# A price on information (docs/method.md) on the Weizmann actions: see price_r3d_demo.py. Networks
# and data are those of spact_r3d_weizmann.py.
_base_ = ['./spact_r3d_weizmann.py', './_base_/price.py']
_base_.model.pop('privacy_weight')
_base_.optim_wrapper.pop('privacy_branch')
_base_.param_scheduler.pop('privacy_branch')

# ---- Model ------------------------------------------------------------------------------------
model = dict(
    **_base_.price,
    # f_A sends means of 4 x 4 pixels: 16 x 16 numbers for each colour. The demo's noise (0.15 and
    # 0.05) took three times the bits with one seed; docs/results.md has all tries.
    anonymizer=dict(
        _base_.channel,
        _delete_=True,
        sigma_shared=0.1,
        sigma_frame=0.1,
        anonymizer=_base_.model.anonymizer,
        stride=4,
    ),
    # The price rises until the action's loss has this value; chance is log(9) = 2.20.
    target_action_loss=0.4,
)

# ---- Schedule ---------------------------------------------------------------------------------
_base_.custom_hooks[0].schedule[2].update(_base_.together, epochs=12)
custom_hooks = [*_base_.custom_hooks, dict(_base_.ramp, end='minimax+4')]
val_evaluator = test_evaluator = [*_base_.val_evaluator, _base_.rate]
