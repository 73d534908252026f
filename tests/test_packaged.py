"""Configs and tools are found from the current folder first, then where the package keeps them."""

import os

import pytest
from e2e import ROOT
from mmengine.config import Config

from spact_mm.packaged import MIM, find_config, find_config_of_protocol, find_packaged_tool
from spact_mm.protocols import load_protocol


@pytest.mark.parametrize(
    'name, folder, expected',
    [
        ('spact_r3d_demo.py', '', 'spact_r3d_demo.py'),
        ('spact_r3d_demo', '', 'spact_r3d_demo.py'),
        ('configs/spact_r3d_demo.py', '', 'spact_r3d_demo.py'),
        ('spact_mm::eval/action_r3d_demo.py', '', 'eval/action_r3d_demo.py'),
        ('configs/protocols/known.py', 'protocols', 'protocols/known.py'),
        ('demo', 'protocols', 'protocols/demo.py'),
    ],
)
def test_config_of_the_package_is_found_from_any_folder(
    name, folder, expected, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    path = find_config(name, folder)
    assert path == str(MIM / 'configs' / expected)
    assert os.path.samefile(path, ROOT / 'configs' / expected)


def test_current_folder_goes_first(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'configs').mkdir()
    (tmp_path / 'configs' / 'spact_r3d_demo.py').write_text('a = 1\n')
    assert find_config('configs/spact_r3d_demo.py') == 'configs/spact_r3d_demo.py'
    assert find_config('spact_r3d_demo.py') == str(MIM / 'configs' / 'spact_r3d_demo.py')


@pytest.mark.parametrize('name', ['absent.py', '../setup.py', 'spact_mm::../setup.py', 'eval'])
def test_what_is_no_config_is_refused(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileNotFoundError, match='There is no config .*; correct the path'):
        find_config(name)


def test_tools_are_found():
    assert find_packaged_tool('data/demo/render') == MIM / 'tools/data/demo/render.py'
    assert os.access(find_packaged_tool('launch.sh'), os.X_OK)
    with pytest.raises(FileNotFoundError, match='no tool absent'):
        find_packaged_tool('absent')


def test_own_protocol_inherits_configs_of_the_package(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'mine.py').write_text(
        "_base_ = 'spact_mm::protocols/demo_quick.py'\nprotocol = dict(title='Mine')\n"
    )
    protocol = load_protocol('mine.py', methods=['raw', 'SPAct'], seeds=[0])
    packaged = load_protocol(find_config('demo_quick', 'protocols'), methods=['raw'], seeds=[0])
    assert protocol.title == 'Mine'
    hashes = {stage.id: stage.hash for stage in protocol.stages}
    assert {stage.id: stage.hash for stage in packaged.stages}.items() <= hashes.items()
    # What lies beside it goes first.
    path = find_config_of_protocol('../eval/action_r3d_demo.py', tmp_path / 'a' / 'mine.py')
    assert path == str(MIM / 'configs/eval/action_r3d_demo.py')
    (tmp_path / 'eval').mkdir()
    (tmp_path / 'a').mkdir()
    (tmp_path / 'eval' / 'action_r3d_demo.py').touch()
    path = find_config_of_protocol('../eval/action_r3d_demo.py', tmp_path / 'a' / 'mine.py')
    assert os.path.samefile(path, tmp_path / 'eval' / 'action_r3d_demo.py')
    absent = find_config_of_protocol('../absent.py', tmp_path / 'mine.py')
    assert absent == str(tmp_path / '../absent.py')


def test_links_lead_to_what_the_repository_has():
    for name in ('configs', 'tools', 'model-index.yml', 'README.md'):
        assert os.path.samefile(MIM / name, ROOT / name)
    # MIM looks for a config by its name alone.
    names = [path.name for path in (ROOT / 'configs').rglob('*.py')]
    recipes = [path.name for path in (ROOT / 'configs').glob('*.py')]
    assert [name for name in recipes if names.count(name) > 1] == []
    assert Config.fromfile(MIM / 'configs' / 'spact_r3d_demo.py').default_scope == 'mmaction'
