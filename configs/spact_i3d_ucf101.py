# SPAct with MMAction2's I3D-R50 in place of R3D-18.
_base_ = ['./spact_r3d_ucf101.py', './_base_/recognizers/i3d_r50.py']
recognizer = _base_.pop('recognizer')
recognizer.backbone.update(pretrained=None, pretrained2d=False)  # by default 2D ImageNet weights
recognizer.cls_head.num_classes = 101
model = dict(recognizer=dict(_delete_=True, **recognizer))
del recognizer
