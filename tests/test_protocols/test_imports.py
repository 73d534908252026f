"""Components of a user's own module in a protocol, whose stages are processes of their own."""

import json
import sys

import numpy as np
import pytest
import torch
from e2e import DEMO_CONFIG, ROOT, environment, run_process, write_config, write_image
from media import read_video
from mmaction.registry import MODELS
from mmengine.config import Config
from test_docs import blocks

from spact_mm.apis import AnonymizeInferencer
from spact_mm.protocols import load_protocol

EVAL = ROOT / 'configs' / 'eval'
ACTION = dict(config=str(EVAL / 'action_r3d_demo.py'), metrics=dict(top1='acc/top1'))


@pytest.fixture
def module(tmp_path, monkeypatch):
    """Return the name of a module on ``sys.path`` that registers ``OwnAnonymizer``."""
    name = f'own_{tmp_path.name}'.replace('-', '_')
    folder = tmp_path / 'modules'
    folder.mkdir()
    (folder / f'{name}.py').write_text(
        'from mmaction.registry import MODELS\n'
        'from spact_mm.models import IdentityAnonymizer\n\n\n'
        '@MODELS.register_module()\nclass OwnAnonymizer(IdentityAnonymizer):\n    pass\n'
    )
    monkeypatch.syspath_prepend(folder)
    yield name
    sys.modules.pop(name, None)
    MODELS.module_dict.pop('OwnAnonymizer', None)


def write_recipe(folder, imports=('spact_mm',)):
    path = folder / 'recipe.py'
    path.write_text(
        f'_base_ = {str(DEMO_CONFIG)!r}\n'
        f'custom_imports = dict(imports={list(imports)!r}, allow_failed_imports=False)\n'
        "model = dict(anonymizer=dict(_delete_=True, type='OwnAnonymizer'))\n"
    )
    return path


def write_protocol(folder, *methods, imports=None, stages=None):
    protocol = dict(seeds=[0], methods=list(methods), stages=stages or dict(action=ACTION))
    path = folder / 'mine.py'
    path.write_text(f'protocol = {protocol!r}\n')
    if imports:
        path.write_text(path.read_text() + f'custom_imports = dict(imports={imports!r})\n')
    return path


def imports_of(protocol):
    return {(s.method, s.name): s.config.custom_imports.imports for s in protocol.stages}


def test_stages_import_what_the_training_does(tmp_path, module):
    recipe = write_recipe(tmp_path, ['spact_mm', module])
    methods = [
        dict(name='raw', anonymizer=dict(type='IdentityAnonymizer')),
        dict(name='own', train=dict(config=str(recipe))),
    ]
    inverter = dict(config=str(EVAL / 'reconstruction_demo.py'), slot='model')
    behind = dict(ACTION, inverter='inverter', metrics=dict(behind='acc/top1'))
    stages = dict(action=ACTION, inverter=inverter, behind=behind)
    protocol = load_protocol(write_protocol(tmp_path, *methods, stages=stages), tmp_path / 'w')
    found = imports_of(protocol)
    assert {name for method, name in found if method == 'own'} == {'train', *stages}
    for (method, _), imports in found.items():
        assert imports == (['spact_mm', module] if method == 'own' else ['spact_mm'])
    # What nobody extends is the same stage as ever.
    plain = load_protocol(write_protocol(tmp_path, methods[0]), tmp_path / 'w').stages[0]
    assert plain.hash == next(s.hash for s in protocol.stages if s.id == plain.id)


def test_stages_import_what_the_protocol_does(tmp_path, module):
    method = dict(name='own', anonymizer=dict(type='OwnAnonymizer'))
    path = write_protocol(tmp_path, method, imports=[module])
    assert imports_of(load_protocol(path, tmp_path / 'w')) == {
        ('own', 'action'): ['spact_mm', module]
    }


