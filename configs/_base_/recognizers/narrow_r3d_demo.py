# The network for the demo's small frames: a 3x3x3 stem with pooling.
_base_ = './narrow_r3d.py'
_base_.narrow_r3d.backbone.update(
    conv1_kernel=(3, 3, 3), pool1_stride_t=1, spatial_strides=(1, 2, 2)
)
_base_.narrow_r3d.cls_head.update(num_classes=8)
