# MMAction2's model config under the name that recipes put into MinimaxAnonymization.
_base_ = 'mmaction::_base_/models/x3d.py'
recognizer = _base_.pop('model')
recognizer.cls_head.num_classes = 101
