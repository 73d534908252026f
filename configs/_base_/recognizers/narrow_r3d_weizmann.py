# The network for Weizmann: a first kernel that is longer in time.
_base_ = './narrow_r3d.py'
_base_.narrow_r3d.backbone.update(
    conv1_kernel=(5, 3, 3), with_pool1=False, spatial_strides=(2, 2, 2)
)
_base_.narrow_r3d.cls_head.update(num_classes=9)
