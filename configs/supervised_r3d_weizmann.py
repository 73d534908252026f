# The supervised adversarial baseline (Wu et al.) on the Weizmann actions: f_B learns the person in
# each frame from labels, which SPAct does without. Everything else is as in spact_r3d_weizmann.py.
_base_ = './spact_r3d_weizmann.py'
_base_.model.pop('privacy_branch')

num_persons = 9
model = dict(
    privacy_weight=2.0,
    max_action_loss=0.5,
    privacy_branch=dict(
        type='AttributePrivacyBranch',
        backbone=dict(type='mmpretrain.ResNet', depth=18, base_channels=16, stem_channels=16),
        # Held-out persons of the fold have no frame; labels are the same as for the attackers.
        head=dict(type='mmpretrain.LinearClsHead', num_classes=num_persons, in_channels=128),
    ),
)

privacy_pipeline = [
    dict(type='LoadVideoFrame', cache=dict(max_gib=1.0)),
    dict(type='SquareCrop', scale=1.0, random=False),
    dict(type='mmpretrain.Resize', scale=(_base_.size + 8, _base_.size + 8)),
    dict(type='mmpretrain.RandomCrop', crop_size=_base_.size),
    dict(type='mmpretrain.RandomFlip', prob=0.5),
    dict(type='mmpretrain.PackInputs', meta_keys=('video_id',)),
]
privacy_dataloader = dict(
    _delete_=True,
    batch_size=16,
    **_base_.training,
    dataset=dict(
        type='ReproducibleDataset',
        dataset='VideoAttributeDataset',
        ann_file=f'{_base_.weizmann_root}/fold{_base_.fold}/anonymizer_identity.json',
        data_prefix=dict(video=f'{_base_.weizmann_root}/videos'),
        single_label=True,
        frames_per_video=8,
        pipeline=privacy_pipeline,
    ),
)
