# The attacker of privacy_mobilenetv3_vispr1.py on seven other attributes; their list is unconfirmed
# (spact_mm/datasets/vispr.py).
_base_ = './privacy_mobilenetv3_vispr1.py'
attributes = 'VISPR2'
train_dataloader = dict(dataset=dict(attributes=attributes))
val_dataloader = dict(dataset=dict(attributes=attributes))
test_dataloader = dict(dataset=dict(attributes=attributes))
