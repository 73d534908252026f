"""The commands that an installation brings, and what setup.py declares."""

import ast
import importlib
import runpy
import subprocess
import sys

import pytest
from e2e import ROOT, call_tool
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from spact_mm import __main__ as package_main
from spact_mm.commands import protocol as protocol_command
from spact_mm.packaged import MIM

NAMES = ('anonymize', 'attack', 'protocol', 'test', 'train')
#: Modules whose distributions have other names.
DISTRIBUTIONS = dict(
    cv2='opencv-python', PIL='pillow', mmaction='mmaction2', pkg_resources='setuptools'
)
#: What is imported where an extra was asked for; one of two extras has the module `mmcv`.
IN_EXTRAS = {'mmcv', 'onnx', 'onnxruntime', 'submitit'}


@pytest.fixture(scope='module')
def declared():
    """Return what setup.py hands to setuptools."""
    found = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr('setuptools.setup', lambda **settings: found.update(settings))
        runpy.run_path(str(ROOT / 'setup.py'))
    return found


def test_entry_points_are_the_code_of_the_tools(declared):
    scripts = dict(line.split(' = ') for line in declared['entry_points']['console_scripts'])
    assert set(scripts) == {f'spact-{name}' for name in NAMES}
    for name, target in scripts.items():
        module, function = target.split(':')
        main = getattr(importlib.import_module(module), function)
        tool = runpy.run_path(str(ROOT / 'tools' / f'{name.removeprefix("spact-")}.py'))
        assert tool['main'] is main


def test_wheel_gets_every_config_and_tool(declared):
    patterns = declared['package_data']['spact_mm']
    suffixes = {pattern.rsplit('.', 1)[1] for pattern in patterns}
    tracked = ['git', '-C', str(ROOT), 'ls-files', 'configs', 'tools']
    done = subprocess.run(tracked, capture_output=True, text=True)
    files = done.stdout.split() or [str(p) for p in (ROOT / 'configs').rglob('*.py')]
    assert {name.rsplit('.', 1)[1] for name in files} <= suffixes


def third_party(folder):
    """Yield the modules of others that the code below a folder imports, with the file."""
    own = {path.stem for path in (ROOT / 'tools').rglob('*.py')}
    own |= {path.name for path in (ROOT / 'tools').iterdir()} | {'spact_mm'}
    for path in (ROOT / folder).rglob('*.py'):
        for node in ast.walk(ast.parse(path.read_text())):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and not node.level:
                names = [node.module]
            for name in names:
                module = name.split('.')[0]
                if module not in own and module not in sys.stdlib_module_names:
                    yield module, path


@pytest.mark.parametrize('folder', ['spact_mm', 'tools', 'configs'])
def test_every_imported_package_is_declared(declared, folder):
    required = {canonicalize_name(Requirement(r).name) for r in declared['install_requires']}
    undeclared = {
        f'{module} ({path.relative_to(ROOT)})'
        for module, path in third_party(folder)
        if module not in IN_EXTRAS
        and canonicalize_name(DISTRIBUTIONS.get(module, module)) not in required
    }
    assert undeclared == set()


def test_unknown_config_is_one_sentence(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for tool in ('train', 'test'):
        with pytest.raises(SystemExit) as stop:
            call_tool(monkeypatch, tool, 'absent.py', work_dir=tmp_path / 'work')
        assert 'There is no config absent.py' in stop.value.code
    monkeypatch.setattr(sys, 'argv', ['spact-protocol', 'absent'])
    with pytest.raises(SystemExit, match='There is no config absent'):
        protocol_command.main()


def test_training_finds_a_config_of_the_package(tmp_path, monkeypatch):
    """As far as its data, which are not there."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv('DEMO_ROOT', raising=False)
    with pytest.raises(SystemExit) as stop:
        call_tool(monkeypatch, 'train', 'spact_r3d_demo.py', work_dir=tmp_path / 'work')
    assert 'data/demo/train_videos.txt' in stop.value.code


def test_command_is_told_as_it_was_typed(monkeypatch):
    monkeypatch.setattr(sys, 'argv', ['/somewhere/bin/spact-protocol', 'demo', '--methods', 'a b'])
    assert protocol_command.describe_command() == "spact-protocol demo --methods 'a b'"
    monkeypatch.setattr(sys, 'argv', ['tools/protocol.py', 'demo'])
    assert protocol_command.describe_command() == 'python tools/protocol.py demo'


# ---- the demo set --------------------------------------------------------------------------------
@pytest.fixture
def rendered(monkeypatch):
    """Return the command lines that are run in place of rendering."""
    commands = []

    class Process:
        def __init__(self, command, start_new_session):
            commands.append(command)

        def wait(self):
            return 0

        poll = wait

    monkeypatch.setattr(protocol_command.subprocess, 'Popen', Process)
    return commands


@pytest.mark.parametrize('root', [None, 'elsewhere'])
def test_demo_set_is_rendered_where_it_is_missing(rendered, tmp_path, monkeypatch, root):
    monkeypatch.chdir(tmp_path)
    if root is None:
        monkeypatch.delenv('DEMO_ROOT', raising=False)
    else:
        monkeypatch.setenv('DEMO_ROOT', root)
    options = ['demo_quick', '--methods', 'raw', '--seeds', '0']
    monkeypatch.setattr(sys, 'argv', ['spact-protocol', *options, '--dry-run'])
    assert protocol_command.main() == 0
    assert rendered == []
    monkeypatch.setattr(sys, 'argv', ['spact-protocol', *options])
    with pytest.raises(SystemExit, match='does not exist'):  # as nothing was rendered here
        protocol_command.main()
    tool = str(MIM / 'tools/data/demo/render.py')
    assert rendered == [[sys.executable, tool, '--out', root or 'data/demo']]


def test_demo_set_that_is_there_and_other_data_are_left_alone(rendered, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv('DEMO_ROOT', raising=False)
    assert not protocol_command.render_demo(['data/ucf101/train.txt', 'data/demo2/train.txt'])
    (tmp_path / 'data' / 'demo').mkdir(parents=True)
    (tmp_path / 'data' / 'demo' / 'manifest.json').write_text('{}')
    assert not protocol_command.render_demo(['data/demo/train_videos.txt'])
    assert rendered == []
    # What an interrupted rendering leaves has none.
    (tmp_path / 'data' / 'demo' / 'manifest.json').unlink()
    assert protocol_command.render_demo(['data/demo/train_videos.txt'])
    assert len(rendered) == 1


# ---- python -m spact_mm --------------------------------------------------------------------------
def test_tools_run_by_their_names(monkeypatch):
    calls = []
    monkeypatch.setattr(package_main.os, 'execvp', lambda *call: calls.append(call))
    for tool, interpreter, path in (
        ('data/demo/render', sys.executable, 'data/demo/render.py'),
        ('dist_train.sh', 'bash', 'dist_train.sh'),
    ):
        monkeypatch.setattr(sys, 'argv', ['spact_mm', tool, '--help', 'x y'])
        package_main.main()
        expected = [interpreter, str(MIM / 'tools' / path), '--help', 'x y']
        assert calls.pop() == (interpreter, expected)


@pytest.mark.parametrize('arguments, code', [([], 2), (['absent'], 'There is no tool absent')])
def test_wrong_command_line_of_the_package(monkeypatch, capsys, arguments, code):
    monkeypatch.setattr(sys, 'argv', ['spact_mm', *arguments])
    with pytest.raises(SystemExit) as stop:
        package_main.main()
    assert stop.value.code == code or code in stop.value.code
    if not arguments:
        assert 'data/demo/render' in capsys.readouterr().err
