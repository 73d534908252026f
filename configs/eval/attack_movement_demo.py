# An attacker who looks at movement alone, with a 3D network: the differences of a clip's frames.
# What stands still, and noise that the frames share, is not in them.
_base_ = './attack_clip_demo.py'

model = dict(data_preprocessor=dict(view='clip_difference'))
