# Weizmann's frames with a validation split for comparing attackers, of an action that no attacker
# has seen.
_base_ = './weizmann_frames.py'
val_dataloader = dict(
    **_base_.loader,
    dataset=dict(
        ann_file=f'{_base_.weizmann_root}/fold{_base_.fold}/attacker_val.json', **_base_.evaluated
    ),
)
val_cfg = dict()
# Metrics of single frames, and of the averaged scores of ten frames of a video.
val_evaluator = [
    dict(type='PrivacyAttributeMetric', single_label=True, prefix='frame'),
    dict(type='PrivacyAttributeMetric', single_label=True, level='video', prefix='video'),
]
test_evaluator = val_evaluator
