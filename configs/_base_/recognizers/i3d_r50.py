# MMAction2's model config under the name that recipes put into MinimaxAnonymization.
_base_ = 'mmaction::_base_/models/i3d_r50.py'
recognizer = _base_.pop('model')
recognizer.backbone.update(pretrained=None, pretrained2d=False)  # by default 2D ImageNet weights
recognizer.cls_head.num_classes = 101
