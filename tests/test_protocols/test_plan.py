"""What a protocol's config becomes."""

import shutil
from pathlib import Path

import pytest
import torch

from spact_mm.protocols import load_protocol
from spact_mm.protocols.report import _find_families

CONFIGS = Path(__file__).resolve().parents[2] / 'configs'
DEMO = CONFIGS / 'protocols' / 'demo.py'


def write_protocol(folder, methods, stages=None, **keys):
    stages = stages or dict(
        privacy=dict(
            config=str(CONFIGS / 'eval' / 'privacy_resnet_demo.py'),
            metrics=dict(cmap='privacy/cMAP'),
        )
    )
    protocol = dict(dict(seeds=[0], methods=methods, stages=stages), **keys)
    path = folder / 'mine.py'
    path.write_text(f'protocol = {protocol!r}\n')
    return path


RAW = dict(name='raw', anonymizer=dict(type='IdentityAnonymizer'))


def find(protocol, method, name, **keys):
    (stage,) = (
        s
        for s in protocol.stages
        if (s.method, s.name) == (method, name)
        and all(getattr(s, key) == value for key, value in keys.items())
    )
    return stage


def test_demo_plans_every_stage_of_every_method_and_seed():
    protocol = load_protocol(DEMO)
    # 7 methods, each with an action target, an attacker from scratch and one from the target; raw
    # has four more, of those that begin with the weights of raw's an obfuscation has four and what
    # is trained six; 3 undo, in three stages; 2 trainings.
    longer = [stage for stage in protocol.stages if stage.name.endswith('_twice')]
    once = 7 * 3 + 4 + 4 * 4 + 2 * 6 + 3 * 3 + 2
    # With one seed alone: two attackers of raw and what begins with their weights, and three of
    # each obfuscation.
    assert len(protocol.stages) - len(longer) == 3 * once - 2 * (2 + 2 * 2 + 4 * 3)
    # Those of raw and SPAct that train, with one seed.
    assert len(longer) == 6 + 7 and {stage.seed for stage in longer} == {0}
    assert protocol.methods[0] == 'raw' and protocol.methods[-1] == 'SPAct'
    assert protocol.work_dir == Path('work_dirs/protocols/demo')
    assert len({stage.folder for stage in protocol.stages}) == len(protocol.stages)
    order = {id(stage): position for position, stage in enumerate(protocol.stages)}
    for stage in protocol.stages:
        assert all(order[id(need)] < order[id(stage)] for need in stage.needs)
        assert stage.config.randomness == dict(seed=stage.seed)


def test_trained_anonymizer_reaches_the_stages_with_its_weights():
    protocol = load_protocol(DEMO, seeds=[1], methods=['SPAct'])
    training = find(protocol, 'SPAct', 'train')
    assert training.is_trained and not training.metrics
    action = find(protocol, 'SPAct', 'action')
    preprocessor = action.config.model.data_preprocessor
    assert preprocessor.type == 'AnonymizedActionPreprocessor'
    assert preprocessor.anonymizer == training.config.model.anonymizer
    assert preprocessor.checkpoint == str(training.weights)
    assert training in action.needs
    inverter = find(protocol, 'SPAct', 'inverter')
    assert inverter.config.model.checkpoint == str(training.weights)
    attack = find(protocol, 'SPAct', 'undone')
    chain = attack.config.model.data_preprocessor.anonymizer
    assert chain.type == 'SequentialAnonymizer'
    assert [(s.init_cfg.checkpoint, s.init_cfg.prefix) for s in chain.stages] == [
        (str(training.weights), 'anonymizer.'),
        (str(inverter.weights), 'inverter.'),
    ]
    # The attacker of raw images comes along, and is reported.
    assert attack.config.load_from == str(find(protocol, 'raw', 'image').weights)
    assert protocol.methods == ['raw', 'SPAct']
    # What these begin with, or would with another seed, is left out.
    assert {s.name for s in protocol.stages if s.method == 'raw'} == {'image', 'mean', 'clip'}


