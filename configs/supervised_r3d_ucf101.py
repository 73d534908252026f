# Adversarial training with labels after Wu et al. (arXiv 1906.05675), a baseline of SPAct's tables:
# f_B predicts labelled attributes. Everything else is as in spact_r3d_ucf101.py, so the two recipes
# differ only in f_B and its inputs. Sources: [SPAct] that recipe, [Wu] the official code of Wu et
# al., [unconfirmed] a statement on their method that was not checked, [here] a choice of this
# project where the sources are silent or not followed.
_base_ = './spact_r3d_ucf101.py'

num_attributes = 7  # VISPR1, the attributes of the "known attributes" protocol [SPAct]
model = dict(
    privacy_branch=dict(
        _delete_=True,
        type='AttributePrivacyBranch',
        # One network for a fair comparison [here], ResNet-50 like f_B of SPAct [SPAct]; the
        # original takes the worst of an ensemble of 1 to 4 networks that are restarted regularly
        # [Wu].
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
            # Binary cross entropy [unconfirmed]. MMPretrain sums the loss over the attributes; the
            # weight makes it their mean, the default of torch, so that omega has the same effect
            # for any number of attributes [here].
            loss=dict(
                type='mmpretrain.CrossEntropyLoss', use_sigmoid=True, loss_weight=1 / num_attributes
            ),
        ),
    ),
    # omega in L_T - omega * BCE [unconfirmed], as in SPAct's recipe [here]. The original has
    # instead a loss that pulls f_B's outputs to all ones, with weight 0.5 [Wu].
    privacy_weight=1.0,
)

# One view of each image: with labels no second view is needed for a comparison, which saves f_A
# half of the privacy images [here]. The view is augmented as in SPAct [SPAct].
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
