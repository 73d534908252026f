# SPAct with MMAction2's MViTv2-S in place of R3D-18.
_base_ = ['./spact_r3d_ucf101.py', './_base_/recognizers/mvit_small.py']
recognizer = _base_.pop('recognizer')
recognizer.backbone.update(spatial_size=112, temporal_size=16)  # the size of the pipelines' clips
recognizer.cls_head.num_classes = 101
model = dict(recognizer=dict(_delete_=True, **recognizer))
del recognizer