@pytest.mark.parametrize(
    'path', [DEMO, *map(DEMO.with_name, ('demo_controls.py', 'demo_price.py'))]
)
def test_test_persons_are_in_no_training_of_the_demo(path):
    for stage in load_protocol(path, seeds=[0]).stages:
        for loader in (
            stage.config.train_dataloader,
            stage.config.get('privacy_dataloader'),
        ):
            if loader is not None:
                assert Path(loader.dataset.ann_file).name.startswith(('train_', 'attacker_train_'))
        # Nothing is selected on test data: attackers are chosen on persons of their own.
        if stage.attacker:
            assert '/attacker_val_' in stage.config.val_dataloader.dataset.ann_file
            trained_on = stage.config.train_dataloader.dataset.ann_file
            # Those of demo_more are drawn with another seed.
            assert '/attacker_train_' in trained_on or 'demo_more/train_' in trained_on
        elif stage.metrics:
            loader = stage.config.get('val_dataloader')
            is_run = loader is not None and stage.config.train_cfg.get('val_begin', 1) < 1000
            assert not is_run or '/attacker_val_' in loader.dataset.ann_file


def test_attackers_behind_a_price_have_time_and_other_persons():
    protocol = load_protocol(DEMO.with_name('demo_price.py'), seeds=[0], methods=['price'])
    folders = {'more_image': 'img_path', 'more_clip': 'video'}
    for name, key in folders.items():
        stage = find(protocol, 'price', name)
        dataset = stage.config.train_dataloader.dataset
        assert dataset.data_prefix[key].startswith('data/demo_more/')
        assert dataset.ann_file.startswith('data/demo_more/train_')
        patient = find(protocol, 'price', name.replace('more', 'patient') + '_raw')
        assert stage.config.load_from == str(patient.weights)
    by_frames = dict(patient_video_raw='patient_image_raw', more_video='more_image')
    for name, images in by_frames.items():
        stage = find(protocol, 'price', name)
        assert stage.config.load_from == str(find(protocol, 'price', images).weights)


def test_renderer_stands_before_who_undoes_it(tmp_path):
    shared = dict(config=str(CONFIGS / 'eval' / 'attack_image_demo.py'))
    stages = dict(
        renderer=dict(config=str(CONFIGS / 'renderers' / 'renderer_demo.py'), slot='model'),
        inverter=dict(config=str(CONFIGS / 'eval' / 'reconstruction_demo.py'), slot='model'),
        rendered=dict(**shared, renderer='renderer'),
        again=dict(**shared, renderer='renderer', load='rendered'),
        both=dict(**shared, inverter='inverter', renderer='renderer'),
    )
    method = dict(name='m', train=dict(config=str(CONFIGS / 'price_r3d_demo.py')))
    protocol = load_protocol(write_protocol(tmp_path, [method], stages))
    training = find(protocol, 'm', 'train')
    renderer = find(protocol, 'm', 'renderer')
    assert renderer.config.model.checkpoint == str(training.weights)
    assert renderer.is_trained and not renderer.metrics
    loaded = find(protocol, 'm', 'again').config.load_from
    assert loaded == str(find(protocol, 'm', 'rendered').weights)
    for name, prefixes in dict(rendered=['renderer'], both=['renderer', 'inverter']).items():
        stage = find(protocol, 'm', name)
        first, *others = stage.config.model.data_preprocessor.anonymizer.stages
        assert first.type == 'GaussianChannel' and first.init_cfg.prefix == 'anonymizer.'
        assert others[0].type == 'ClipRenderer'
        assert [x.init_cfg.prefix for x in others] == [f'{prefix}.' for prefix in prefixes]
        assert [x.init_cfg.checkpoint for x in others] == [
            str(find(protocol, 'm', prefix).weights) for prefix in prefixes
        ]
        assert {renderer, training} <= set(stage.needs)


def test_attackers_of_one_anonymizer_share_its_frames(tmp_path):
    protocol = load_protocol(DEMO, tmp_path / 'w', seeds=[0], methods=['SPAct', 'raw'])
    kept = {
        stage.name: stage.config.model.data_preprocessor.cache.folder
        for stage in protocol.stages
        if stage.attacker and stage.method == 'SPAct'
    }
    assert (
        set(kept.values()) == {str(tmp_path / 'w' / 'frames')} and len(kept) == 17
    )  # seven that train, twice, and three that do not
    # Where they are kept is no part of what a result depends on.
    other = load_protocol(DEMO, tmp_path / 'v', seeds=[0], methods=['SPAct', 'raw'])
    assert [stage.hash for stage in other.stages] == [stage.hash for stage in protocol.stages]


