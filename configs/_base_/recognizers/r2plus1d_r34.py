# MMAction2's model config under the name that recipes put into MinimaxAnonymization.
_base_ = 'mmaction::_base_/models/r2plus1d_r34.py'
recognizer = _base_.pop('model')
recognizer.backbone.norm_cfg.type = 'BN3d'  # was SyncBN; on GPUs `sync_bn='torch'` restores it
recognizer.cls_head.num_classes = 101
