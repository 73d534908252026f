# The attacker of attack_convnext_vispr1.py, trained there, tested on the frames of PA-HMDB51.
_base_ = ['./attack_convnext_vispr1.py', '../_base_/datasets/pa_hmdb51_frames.py']
# Augmentation does not affect a test. But with it a protocol would cache the frames and so round
# them, unlike the frames of the attacker's training.
model = dict(data_preprocessor=dict(augment=None))
_base_.pop('test_pipeline')
test_dataloader = dict(dataset=dict(_delete_=True, **_base_.pop('pa_frames')))
test_evaluator = dict(columns=_base_.pop('pa_columns'))