def test_noise_is_drawn_anew_for_each_attacker(tmp_path):
    noise = dict(name='noise', anonymizer=dict(type='NoiseAnonymizer'))
    stages = dict(
        image=dict(
            config=str(CONFIGS / 'eval' / 'attack_image_demo.py'),
            attacker=dict(score='privacy/cMAP', chance='privacy/cMAP_chance'),
        )
    )
    protocol = load_protocol(write_protocol(tmp_path, [RAW, noise], stages), tmp_path / 'w')
    assert find(protocol, 'noise', 'image').config.model.data_preprocessor.get('cache') is None


def test_a_stage_may_change_the_anonymizer(tmp_path):
    channel = dict(type='GaussianChannel', anonymizer=dict(type='IdentityAnonymizer'))
    methods = [dict(name='noise', anonymizer=channel)]
    config = str(CONFIGS / 'eval' / 'attack_image_demo.py')
    image = dict(config=config, metrics=dict(cmap='privacy/cMAP'))

    def load(**options):
        known = dict(image, metrics=dict(known='privacy/cMAP'), anonymizer_options=options)
        stages = dict(image=image, known=known)
        return load_protocol(write_protocol(tmp_path, methods, stages), tmp_path / 'w')

    found = {
        stage.name: stage.config.model.data_preprocessor.anonymizer
        for stage in load(known_noise=True).stages
    }
    assert found == dict(image=channel, known=dict(channel, known_noise=True))
    with pytest.raises(ValueError, match="'known' of .* 'typo', which GaussianChannel does not"):
        load(typo=1)


def test_strength_is_of_what_the_protocol_says(tmp_path):
    stages = dict(
        image=dict(
            config=str(CONFIGS / 'eval' / 'attack_image_demo.py'),
            attacker=dict(score='privacy/cMAP', chance='privacy/cMAP_chance'),
            metrics=dict(f1='privacy/F1'),
        )
    )
    methods = [RAW, dict(name='other', anonymizer=dict(type='IdentityAnonymizer'))]

    def plan(**strength):
        path = write_protocol(tmp_path, methods, stages, seeds=[0, 1], strength=strength)
        return load_protocol(path, tmp_path / 'w').stages

    longer = [s for s in plan(methods=['other'], seeds=[1]) if s.name == 'image_twice']
    (stage,) = longer
    assert (stage.method, stage.seed, stage.metrics) == ('other', 1, {})
    assert stage.config.train_cfg.max_epochs == 24
    assert stage.config.param_scheduler.total_steps == 24
    assert len([s for s in plan() if s.name == 'image_twice']) == 4
    with pytest.raises(ValueError, match="strength of .*mine.py has 'nobody' in methods"):
        plan(methods=['nobody'])


@pytest.mark.parametrize(
    ('attacker', 'message'),
    [
        (dict(score='a'), "attacker of the stage 'image' of .*mine.py has no 'chance'"),
        (dict(score='a', chance='b', best=1), "has the unknown key 'best'"),
    ],
)
def test_attacker_without_what_it_is_judged_by_is_refused(tmp_path, attacker, message):
    config = str(CONFIGS / 'eval' / 'attack_image_demo.py')
    stages = dict(image=dict(config=config, attacker=attacker))
    with pytest.raises(ValueError, match=message):
        load_protocol(write_protocol(tmp_path, [RAW], stages))


def test_stage_is_only_for_the_methods_that_it_names(tmp_path):
    config = str(CONFIGS / 'eval' / 'privacy_resnet_demo.py')
    other = dict(name='other', anonymizer=dict(type='IdentityAnonymizer'))
    stages = dict(
        first=dict(config=config, only=['raw']), second=dict(config=config, load='raw:first')
    )
    protocol = load_protocol(write_protocol(tmp_path, [RAW, other], stages), tmp_path / 'w')
    assert [(s.method, s.name) for s in protocol.stages] == [
        ('raw', 'first'), ('raw', 'second'), ('other', 'second'),
    ]  # fmt: skip
    stages['first']['only'] = ['nobody']
    with pytest.raises(ValueError, match="The stage 'first' of .* is only for 'nobody'"):
        load_protocol(write_protocol(tmp_path, [RAW, other], stages), tmp_path / 'w')


