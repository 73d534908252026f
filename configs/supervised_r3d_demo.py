# The supervised adversarial baseline (Wu et al.) on the demo set: f_B predicts the attributes from
# labels, which SPAct does without. Except for f_B, privacy_weight and max_action_loss,
# everything is as in spact_r3d_demo.py.
_base_ = './spact_r3d_demo.py'
_base_.model.pop('privacy_branch')

attributes = ['dark_skin', 'long_hair', 'glasses', 'shirt_print', 'hat', 'companion']
model = dict(
    privacy_branch=dict(
        type='AttributePrivacyBranch',
        backbone=dict(type='mmpretrain.ResNet', depth=18, base_channels=16, stem_channels=16),
        head=dict(
            type='mmpretrain.MultiLabelLinearClsHead',
            num_classes=len(attributes),
            in_channels=128,
            # MMPretrain sums the loss over the attributes; this weight makes it their mean.
            loss=dict(
                type='mmpretrain.CrossEntropyLoss',
                use_sigmoid=True,
                loss_weight=1 / len(attributes),
            ),
        ),
    ),
    privacy_weight=5.0,
    max_action_loss=0.2,
)
privacy_dataloader = dict(dataset=dict(attributes=attributes))