def test_an_import_that_is_missing_is_said_before_anything_runs(tmp_path, module):
    trained = dict(name='own', train=dict(config='recipe.py'))
    given = dict(name='given', anonymizer=dict(type='OwnAnonymizer'))

    def refuse(sentence, *methods, imports=None):
        with pytest.raises(ValueError, match=sentence) as caught:
            load_protocol(write_protocol(tmp_path, *methods, imports=imports), tmp_path / 'w')
        assert '\n' not in str(caught.value)

    write_recipe(tmp_path)
    refuse("no anonymizer 'OwnAnonymizer' for the method 'own' .* of .*recipe.py", trained)
    nowhere = dict(name='nowhere', anonymizer=dict(type='Nowhere'))
    refuse("no anonymizer 'Nowhere' for the method 'nowhere' .* of .*mine.py", nowhere)
    write_recipe(tmp_path, ['spact_mm', 'absent_components'])
    refuse(r"recipe.py imports .*\(No module named 'absent_components'\); .*PYTHONPATH", trained)
    refuse(
        "mine.py imports .*No module named 'absent_components'",
        given,
        imports=['absent_components'],
    )
    # Here it is known by the import of another method, in the stage it would not be.
    write_recipe(tmp_path, ['spact_mm', module])
    refuse(f"'OwnAnonymizer' of the method 'given' .* add '{module}' to .*mine.py", trained, given)


