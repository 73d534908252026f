"""The code on the documentation's pages, run as it stands."""

import re
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmaction.registry import MODELS, TRANSFORMS
from mmengine.config import Config
from mmengine.runner import Runner
from tiny import action_batch, privacy_batch

from spact_mm.datasets import UnreadableFileError

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
    data = dict(action=action_batch(2, (1, 3, 8, 32, 32)), privacy=privacy_batch(4, 32))
    for phase in ('reconstruction', 'adversaries', 'anonymizer'):
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
    loader = config.train_cfg.privacy_dataloader
    loader.update(batch_size=3, num_workers=0, persistent_workers=False)
    batch = next(iter(Runner.build_dataloader(loader, seed=0)))
    assert sorted(s.gt_score.tolist() for s in batch['data_samples']) == [[0, 0], [0, 1], [1, 1]]
    views = [view for image in batch['inputs'] for view in image]
    assert len(views) == 6 and {view.dtype for view in views} == {torch.uint8}


def test_code_for_the_api_runs():
    exec(compile(blocks('anonymize.md')[''], 'anonymize.md', 'exec'), {})


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
