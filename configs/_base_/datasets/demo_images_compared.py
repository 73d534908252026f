# The demo set's images with a validation split for comparing attackers, of training persons who are
# in no attacker's training.
_base_ = './demo_images.py'
val_dataloader = dict(
    **_base_.loader,
    dataset=dict(ann_file=f'{_base_.demo_root}/attacker_val_attributes.json', **_base_.evaluated),
)
val_evaluator = dict(type='PrivacyAttributeMetric')
test_evaluator = val_evaluator
