# Weizmann's frames with the split on which attackers are compared, of an action that none has seen.
_base_ = './weizmann_frames.py'
val_dataloader = dict(
    **_base_.loader,
    dataset=dict(
        ann_file=f'{_base_.weizmann_root}/fold{_base_.fold}/attacker_val.json', **_base_.evaluated
    ),
)
val_cfg = dict()
# Frame by frame, and with the scores of ten frames of a video averaged.
val_evaluator = [
    dict(type='PrivacyAttributeMetric', single_label=True, prefix='frame'),
    dict(type='PrivacyAttributeMetric', single_label=True, level='video', prefix='video'),
]
test_evaluator = val_evaluator
