# A reconstruction attack on the images of the demo set: a UNet learns to undo the anonymizer.
_base_ = [
    '../_base_/default_runtime.py',
    '../_base_/datasets/demo_images.py',
    '../_base_/attackers/small_inverter.py',
]
