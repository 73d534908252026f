# Settings shared by the recipes for CPUs: narrow networks, and suitable optimizers and rates.
model = dict(
    type='MinimaxAnonymization',
    anonymizer=dict(type='UNetAnonymizer', base_channels=8, num_levels=3),
    # In a short minimax f_T's inputs change too fast for the usual momentum of the running mean.
    recognizer=dict(backbone=dict(norm_cfg=dict(type='BN3d', momentum=0.3, requires_grad=True))),
    privacy_branch=dict(
        type='ContrastivePrivacyBranch',
        backbone=dict(type='mmpretrain.ResNet', depth=18, base_channels=16, stem_channels=16),
        neck=dict(type='mmpretrain.MoCoV2Neck', in_channels=128, hid_channels=128, out_channels=64),
        loss=dict(type='NTXentLoss', temperature=0.1),
    ),
    # Narrow networks are faster in this format, also on CPUs.
    channels_last=True,
)
optim_wrapper = dict(
    constructor='MinimaxOptimWrapperConstructor',
    anonymizer=dict(optimizer=dict(type='Adam', lr=1.5e-2)),
    recognizer=dict(optimizer=dict(type='Adam', lr=4e-3)),
    privacy_branch=dict(optimizer=dict(type='Adam', lr=1e-3)),
)
iterations = dict(by_epoch=True, convert_to_iter_based=True)


def rise_and_fall(stage, eta_min, start_factor=0.1, begin=None):
    """Return schedulers of a stage: the rates rise in its first epoch, then fall as a cosine."""
    return [
        dict(
            type='LinearLR',
            start_factor=start_factor,
            begin=stage if begin is None else begin,
            end=f'{stage}+1',
            **iterations,
        ),
        dict(
            type='CosineAnnealingLR',
            eta_min=eta_min,
            begin=f'{stage}+1',
            end=f'{stage}.end',
            **iterations,
        ),
    ]


param_scheduler = dict(
    anonymizer=[
        *rise_and_fall('reconstruction', eta_min=2e-4, begin=0),
        dict(type='MultiStepLR', milestones=['minimax'], gamma=20, by_epoch=True),  # 4e-3
        *rise_and_fall('minimax', eta_min=3e-4),
    ],
    recognizer=[
        *rise_and_fall('warmup', eta_min=2e-4, start_factor=0.05),
        dict(type='MultiStepLR', milestones=['minimax'], gamma=10, by_epoch=True),  # 2e-3
    ],
    privacy_branch=[],
)
# The stages, of which a recipe gives the epochs.
stages = [
    dict(name='reconstruction', phase='reconstruction'),
    dict(name='warmup', phase='adversaries'),
    dict(name='minimax', phase=('anonymizer', 'adversaries')),
]
# For --auto-scale-lr: the number of clips in a batch, over all processes, for these rates.
auto_scale_lr = dict(enable=False, base_batch_size=8)

val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
val_evaluator = [dict(type='AccMetric'), dict(type='FrameChangeMetric')]
test_evaluator = val_evaluator
