# SPAct with MMAction2's X3D-M in place of R3D-18.
_base_ = ['./spact_r3d_ucf101.py', './_base_/recognizers/x3d.py']
recognizer = _base_.pop('recognizer')
recognizer.cls_head.num_classes = 101
model = dict(recognizer=dict(_delete_=True, **recognizer))
del recognizer
