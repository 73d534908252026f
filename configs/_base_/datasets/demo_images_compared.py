# The demo set's images with those on which attackers are compared: of the training persons that are
# in no attacker's training.
_base_ = './demo_images.py'
val_dataloader = dict(
    **_base_.loader,
    dataset=dict(ann_file=f'{_base_.demo_root}/attacker_val_attributes.json', **_base_.evaluated),
)
val_evaluator = dict(type='PrivacyAttributeMetric')
test_evaluator = val_evaluator
