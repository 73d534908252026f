# A fresh privacy attacker f'_B on VISPR behind a frozen anonymizer; raw images by default. The
# settings are those of TeD-SPAD's evaluation, except choices of this project, marked [here].
_base_ = ['../_base_/default_runtime.py', '../_base_/datasets/vispr_images.py']

num_attributes = 7
model = dict(
    type='mmpretrain.ImageClassifier',
    _scope_='mmpretrain',
    data_preprocessor=dict(
        type='AnonymizedImagePreprocessor',
        # The anonymizer, and the checkpoint of the minimax training with its weights;
        # anonymizer=None takes the anonymizer of the checkpoint.
        anonymizer=dict(type='IdentityAnonymizer'),
        checkpoint=None,
        mean=[0] * 3,
        std=[255] * 3,
        num_classes=num_attributes,
        to_onehot=False,
    ),
    backbone=dict(type='ResNet', depth=50),  # from scratch
    neck=dict(type='GlobalAveragePooling'),
    head=dict(
        type='MultiLabelLinearClsHead',
        num_classes=num_attributes,
        in_channels=2048,
        # MMPretrain sums the binary cross entropy over the attributes; this weight makes it their
        # mean.
        loss=dict(type='CrossEntropyLoss', use_sigmoid=True, loss_weight=1 / num_attributes),
    ),
)
custom_hooks = [dict(type='ReproducibleEpochHook')]

train_cfg = dict(type='ResumableTrainLoop', by_epoch=True, max_epochs=100, val_interval=25)
optim_wrapper = dict(optimizer=dict(type='Adam', lr=2e-4))  # nominally 1e-3, which is not reached
auto_scale_lr = dict(enable=False, base_batch_size=32)
iterations = dict(by_epoch=True, convert_to_iter_based=True)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, begin=0, end=5, **iterations),  # [here]
    # TeD-SPAD divides the rate by 5 when the training loss stops falling. MMEngine's
    # ReduceOnPlateauLR sees only metrics of a validation, never the training loss; fixed epochs
    # [here] also give all methods the same schedule.
    dict(type='MultiStepLR', by_epoch=True, milestones=[60, 85], gamma=0.2),
]

# The published validation split, on which attackers are compared. For each attacker the last
# checkpoint is used; there is no selection.
val_dataloader = dict(
    **_base_.loader,
    dataset=dict(ann_file=f'{_base_.vispr_root}/vispr_val.json', **_base_.evaluated),
)
val_cfg = dict()
test_cfg = dict()
val_evaluator = dict(type='PrivacyAttributeMetric')
test_evaluator = dict(type='PrivacyAttributeMetric')
