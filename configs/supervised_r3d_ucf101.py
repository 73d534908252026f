# Adversarial training with labels after Wu et al. (arXiv 1906.05675), a baseline of SPAct's tables:
# f_B predicts labelled attributes. All else is that of spact_r3d_ucf101.py, so that
# the two recipes differ in f_B and what it is shown alone. Sources: [SPAct] that recipe, [Wu] the
# official code of Wu et al., [unconfirmed] said of their method, but not checked, [here] our choice
# where the sources are silent or are departed from.
_base_ = './spact_r3d_ucf101.py'

num_attributes = 7  # VISPR1, those of the "known attributes" protocol [SPAct]
model = dict(
    privacy_branch=dict(
        _delete_=True,
        type='AttributePrivacyBranch',
        # One net, for a fair comparison [here], ResNet-50 as f_B of SPAct [SPAct]; the worst of an
        # ensemble of 1 to 4 nets that are restarted regularly [Wu].
        backbone=dict(
            type='mmpretrain.ResNet',
            depth=50,
            # ImageNet weights of the MMPretrain zoo:
            # init_cfg=dict(type='Pretrained', prefix='backbone.', checkpoint='https://'
            #     'download.openmmlab.com/mmclassification/v0/resnet/'
            #     'resnet50_8xb32_in1k_20210831-ea4938fc.pth'),
        ),
        head=dict(
            type='mmpretrain.MultiLabelLinearClsHead',
            num_classes=num_attributes,
            in_channels=2048,
            # Binary cross entropy [unconfirmed]. MMPretrain sums it over the attributes; the weight
            # makes it their mean, the default of torch, so that omega weighs the same for any
            # number of attributes [here].
            loss=dict(
                type='mmpretrain.CrossEntropyLoss', use_sigmoid=True, loss_weight=1 / num_attributes
            ),
        ),
    ),
    # omega in L_T - omega * BCE [unconfirmed], as in SPAct's recipe [here]. In its place 0.5 weighs
    # a loss that pulls f_B's outputs to all ones [Wu].
    privacy_weight=1.0,
)

# One view of each image: with labels there is nothing that a second one would be compared with, and
# f_A is spared half of the privacy images [here]. Augmented as a view of SPAct's [SPAct].
privacy_pipeline = [
    dict(type='LoadImageRGB'),
    dict(type='SquareCrop', scale=(0.6, 1.0)),
    dict(type='mmpretrain.Resize', scale=(_base_.size, _base_.size)),
    dict(type='ClipColorJitter'),
    dict(type='FlipOrErase', flip=0.5, erase=0.25, erase_size=(9, 18)),
    dict(type='mmpretrain.PackInputs'),
]
privacy_dataloader = dict(
    batch_size=64,  # [SPAct]
    dataset=dict(attributes='VISPR1', pipeline=privacy_pipeline),
)