def test_name_of_a_longer_training_is_taken(tmp_path):
    stages = dict(image_twice=dict(config='x.py'))
    with pytest.raises(ValueError, match='"_twice"'):
        load_protocol(write_protocol(tmp_path, [RAW], stages))


def test_hash_changes_with_config_lists_and_stages_before(tmp_path):
    ann = tmp_path / 'a.json'
    ann.write_text('1')

    def plan(**options):
        stages = dict(
            first=dict(
                config=str(CONFIGS / 'eval' / 'privacy_resnet_demo.py'),
                options={'train_dataloader.dataset.ann_file': str(ann), **options},
            ),
            second=dict(
                config=str(CONFIGS / 'eval' / 'privacy_resnet_demo.py'), load='first', train=False
            ),
        )
        protocol = load_protocol(write_protocol(tmp_path, [RAW], stages), tmp_path / 'w')
        return [stage.hash for stage in protocol.stages]

    before = plan()
    assert plan() == before
    changed = plan(**{'optim_wrapper.optimizer.lr': 1.0})
    assert changed[0] != before[0] and changed[1] != before[1]
    for shown in ('default_hooks.curves.interval', 'default_hooks.logger.interval'):
        assert plan(**{shown: 3}) == before
    assert plan(log_level='ERROR', visualizer=dict(type='Visualizer')) == before
    assert plan(**{'default_hooks.bad_samples.max_bad_fraction': 0.5}) != before
    ann.write_text('2')
    assert plan()[0] != before[0]


def test_a_training_is_tested_if_metrics_are_named(tmp_path):
    train = dict(config=str(CONFIGS / 'price_r3d_demo.py'), metrics=dict(own='acc/top1'))
    path = write_protocol(tmp_path, [dict(name='price', train=train)], {})
    stage = load_protocol(path, tmp_path / 'w').stages[0]
    assert stage.name == 'train' and stage.is_trained and stage.metrics == dict(own='acc/top1')


def test_hash_does_not_depend_on_variables_of_a_config(tmp_path):
    """What is made of them counts."""
    config = CONFIGS / 'eval' / 'privacy_resnet_demo.py'
    child = tmp_path / 'child.py'
    hashes = []
    for text in ('', 'rate = 1.0\n', 'optim_wrapper = dict(optimizer=dict(lr=1.0))\n'):
        child.write_text(f'_base_ = {str(config)!r}\n{text}')
        stages = dict(image=dict(config=str(child)))
        (stage,) = load_protocol(write_protocol(tmp_path, [RAW], stages), tmp_path / 'w').stages
        hashes.append(stage.hash)
    assert hashes[0] == hashes[1] != hashes[2]


def test_method_may_have_fewer_seeds(tmp_path):
    methods = [RAW, dict(RAW, name='once', seeds=[1])]
    path = write_protocol(tmp_path, methods, seeds=[0, 1, 2])
    planned = [(stage.method, stage.seed) for stage in load_protocol(path).stages]
    assert planned == [('raw', 0), ('raw', 1), ('once', 1), ('raw', 2)]
    chosen = load_protocol(path, seeds=[0, 1], methods=['once']).stages
    assert [(stage.method, stage.seed) for stage in chosen] == [('once', 1)]
    path = write_protocol(tmp_path, [RAW, dict(RAW, name='once', seeds=[7])], seeds=[0])
    with pytest.raises(ValueError, match="'once' of .* has the seed 7, which the protocol has not"):
        load_protocol(path)


def test_hash_does_not_depend_on_the_work_dir(tmp_path):
    plans = [load_protocol(DEMO, tmp_path / name, seeds=[0]).stages for name in 'ab']
    assert [stage.hash for stage in plans[0]] == [stage.hash for stage in plans[1]]
    assert plans[0][-1].config != plans[1][-1].config


