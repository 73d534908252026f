"""The code on the documentation's pages, run as it stands."""

import re
import shutil
import sys
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch
from e2e import call_tool
from mmaction.registry import MODELS, TRANSFORMS
from mmengine.config import Config
from mmengine.runner import Runner
from tiny import action_batch, changed, privacy_batch, snapshot

from spact_mm.apis.export import build_onnx
from spact_mm.config_keys import read_config
from spact_mm.datasets import UnreadableFileError
from spact_mm.engine.phase_hook import parse_schedule
from spact_mm.models import takes_clips

ROOT = Path(__file__).resolve().parents[1]


def blocks(page):
    """Return the Python blocks of a page by the file that their first line names."""
    found = {}
    text = (ROOT / 'docs' / page).read_text()
    for block in re.findall(r'^```python\n(.*?)^```', text, re.MULTILINE | re.DOTALL):
        name = re.match(r'# ([\w/]+\.py)\n', block)
        key = name[1] if name else ''
        found[key] = found.get(key, '') + block
    return found


@pytest.fixture(scope='module')
def extended(tmp_path_factory):
    """Write the page's module and configs where Python and the configs find them."""
    folder = tmp_path_factory.mktemp('extending')
    (folder / 'configs').mkdir()
    for path in (ROOT / 'configs').glob('*_demo.py'):
        (folder / 'configs' / path.name).write_text(path.read_text())
    (folder / 'configs' / '_base_').symlink_to(ROOT / 'configs' / '_base_')
    for name, code in blocks('extending.md').items():
        (folder / name).write_text(code)
    sys.path.insert(0, str(folder))
    __import__('my_components')
    yield folder
    sys.path.remove(str(folder))


def train(config):
    """Do two iterations of each phase; return the model."""
    model = MODELS.build(config.model)
    model.init_weights()
    wrapper = Runner.build_optim_wrapper(FakeRunner(model), config.optim_wrapper)
    labels = config.model.privacy_branch.get('head', {}).get('num_classes')
    privacy = privacy_batch(4, 32, attributes=labels)
    data = dict(action=action_batch(2, (1, 3, 8, 32, 32)), privacy=privacy)
    for phase in model.phases:
        model.set_phase(phase)
        for _ in range(2):
            values = model.train_step(data, wrapper)
            assert values and all(torch.isfinite(value) for value in values.values())
    return model


class FakeRunner:
    """What building an optimizer wrapper needs of a runner."""

    def __init__(self, model):
        self.model, self._randomness_cfg = model, {}


def test_anonymizer_of_the_page_trains(extended):
    config = Config.fromfile(extended / 'configs' / 'my_anonymizer.py')
    model = train(config)
    assert type(model.anonymizer).__name__ == 'MaskAnonymizer'
    out = model.anonymizer(torch.rand(2, 3, 20, 30))
    assert out.shape == (2, 3, 20, 30) and 0 <= out.min() and out.max() <= 1


def test_anonymizer_of_clips_of_the_page_trains(extended):
    model = train(Config.fromfile(extended / 'configs' / 'my_motion.py'))
    assert type(model.anonymizer).__name__ == 'MotionAnonymizer' and model.anonymizer.keep != 0.9
    still = torch.rand(2, 1, 3, 8, 8).expand(2, 5, 3, 8, 8)
    assert takes_clips(model.anonymizer)
    assert model.anonymizer(still).shape == still.shape


def test_objective_of_the_page_is_least_where_the_branch_is_unsure(extended):
    branch = train(Config.fromfile(extended / 'configs' / 'my_objective.py')).privacy_branch
    assert type(branch).__name__ == 'UndecidedBranch'
    views = [torch.rand(4, 3, 32, 32)]
    losses = []
    for bias in (0.0, 9.0, -9.0):
        torch.nn.init.zeros_(branch.head.fc.weight)
        torch.nn.init.constant_(branch.head.fc.bias, bias)
        losses.append(branch(views, mode='confuse')['loss_undecided'].item())
    assert losses[0] == pytest.approx(np.log(2)) and min(losses[1:]) > 4


