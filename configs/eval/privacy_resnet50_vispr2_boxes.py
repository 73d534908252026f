# privacy_resnet50_vispr2.py with boxes of persons, for BlackenAnonymizer (docs/person_boxes.md).
_base_ = './privacy_resnet50_vispr1_boxes.py'
attributes = 'VISPR2'
train_dataloader = dict(dataset=dict(attributes=attributes))
val_dataloader = dict(dataset=dict(attributes=attributes))
test_dataloader = dict(dataset=dict(attributes=attributes))
