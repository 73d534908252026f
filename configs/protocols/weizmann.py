# Real people: nine actions of nine persons (tools/data/weizmann). Utility is recognizing actions of
# persons who are in no training. Privacy is identifying one of nine persons in actions that are in
# no training. f_A is trained without the persons and the actions that the fold holds out.
_base_ = './_base_/common.py'

of_fold = dict(fold='{fold}')
anonymizer_train = '{{$WEIZMANN_ROOT:data/weizmann}}/fold{fold}/anonymizer_train.txt'
# The score of the recipe's own f_T is not needed here.
untested = {'train_cfg.val_begin': 1000}
# Identifying one of nine persons. Attackers are chosen on an action that is neither in their
# training nor in the test.
attack = dict(options=of_fold, attacker=dict(score='video/top1', chance='video/top1_chance'))
# Linking two videos of one person, for the three persons who are in no training.
link_metrics = dict(
    image=dict(
        link_auc='link/AUC',
        link_eer='link/EER',
        link_rank1='link/Rank1',
        link_chance='link/AUC_chance',
        link_rank1_chance='link/Rank1_chance',
    ),
    motion=dict(
        link_auc_motion='link/AUC', link_eer_motion='link/EER', link_rank1_motion='link/Rank1'
    ),
)
link_columns = [
    dict(
        metric=f'link_{key}{suffix}',
        title=f'linking {title} by {what}',
        higher_is_better=key == 'eer',
        chance='link_rank1_chance' if key == 'rank1' else 'link_chance',
        is_attack=key == 'auc',
    )
    for suffix, what in (('', 'frames'), ('_motion', 'motion'))
    for key, title in (('auc', 'AUC'), ('eer', 'EER'), ('rank1', 'Rank-1'))
]

# The attacks that undo the anonymizer, and those from raw weights, take most of the time; they run
# only where there is something to undo.
not_undone = ['raw', 'downsample 2×', 'weak blur', 'strong blur']
# The most expensive attackers run with one seed in all folds. If one of them is the strongest
# there, it has to run with all seeds.
once = dict(seeds=[0])
undoing = dict(train=False, inverter='inverter', **attack, **once, skip=not_undone)
linking = {
    view: dict(
        options=of_fold,
        metrics=metrics,
        seeds={'downsample 4×': [0], 'strong blur': [0]},
        skip=['downsample 2×', 'weak blur'],
    )
    for view, metrics in link_metrics.items()
}

protocol = dict(
    title='Weizmann actions: action recognition against identity',
    seeds=[0, 1, 2],
    folds=[0, 1, 2],
    methods=[
        *_base_.untrained[:3],
        # The kernels for 112 x 112 (13 and 21, sigma 10) in proportion to 64 x 64.
        dict(
            name='weak blur',
            anonymizer=dict(type='GaussianBlurAnonymizer', kernel_size=7, sigma=5.7),
        ),
        dict(
            name='strong blur',
            anonymizer=dict(type='GaussianBlurAnonymizer', kernel_size=13, sigma=5.7),
        ),
        dict(
            name='supervised',
            train=dict(config='../supervised_r3d_weizmann.py', options={**of_fold, **untested}),
        ),
        dict(
            name='SPAct',
            train=dict(config='../spact_r3d_weizmann.py', options={**of_fold, **untested}),
        ),
    ],
    stages=dict(
        # Fresh models, from scratch.
        action=dict(
            config='../eval/action_r3d_weizmann.py',
            options=of_fold,
            metrics=dict(top1='acc/top1'),
        ),
        # Attackers on raw frames; the others start from their weights. Trained from scratch on
        # anonymized frames, an attacker may find nothing only because its training is too short.
        image=dict(
            config='../eval/attack_image_weizmann.py',
            **attack,
            metrics=dict(cmap='video/cMAP', identity_top1_frame='frame/top1'),
            skip=not_undone[1:],
        ),
        resnet=dict(
            config='../eval/privacy_resnet_weizmann.py', **attack, skip=not_undone[1:], **once
        ),
        mean=dict(config='../eval/attack_mean_weizmann.py', **attack, only=['raw']),
        difference=dict(
            config='../eval/attack_difference_weizmann.py', **attack, only=['raw'], **once
        ),
        # This attacker sees gait.
        clip=dict(config='../eval/attack_clip_weizmann.py', **attack, only=['raw']),
        image_raw=dict(
            config='../eval/attack_image_weizmann.py', load='raw:image', **attack, skip=['raw']
        ),
        mean_raw=dict(
            config='../eval/attack_mean_weizmann.py', load='raw:mean', **attack, skip=['raw']
        ),
        difference_raw=dict(
            config='../eval/attack_difference_weizmann.py',
            load='raw:difference',
            **attack,
            **once,
            skip=not_undone,
        ),
        clip_raw=dict(
            config='../eval/attack_clip_weizmann.py', load='raw:clip', **attack, skip=['raw']
        ),
        # Starts from the weights of an action target, which has learnt to see through f_A. The
        # target above cannot be used, as it has seen clips of the attackers' test.
        action_apart=dict(
            config='../eval/action_r3d_weizmann.py',
            options={
                **of_fold,
                'train_dataloader.dataset.dataset.dataset.ann_file': anonymizer_train,
            },
            **once,
            skip=not_undone[1:],
        ),
        target=dict(
            config='../eval/attack_clip_weizmann.py',
            load='action_apart',
            attacker=attack['attacker'],
            # The target has another head.
            options={**of_fold, 'default_hooks.checkpoint.strict': False},
            **once,
            skip=not_undone[1:],
        ),
        # Attackers who first undo the anonymizer, then use the attackers on raw video.
        inverter=dict(
            config='../eval/reconstruction_weizmann.py',
            slot='model',
            options=of_fold,
            metrics=dict(psnr='reconstruction/PSNR', ssim='reconstruction/SSIM'),
            **once,
            skip=not_undone,
        ),
        undone=dict(config='../eval/attack_image_weizmann.py', load='raw:image', **undoing),
        undone_mean=dict(config='../eval/attack_mean_weizmann.py', load='raw:mean', **undoing),
        # Attackers who link videos of persons who are in no training.
        linking_image=dict(config='../eval/link_image_weizmann.py', **linking['image']),
        linking=dict(config='../eval/link_clip_weizmann.py', **linking['motion']),
    ),
    # A check whether attackers have trained enough.
    strength=dict(methods=['raw', 'SPAct'], seeds=[0], folds=[0]),
    report=dict(
        attack_columns=['psnr', 'ssim', *link_columns],
        obfuscations=[method.name for method in _base_.untrained[1:]],
        x='identity_top1',
        x_title='identity Top-1',
        goal=dict(min_top1_kept=0.9, min_advantage_removed=0.5),
        data='Weizmann actions without skip, 64×64 (83 clips, 9 actions, 9 persons)',
        notes=[
            'Real people, but few: a test clip is 3.5 points of a fold. Look at the means over '
            'folds and seeds, and at their spread.',
            'Identity is that of nine known persons, by the scores of ten frames or clips of a '
            'video. Part of it is the tint of the wall on the day of the recording, and clothes.',
            'Chance is that of always naming the person with the most clips.',
            'Frames are rewritten one by one. Gait, body shape, place and time stay; linking by '
            'motion alone looks at them.',
            'Linking: are two videos, of different actions, of the same person, one of three who '
            'are in no training. By frames it is in large part the wall of the day; by motion, '
            'differences of frames, what stands still is not seen.',
        ],
    ),
)
