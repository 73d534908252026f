# A reconstruction attack on VISPR: a UNet as large as f_A learns to undo f_A, by the settings with
# which f_A learns the identity (spact_r3d_ucf101.py). The images are those of
# privacy_resnet50_vispr1.py, so the attacker trained there can be tested on the reconstructions.
_base_ = ['../_base_/default_runtime.py', '../_base_/datasets/vispr_images.py']

model = dict(
    type='ReconstructionAttack',
    # The anonymizer, and the checkpoint of the minimax training with its weights.
    anonymizer=dict(type='IdentityAnonymizer'),
    checkpoint=None,
    # with_cp=True: less than half of the activation memory, about a tenth slower.
    inverter=dict(type='UNetAnonymizer', base_channels=64, num_levels=4, with_cp=False),
)
custom_hooks = [dict(type='ReproducibleEpochHook')]
train_cfg = dict(type='ResumableTrainLoop', by_epoch=True, max_epochs=20)
optim_wrapper = dict(optimizer=dict(type='Adam', lr=1e-3))
auto_scale_lr = dict(enable=False, base_batch_size=32)
param_scheduler = [dict(type='LinearLR', start_factor=0.01, by_epoch=True, begin=0, end=5)]
test_cfg = dict()
test_evaluator = dict(type='ReconstructionMetric')
