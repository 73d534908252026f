# An attacker who looks at movement alone, with a 3D network: the differences of a clip's frames.
# They do not contain still parts of the scene, nor noise that the frames share.
_base_ = './attack_clip_demo.py'

model = dict(data_preprocessor=dict(view='clip_difference'))
