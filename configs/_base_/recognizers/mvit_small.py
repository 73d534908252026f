# MMAction2's model config under the name that recipes put into MinimaxAnonymization.
_base_ = 'mmaction::_base_/models/mvit_small.py'
recognizer = _base_.pop('model')
recognizer.backbone.update(spatial_size=112, temporal_size=16)  # the size of the pipelines' clips
recognizer.cls_head.num_classes = 101
