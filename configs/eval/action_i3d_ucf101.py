# The fresh action target of action_r3d_ucf101.py with MMAction2's I3D-R50 in place of R3D-18.
_base_ = ['./action_r3d_ucf101.py', '../_base_/recognizers/i3d_r50.py']
model = _base_.pop('recognizer')
model.data_preprocessor.update(_base_.anonymized)
model = dict(_delete_=True, **model)
