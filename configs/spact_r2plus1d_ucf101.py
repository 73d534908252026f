# SPAct with MMAction2's R(2+1)D-34 in place of R3D-18.
_base_ = ['./spact_r3d_ucf101.py', './_base_/recognizers/r2plus1d_r34.py']
model = dict(recognizer=dict(_delete_=True, **_base_.pop('recognizer')))