def test_model_of_the_page_learns_what_it_adds(extended):
    config = Config.fromfile(extended / 'configs' / 'my_model.py')
    assert parse_schedule(config.custom_hooks[0].schedule)[0].phases == ('raw',)
    torch.manual_seed(0)
    model = train(config)
    assert list(model.phases) == ['reconstruction', 'adversaries', 'anonymizer', 'raw']
    wrapper = Runner.build_optim_wrapper(FakeRunner(model), config.optim_wrapper)
    data = dict(action=action_batch(2, (1, 3, 8, 32, 32)), privacy=privacy_batch(4, 32))
    for phase, logged in (('anonymizer', ['loss_light', 'loss_direction']), ('raw', ['loss_cls'])):
        model.set_phase(phase)
        before = snapshot(model)
        values = model.train_step(data, wrapper)
        assert {f'{phase}/{name}' for name in logged} <= set(values)
        moved = {name.split('.')[0] for name in changed(before, model)}
        assert moved == set(model.phases[phase])


def test_privacy_branch_of_the_page_trains_and_falls_to_zero_for_equal_views(extended):
    config = Config.fromfile(extended / 'configs' / 'my_branch.py')
    model = train(config)
    branch = model.privacy_branch
    assert type(branch).__name__ == 'BarlowPrivacyBranch'
    first, second = torch.rand(8, 3, 32, 32), torch.rand(8, 3, 32, 32)
    same = branch([first, first])['loss_privacy']
    assert same < branch([first, second])['loss_privacy']