@pytest.mark.slow
def test_components_of_the_page_go_through_a_whole_protocol(tmp_path, tiny_data, monkeypatch):
    (tmp_path / 'modules').mkdir()
    (tmp_path / 'modules' / 'my_components.py').write_text(
        blocks('extending.md')['my_components.py']
    )
    monkeypatch.syspath_prepend(tmp_path / 'modules')
    faces = tmp_path / 'faces'
    rng = np.random.default_rng(0)
    rows = ['file,smiling,glasses']
    for index in range(24):
        write_image(faces / f'{index:02}.jpg', index)
        rows.append(f'{index:02}.jpg,{index % 2},{rng.integers(2)}')
    (tmp_path / 'labels.csv').write_text('\n'.join(rows) + '\n')
    images = dict(
        type='ReproducibleDataset',
        dataset='CsvAttributeDataset',
        ann_file=str(tmp_path / 'labels.csv'),
        data_prefix=dict(img_path=str(faces)),
    )
    demo = Config.fromfile(DEMO_CONFIG).to_dict()
    branch = demo['model']['privacy_branch']
    branch['backbone'].update(depth=18, base_channels=4, stem_channels=4)
    branch['neck'].update(in_channels=32, hid_channels=16, out_channels=8)
    branch = dict(type='BarlowPrivacyBranch', backbone=branch['backbone'], neck=branch['neck'])
    mask = dict(type='MaskAnonymizer', channels=2)
    supervised = Config.fromfile(ROOT / 'configs' / 'supervised_r3d_demo.py').to_dict()
    undecided = dict(supervised['model']['privacy_branch'], type='UndecidedBranch')
    undecided['head'].update(num_classes=2, in_channels=32)
    undecided['backbone'] = branch['backbone']
    minimax = [
        dict(phase='reconstruction', epochs=1),
        dict(phase=('anonymizer', 'adversaries'), epochs=1),
    ]

    def write_recipe(name, schedule=minimax, pipeline=demo['privacy_pipeline'], **changes):
        return write_config(
            tmp_path / name,
            tiny_data,
            schedule,
            custom_imports=dict(imports=['spact_mm', 'e2e', 'my_components']),
            privacy_dataloader__dataset=dict(images, pipeline=pipeline),
            **changes,
        )

    recipe = write_recipe(
        'recipe',
        model__anonymizer=dict(mask, _delete_=True),
        model__privacy_branch=dict(branch, _delete_=True),
    )
    others = dict(
        motion=write_recipe(
            'motion', model__anonymizer=dict(type='MotionAnonymizer', _delete_=True)
        ),
        undecided=write_recipe(
            'undecided',
            pipeline=supervised['privacy_pipeline'],
            model__privacy_branch=dict(undecided, _delete_=True),
        ),
        two_uses=write_recipe(
            'two_uses',
            [dict(name='raw', phase='raw', epochs=1), *minimax],
            model__type='TwoUsesAnonymization',
        ),
    )

    def attack(config, **keys):
        attacker = Config.fromfile(EVAL / 'privacy_resnet_demo.py').to_dict()
        options = {
            'train_dataloader.dataset': dict(
                images, _delete_=True, pipeline=attacker['train_pipeline']
            ),
            'test_dataloader.dataset': dict(
                images, _delete_=True, pipeline=attacker['test_pipeline'], test_mode=True
            ),
            'train_dataloader.batch_size': 8,
            'train_cfg.max_epochs': 1,
            'param_scheduler': [],
        }
        if config == 'privacy_resnet_demo':
            options['model.head.num_classes'] = 2
            options['model.data_preprocessor.num_classes'] = 2
            options |= {f'val_{part}': None for part in ('dataloader', 'cfg', 'evaluator')}
        return dict(config=str(EVAL / f'{config}.py'), options=options, **keys)

    videos = {
        f'{split}_dataloader.dataset.{key}': value
        for split in ('train', 'test')
        for key, value in dict(
            ann_file=str(tiny_data / f'{split}_videos.txt'),
            data_prefix=dict(video=str(tiny_data / 'videos')),
        ).items()
    }
    action = {
        **videos,
        'train_cfg.max_epochs': 1,
        'param_scheduler': [],
        'model.cls_head.num_classes': 4,
    }
    stages = dict(
        action=dict(ACTION, options=action),
        privacy=attack('privacy_resnet_demo', metrics=dict(cmap='privacy/cMAP'), skip=[*others]),
        inverter=attack(
            'reconstruction_demo',
            slot='model',
            metrics=dict(psnr='reconstruction/PSNR'),
            skip=['raw', *others],
        ),
        behind=attack(
            'privacy_resnet_demo',
            train=False,
            load='raw:privacy',
            inverter='inverter',
            metrics=dict(cmap_behind='privacy/cMAP'),
            skip=['raw', *others],
        ),
    )
    # One that was trained elsewhere, whose checkpoint cannot tell how to build it.
    monkeypatch.setenv('PYTHONPATH', str(tmp_path / 'modules'))
    __import__('my_components')
    weights = {f'anonymizer.{k}': v for k, v in MODELS.build(mask).state_dict().items()}
    torch.save(dict(state_dict=weights), tmp_path / 'given.pth')
    methods = [
        dict(name='raw', anonymizer=dict(type='IdentityAnonymizer')),
        dict(name='mine', train=dict(config=str(recipe))),
        dict(name='given', anonymizer=mask, checkpoint=str(tmp_path / 'given.pth')),
        *(dict(name=name, train=dict(config=str(path))) for name, path in others.items()),
    ]
    path = write_protocol(tmp_path, *methods, imports=['my_components'], stages=stages)

    path_of_modules = environment()['PYTHONPATH'] + f':{tmp_path / "modules"}'
    tools = ROOT / 'tools'

    def run(tool, *arguments):
        command = [sys.executable, tools / f'{tool}.py', *arguments]
        process = run_process(tmp_path, *command, PYTHONPATH=path_of_modules)
        logs = [p.read_text()[-2000:] for p in (tmp_path / 'work').rglob('log.txt')]
        assert process.code == 0, process.stdout + process.stderr + '\n'.join(logs)
        return process.stdout

    run('protocol', path, '--work-dir', 'work', '--jobs', '1')
    rows = json.loads((tmp_path / 'work' / 'report.json').read_text())['rows']
    assert [row['method'] for row in rows] == ['raw', 'mine', 'given', *others]
    assert all('top1' in row for row in rows)
    assert all({'cmap', 'psnr', 'cmap_behind'} <= set(row) for row in rows[1:3])

    # What it leaves is used by the other tools, each a fresh process too.
    mine = tmp_path / 'work' / 'mine' / 'seed0'
    video = next((tiny_data / 'videos' / 'test').iterdir())
    source = ['--config', recipe, '--checkpoint', mine / 'train' / 'weights.pth']
    # Of one epoch of minimax much is left.
    run('anonymize', video, *source, '--out', tmp_path / 'out', '--force')
    assert (tmp_path / 'out').is_dir()
    for name, config in others.items():
        weights = tmp_path / 'work' / name / 'seed0' / 'train' / 'weights.pth'
        anonymize = AnonymizeInferencer(str(config), str(weights), 'cpu', force=True)
        (out,) = anonymize(str(video), out_dir=str(tmp_path / f'out_{name}'))['predictions']
        assert read_video(out)[0].shape == read_video(video)[0].shape
    source = ['--config', mine / 'action/config.py', '--checkpoint', mine / 'action/weights.pth']
    assert video.name in run('predict', video, *source)
