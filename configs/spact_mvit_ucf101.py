# SPAct with MMAction2's MViTv2-S in place of R3D-18.
_base_ = ['./spact_r3d_ucf101.py', './_base_/recognizers/mvit_small.py']
model = dict(recognizer=dict(_delete_=True, **_base_.pop('recognizer')))
