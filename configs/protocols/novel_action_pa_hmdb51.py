# Novel actions, tested on PA-HMDB51: novel_action.py with other videos for the target.
_base_ = ['./novel_action.py', '../_base_/datasets/hmdb51_without_pa.py']
protocol = dict(
    title='UCF101 to PA-HMDB51: novel actions',
    methods=[
        *_base_.untrained,
        dict(**_base_.blackening, options=dict(novel_action_pa=_base_.hmdb51_boxes)),
        *_base_.trained_on_ucf101,
        dict(**_base_.price_on_ucf101, options=dict(novel_action_pa=_base_.ramps.action)),
    ],
    stages=dict(
        _delete_=True,
        novel_action_pa=dict(
            config='../eval/action_r3d_hmdb51.py',
            options={
                'train_dataloader.dataset': _base_.train_videos,
                'test_dataloader.dataset': _base_.test_videos,
            },
            metrics=dict(top1='acc/top1'),
        ),
    ),
    report=dict(
        published=_base_.published.novel_action_pa_hmdb51,
        data='f_A: UCF101 split 1 (9,537 videos), VISPR (10,000 images); HMDB51 without '
        'PA-HMDB51 (6,251 videos), PA-HMDB51 (515 videos)',
        notes=[
            *_base_.protocol.report.notes,
            'HMDB51 cuts several clips from one film, so clips of a film may be on both sides.',
        ],
    ),
)