def test_data_set_of_the_page_feeds_the_pipeline(extended, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    images = tmp_path / 'data' / 'faces' / 'images'
    images.mkdir(parents=True)
    for index in range(3):
        cv2.imwrite(str(images / f'{index}.jpg'), np.full((60, 80, 3), 80 * index, np.uint8))
    table = 'file,smiling,glasses\n0.jpg,0,1\n1.jpg,1,1\n2.jpg,0,0\n'
    (tmp_path / 'data' / 'faces' / 'labels.csv').write_text(table)
    config = Config.fromfile(extended / 'configs' / 'my_data.py')
    loader = config.privacy_dataloader
    loader.update(batch_size=3, num_workers=0, persistent_workers=False)
    batch = next(iter(Runner.build_dataloader(loader, seed=0)))
    assert sorted(s.gt_score.tolist() for s in batch['data_samples']) == [[0, 0], [0, 1], [1, 1]]
    views = [view for image in batch['inputs'] for view in image]
    assert len(views) == 6 and {view.dtype for view in views} == {torch.uint8}


@pytest.mark.parametrize('name', ['my_short', 'my_split'])
def test_child_configs_of_the_page_change_what_they_say(name, tmp_path):
    (tmp_path / 'configs').symlink_to(ROOT / 'configs')
    code = blocks('recipes.md')[f'configs/{name}.py'].replace("'./spact", "'./configs/spact")
    (tmp_path / f'{name}.py').write_text(code)
    config = read_config(tmp_path / f'{name}.py')
    if name == 'my_short':
        stages = parse_schedule(config.custom_hooks[0].schedule)
        assert [stage.end for stage in stages] == [20, 70, 170]
    else:
        files = [
            config[f'{split}_dataloader'].dataset.ann_file for split in ('train', 'val', 'test')
        ]
        names = [f'data/ucf101/ucf101_{split}_split_2_videos.txt' for split in ('train', 'val')]
        assert files == [*names, names[1]]


def test_variables_of_a_recipe_reach_all_that_is_made_of_them(tmp_path, monkeypatch):
    """As the page has them in one command, to the runner that the tool builds."""
    given = 'ucf101_root=/datasets/ucf101 split=2 size=128'
    built = []

    def from_cfg(config):
        built.append(config)
        return SimpleNamespace(train=lambda: None)

    monkeypatch.setattr(Runner, 'from_cfg', from_cfg)
    recipe = ROOT / 'configs' / 'spact_r3d_mobilenetv3_ucf101.py'
    call_tool(monkeypatch, 'train', recipe, '--cfg-options', *given.split(), work_dir=tmp_path)
    (config,) = built
    text = config.pretty_text
    assert text.count('/datasets/ucf101/ucf101_train_split_2_videos.txt') == 1
    assert text.count('/datasets/ucf101/ucf101_val_split_2_videos.txt') == 2
    assert 'data/ucf101' not in text and 'split_1' not in text
    loaders = (config.train_dataloader, config.val_dataloader, config.privacy_dataloader)
    scales = [loader.dataset.pipeline for loader in loaders]
    assert str(scales).count('(128, 128)') == 3 and '(112, 112)' not in text
    assert f'--cfg-options {given}\n' in (ROOT / 'docs' / 'recipes.md').read_text()


@pytest.fixture(scope='module')
def networks(tmp_path_factory):
    """Write the configs of the page beside the recipes."""
    folder = tmp_path_factory.mktemp('recipes') / 'configs'
    shutil.copytree(ROOT / 'configs', folder)
    for name, code in blocks('recipes.md').items():
        if name:
            (folder.parent / name).write_text(code)
    return folder


def test_recognizer_without_a_base_file_trains_and_downloads_nothing(networks):
    config = Config.fromfile(networks / 'spact_timesformer_ucf101.py')
    recipe = Config.fromfile(networks / 'spact_r3d_ucf101.py')
    assert config.train_dataloader == recipe.train_dataloader
    assert config.model.recognizer.type == 'Recognizer3D'
    config.model.recognizer.backbone.update(num_transformer_layers=1)
    model = MODELS.build(config.model.recognizer)
    model.init_weights()
    assert model.backbone.num_frames == 16 and model.cls_head.num_classes == 101
    batch = model.data_preprocessor(action_batch(1, (1, 3, 16, 112, 112)), True)
    assert torch.isfinite(model(**batch, mode='loss')['loss_cls'])


def test_transformer_of_the_page_is_a_privacy_branch(networks):
    config = Config.fromfile(networks / 'spact_vit_ucf101.py')
    branch = MODELS.build(config.model.privacy_branch)
    views = [torch.rand(2, 3, 112, 112) for _ in range(2)]
    assert torch.isfinite(branch(views)['loss_privacy'])


def test_code_for_the_api_runs():
    exec(compile(blocks('anonymize.md')[''], 'anonymize.md', 'exec'), {})


def test_code_for_exported_files_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    channel = dict(type='GaussianChannel', anonymizer=dict(type='PixelateAnonymizer', block=16))
    for name, anonymizer in (('blur', 'blur'), ('channel', MODELS.build(channel))):
        (tmp_path / f'{name}.onnx').write_bytes(build_onnx(anonymizer)[0].SerializeToString())
    names = {}
    exec(compile(blocks('export.md')[''], 'export.md', 'exec'), names)
    assert names['anonymized'].shape == (1, 16, 3, 112, 112)
    assert 0.05 < names['anonymized'].std() < 0.2


def test_every_page_is_in_the_table_of_contents():
    pages = {p.stem for p in (ROOT / 'docs').glob('*.md')} - {'index'}
    index = (ROOT / 'docs' / 'index.md').read_text()
    assert pages == set(re.findall(r'^(\w+)$', index, re.MULTILINE))


def test_links_between_files_lead_somewhere():
    for page in [ROOT / 'README.md', *(ROOT / 'docs').glob('*.md')]:
        for link in re.findall(r'\]\(([^)#:]+)(?:#[\w-]+)?\)', page.read_text()):
            assert (page.parent / link).exists(), f'{page.name}: {link}'


def test_loader_of_the_page_says_what_is_unreadable(extended, tmp_path):
    load = TRANSFORMS.build(dict(type='LoadArray'))
    np.save(tmp_path / 'a.npy', np.zeros((2, 3)))
    assert load(dict(img_path=str(tmp_path / 'a.npy')))['img'].shape == (2, 3)
    (tmp_path / 'a.npy').write_text('no array')
    with pytest.raises(UnreadableFileError, match='a.npy is no array'):
        load(dict(img_path=str(tmp_path / 'a.npy')))
