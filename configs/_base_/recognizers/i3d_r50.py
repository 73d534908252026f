# MMAction2's model config under the name that recipes put into MinimaxAnonymization.
_base_ = 'mmaction::_base_/models/i3d_r50.py'
recognizer = _base_.pop('model')
