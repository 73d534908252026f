# The attacker of privacy_resnet50_vispr1.py, trained there, on the frames of PA-HMDB51. Test only:
# python tools/test.py configs/eval/privacy_resnet50_pa_hmdb51.py CHECKPOINT
# PA-HMDB51 has no validation split: attackers are compared on VISPR's.
_base_ = ['./privacy_resnet50_vispr1.py', '../_base_/datasets/pa_hmdb51_frames.py']
for key in ('train_dataloader', 'train_pipeline', 'train_cfg', 'optim_wrapper', 'param_scheduler'):
    _base_.pop(key)
for key in ('test_pipeline', 'custom_hooks'):
    _base_.pop(key)

test_dataloader = dict(dataset=dict(_delete_=True, **_base_.pop('pa_frames')))
test_evaluator = dict(columns=_base_.pop('pa_columns'))
