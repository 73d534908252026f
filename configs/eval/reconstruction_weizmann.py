# A reconstruction attack on frames of the Weizmann actions: a UNet learns to undo the anonymizer.
_base_ = [
    '../_base_/default_runtime.py',
    '../_base_/datasets/weizmann_frames.py',
    '../_base_/attackers/small_inverter.py',
]
