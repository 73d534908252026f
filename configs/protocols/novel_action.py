# Novel actions: f_A is trained on UCF101, the action target on HMDB51.
#
# The same f_A are in known.py, novel_attributes.py and novel_action_pa_hmdb51.py: with one
# --work-dir for all four protocols, each f_A is trained once. The report is that of the last
# protocol; --report-only writes the report of another one.
_base_ = ['./_base_/common.py', './_base_/published.py']

protocol = dict(
    title='UCF101 to HMDB51: novel actions',
    seeds=[0, 1, 2],
    methods=[
        *_base_.untrained,
        dict(**_base_.blackening, options=dict(novel_action=_base_.hmdb51_boxes)),
        *_base_.trained_on_ucf101,
        dict(**_base_.price_on_ucf101, options=dict(novel_action=_base_.ramps.action)),
    ],
    stages=dict(
        novel_action=dict(config='../eval/action_r3d_hmdb51.py', metrics=dict(top1='acc/top1')),
    ),
    report=dict(
        columns=['top1'],
        published=_base_.published.novel_action,
        obfuscations=_base_.obfuscations,
        data='f_A: UCF101 split 1 (9,537 videos), VISPR (10,000 images); HMDB51 split 1 '
        '(3,570/1,530 videos)',
        notes=[
            *_base_.notes,
            'UCF101 and HMDB51 share some action classes, and both hold videos of YouTube.',
        ],
    ),
)
