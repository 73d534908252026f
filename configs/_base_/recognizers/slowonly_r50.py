# MMAction2's model config under the name that recipes put into MinimaxAnonymization.
_base_ = 'mmaction::_base_/models/slowonly_r50.py'
recognizer = _base_.pop('model')
recognizer.backbone.pretrained = None  # by default the 2D ImageNet weights of torchvision
recognizer.cls_head.num_classes = 101
