# A reconstruction attack on VISPR: a UNet as large as f_A learns to undo f_A, by the settings with
# which f_A learns the identity (spact_r3d_ucf101.py). The images are those of
# privacy_resnet50_vispr1.py, so the attacker trained there can be tested on the reconstructions.
_base_ = './privacy_resnet50_vispr1.py'
for key in ('model', 'param_scheduler', 'val_dataloader', 'val_cfg', 'val_evaluator'):
    _base_.pop(key)
del key
_base_.train_cfg.pop('val_interval')

model = dict(
    type='ReconstructionAttack',
    # The anonymizer, and the checkpoint of the minimax training with its weights.
    anonymizer=dict(type='IdentityAnonymizer'),
    checkpoint=None,
    # with_cp=True: less than half of the activation memory, about a tenth slower.
    inverter=dict(type='UNetAnonymizer', base_channels=64, num_levels=4, with_cp=False),
)
train_cfg = dict(max_epochs=20)
optim_wrapper = dict(optimizer=dict(lr=1e-3))
param_scheduler = [dict(type='LinearLR', start_factor=0.01, by_epoch=True, begin=0, end=5)]
test_evaluator = dict(_delete_=True, type='ReconstructionMetric')
