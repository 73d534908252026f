# An attacker who looks at changes: the mean absolute difference of successive frames beside one of
# these differences, which no static picture hides.
_base_ = './attack_mean_demo.py'

model = dict(data_preprocessor=dict(view='difference'))
