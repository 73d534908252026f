# An attacker who sees 16 frames of a video at once, as the channels of one picture.
_base_ = './attack_mean_demo.py'

model = dict(data_preprocessor=dict(view='stack'), backbone=dict(in_channels=48))
