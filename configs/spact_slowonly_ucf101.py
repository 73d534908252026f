# SPAct with MMAction2's SlowOnly-R50 in place of R3D-18.
_base_ = ['./spact_r3d_ucf101.py', './_base_/recognizers/slowonly_r50.py']
recognizer = _base_.pop('recognizer')
recognizer.backbone.pretrained = None  # by default the 2D ImageNet weights of torchvision
recognizer.cls_head.num_classes = 101
model = dict(recognizer=dict(_delete_=True, **recognizer))
del recognizer
