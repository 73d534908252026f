# The fresh action target of action_r3d_ucf101.py with MMAction2's SlowOnly-R50 in place of R3D-18.
_base_ = ['./action_r3d_ucf101.py', '../_base_/recognizers/slowonly_r50.py']
model = _base_.pop('recognizer')
model.backbone.pretrained = None  # by default the 2D ImageNet weights of torchvision
model.cls_head.num_classes = 101
model.data_preprocessor.update(
    type='AnonymizedActionPreprocessor',
    anonymizer=dict(type='IdentityAnonymizer'),
    checkpoint=None,
)
model = dict(_delete_=True, **model)