def test_folds_and_seeds_fill_the_options(tmp_path):
    stages = dict(
        privacy=dict(
            config=str(CONFIGS / 'eval' / 'privacy_resnet_demo.py'),
            options={'test_dataloader.dataset.ann_file': 'fold{fold}/seed{seed}.json'},
        )
    )
    path = write_protocol(tmp_path, [RAW], stages, folds=[0, 1], seeds=[5, 6])
    protocol = load_protocol(path, tmp_path / 'w', folds=[1])
    assert [s.config.test_dataloader.dataset.ann_file for s in protocol.stages] == [
        'fold1/seed5.json',
        'fold1/seed6.json',
    ]
    missing = protocol.find_missing()
    assert any('fold1/seed6.json does not exist' in sentence for sentence in missing)


@pytest.mark.parametrize(
    ('changes', 'sentence'),
    [
        (dict(methods=[dict(name='x')]), "The method 'x' of .* has no anonymizer"),
        (dict(methods=[dict(RAW, typo=1)]), "unknown key 'typo'"),
        (dict(methods=[dict(RAW, options=dict(nope={}))]), "unknown stage 'nope'"),
        (
            dict(methods=[dict(name='x', checkpoint='no.pth')]),
            'checkpoint no.pth .* does not exist',
        ),
        (
            dict(methods=[RAW], stages=dict(a=dict(config='no.py'))),
            "no.py of the stage 'a' .* does not exist",
        ),
        (
            dict(
                methods=[RAW],
                stages=dict(
                    a=dict(config=str(CONFIGS / 'eval' / 'privacy_resnet_demo.py'), load='b')
                ),
            ),
            "needs 'b', which does not exist",
        ),
        (
            dict(
                methods=[dict(name='x', train=dict(config=str(CONFIGS / 'spact_r3d_demo.py')))],
                stages=dict(
                    a=dict(config=str(CONFIGS / 'eval' / 'privacy_resnet_demo.py')),
                    b=dict(config=str(CONFIGS / 'eval' / 'reconstruction_demo.py'), slot='model'),
                    c=dict(
                        config=str(CONFIGS / 'eval' / 'privacy_resnet_demo.py'),
                        train=False,
                        load='a',
                        inverter='b',
                    ),
                ),
            ),
            "stage 'c' of .* loads 'a', whose anonymizer has no inverter behind it; load from",
        ),
        (
            dict(
                methods=[dict(name='x', train=dict(config=str(CONFIGS / 'spact_r3d_demo.py')))],
                stages=dict(
                    b=dict(config=str(CONFIGS / 'eval' / 'reconstruction_demo.py'), slot='model'),
                    a=dict(config=str(CONFIGS / 'eval' / 'privacy_resnet_demo.py'), inverter='b'),
                    c=dict(config=str(CONFIGS / 'eval' / 'privacy_resnet_demo.py'), load='a'),
                ),
            ),
            "stage 'c' of .* loads 'a', whose anonymizer has another inverter behind it; load from",
        ),
        (
            dict(
                methods=[RAW],
                stages=dict(
                    a=dict(config=str(CONFIGS / 'eval' / 'privacy_resnet_demo.py'), slot='model.x')
                ),
            ),
            'has no model.x',
        ),
        *(
            (
                dict(
                    methods=[RAW],
                    stages=dict(
                        a=dict(
                            config=str(CONFIGS / 'eval' / 'privacy_resnet_demo.py'),
                            options={key: 1},
                        )
                    ),
                ),
                rf"The option '{key}' of the stage 'a' of .* is for nothing that .*_demo.py has",
            )
            for key in ('optim_wrapper.optimiser.x', 'param_scheduler.7.end', 'model.neck.type.x')
        ),
        *(
            (
                dict(
                    methods=[RAW],
                    stages=dict(
                        a=dict(
                            config=str(CONFIGS / 'eval' / 'privacy_resnet_demo.py'),
                            options={key: 1},
                        )
                    ),
                ),
                rf"The option '{key}' of the stage 'a' of .* is for no setting, and no variable of",
            )
            for key in ('optim_wraper.optimizer.lr', 'demo_rot', 'train_pipeline.0.type')
        ),
    ],
)
def test_what_is_wrong_is_said_before_anything_runs(tmp_path, changes, sentence):
    with pytest.raises((ValueError, FileNotFoundError), match=sentence) as caught:
        load_protocol(write_protocol(tmp_path, **changes), tmp_path / 'w')
    assert '\n' not in str(caught.value)


