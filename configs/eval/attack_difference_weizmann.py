# An attacker who looks at changes in a Weizmann video: the mean absolute difference of successive
# frames beside one of these differences.
_base_ = './attack_mean_weizmann.py'

model = dict(data_preprocessor=dict(view='difference'))
