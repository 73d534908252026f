# Settings shared by the protocols that tools/data/folders writes for the user's own videos:
# methods, a fresh action target, and a panel of attackers if there are labels to find out.
_base_ = './common.py'

evaluation = '{{ fileDirname }}/../../eval'
# Further obfuscations are in _base_.untrained, with kernels for 112 x 112. This one is for 64 x 64.
obfuscation = dict(
    name='strong blur',
    anonymizer=dict(type='GaussianBlurAnonymizer', kernel_size=13, sigma=5.7),
)
compared = [_base_.untrained[0], obfuscation]
# The score of the recipe's own f_T is not needed here.
untested = {'train_cfg.val_begin': 1000}

action = dict(config=f'{evaluation}/action_r3d_weizmann.py', metrics=dict(top1='acc/top1'))
image = f'{evaluation}/attack_image_weizmann.py'
mean = f'{evaluation}/attack_mean_weizmann.py'
clip = f'{evaluation}/attack_clip_weizmann.py'
panel = dict(
    image=dict(config=image, metrics=dict(cmap='video/cMAP')),
    mean=dict(config=mean, only=['raw']),
    clip=dict(config=clip, only=['raw']),
    # Trained from scratch on anonymized frames, an attacker may find nothing only because its
    # training is too short.
    image_raw=dict(config=image, load='raw:image', skip=['raw']),
    mean_raw=dict(config=mean, load='raw:mean', skip=['raw']),
    clip_raw=dict(config=clip, load='raw:clip', skip=['raw']),
)

# Each video has one label, a person or a value; or any number of attributes.
of_one = dict(score='video/top1', chance='video/top1_chance')
of_several = dict(score='video/cMAP', chance='video/cMAP_chance')
# The tint of a day occurs in all parts of the user's own videos, so an attacker may use it.
attack = {'model.data_preprocessor.augment': dict(_delete_=True, flip=0.5, shift=4)}
evaluator = [dict(type='PrivacyAttributeMetric', level='video', prefix='video')]
attack_several = {
    **attack,
    'model.head.type': 'MultiLabelLinearClsHead',
    'val_evaluator': evaluator,
    'test_evaluator': evaluator,
    **{f'{part}_dataloader.dataset.single_label': False for part in ('train', 'val', 'test')},
}

protocol = dict(
    seeds=[0],
    report=dict(
        supervised=None,
        obfuscations=['strong blur'],
        notes=[
            'Frames are rewritten one by one. Gait, body shape, place and time stay.',
            'Attackers use whatever tells labels apart: clothes, the room, the light of the day '
            'and the camera, too.',
            'These models are small, see 64 x 64 and train for minutes. What attackers find is a '
            'lower bound; that they find nothing proves nothing.',
        ],
    ),
)