@pytest.mark.parametrize(
    'stages, methods, message',
    [
        (
            dict(a=dict(config='eval/privacy_resnet_demo.py', options={'train_cfg.max_epochs': 2})),
            [RAW],
            r"^The stage 'a' .* cannot run: param_scheduler.total_steps \(OneCycleLR\) reaches to",
        ),
        (
            dict(a=dict(config='eval/privacy_resnet_demo.py')),
            [
                dict(
                    name='SPAct',
                    train=dict(
                        config=str(CONFIGS / 'spact_r3d_demo.py'),
                        options={'param_scheduler.anonymizer.2.milestones': [9]},
                    ),
                )
            ],
            "^The stage 'train' of .* cannot run: param_scheduler.anonymizer.2.milestones is 9",
        ),
    ],
)
def test_schedulers_are_checked_before_anything_runs(tmp_path, stages, methods, message):
    stages = {k: dict(stage, config=str(CONFIGS / stage['config'])) for k, stage in stages.items()}
    path = write_protocol(tmp_path, methods=methods, stages=stages)
    with pytest.raises(ValueError, match=message):
        load_protocol(path, tmp_path / 'w')


def test_options_beside_the_dictionary_of_a_protocol_are_refused(tmp_path):
    path = write_protocol(tmp_path, methods=[RAW])
    with pytest.raises(ValueError, match="The option 'seeds' changes nothing of .*write protocol"):
        load_protocol(path, tmp_path / 'w', options=dict(seeds=[1]))


def test_unknown_method_fold_and_file():
    with pytest.raises(ValueError, match="has no method 'SPact'; choose from 'raw', 'downsample"):
        load_protocol(DEMO, methods=['SPact'])
    with pytest.raises(ValueError, match='has no fold 7'):
        load_protocol(DEMO, folds=[7])
    with pytest.raises(FileNotFoundError, match=r'nope.py does not exist'):
        load_protocol('nope.py')
    with pytest.raises(ValueError, match='has no dictionary "protocol"'):
        load_protocol(CONFIGS / 'spact_r3d_demo.py')


def test_checkpoint_without_an_anonymizer_is_refused(tmp_path):
    torch.save(dict(state_dict={'backbone.w': torch.ones(1)}), tmp_path / 'other.pth')
    method = dict(name='mine', checkpoint=str(tmp_path / 'other.pth'))
    with pytest.raises(ValueError, match=r"other.pth of the method 'mine' .* no anonymizer"):
        load_protocol(write_protocol(tmp_path, [method]), tmp_path / 'w')


def test_result_of_another_config_is_cleared(tmp_path):
    path = write_protocol(tmp_path, [RAW])
    (stage,) = load_protocol(path, tmp_path / 'w').stages
    stage.prepare()
    (stage.folder / 'weights.pth').write_text('old')
    stage.prepare()
    assert (stage.folder / 'weights.pth').exists()
    stage.hash = 'another'
    stage.prepare()
    assert not (stage.folder / 'weights.pth').exists()
    assert (stage.folder / 'config.py').exists()
    shutil.rmtree(tmp_path / 'w')


def test_methods_of_one_kind_are_joined_in_the_plot():
    names = ['downsample 2×', 'downsample 4×', 'weak blur', 'strong blur', 'absent']
    assert _find_families(load_protocol(DEMO, seeds=[0]).stages, names) == {
        'downsample 2×, downsample 4×': names[:2],
        'weak blur, strong blur': names[2:4],
    }


def test_a_curve_of_methods_that_are_not_there_is_refused(tmp_path):
    path = write_protocol(tmp_path, [RAW])
    path.write_text(path.read_text() + "protocol['report'] = dict(curves={'m': ['raw', 'none']})\n")
    with pytest.raises(ValueError, match=r"has no method 'none'; choose from 'raw'"):
        load_protocol(path, tmp_path / 'w')
