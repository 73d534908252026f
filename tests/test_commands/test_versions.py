"""What `python -m spact_mm --version` says of versions, with made-up installations."""

import sys
from importlib import metadata

import pytest

import spact_mm
from spact_mm import __main__ as package_main
from spact_mm.commands.versions import describe_stack

DECLARED = [
    'torch<2.14,>=2.6',
    'numpy<2,>=1.26',
    'importlib_metadata',
    'pywin32>=300; sys_platform == "win32"',
    'mmcv-lite==2.1.0; extra == "lite"',
    'mmcv<2.2,>=2.1.0; extra == "full"',
    'tensorboard<3; extra == "tensorboard"',
]
GOOD = {'torch': '2.6.0+cpu', 'numpy': '1.26.4', 'importlib_metadata': '8.0', 'mmcv-lite': '2.1.0'}


@pytest.fixture
def install(monkeypatch):
    """Return a function that makes up what is installed."""

    def install(**changes):
        changes = {name.replace('_', '-'): version for name, version in changes.items()}
        found = {name.replace('_', '-'): version for name, version in GOOD.items()}
        found = {**found, 'spact-mm': spact_mm.__version__, **changes}

        def version(name):
            if found.get(name.replace('_', '-')) is None:
                raise metadata.PackageNotFoundError(name)
            return found[name.replace('_', '-')]

        def requires(name):
            version(name)
            return DECLARED

        monkeypatch.setattr(metadata, 'version', version)
        monkeypatch.setattr(metadata, 'requires', requires)
        return describe_stack()

    return install


def test_declared_stack_is_listed_without_a_warning(install):
    lines, warnings = install()
    assert warnings == []
    assert lines[0].startswith(f'spact_mm {spact_mm.__version__}, Python 3.')
    assert [line.split()[:2] for line in lines[1:]] == [
        ['torch', '2.6.0+cpu'],
        ['numpy', '1.26.4'],
        ['importlib_metadata', '8.0'],
        ['mmcv-lite', '2.1.0'],
    ]
    assert lines[2].split()[-1] == '<2,>=1.26'


@pytest.mark.parametrize(
    'changes, parts',
    [
        (dict(numpy='2.1.0'), ['numpy is 2.1.0', '<2,>=1.26', "pip install 'numpy<2,>=1.26'"]),
        (dict(torch='2.5.1+cu121'), ['torch is 2.5.1+cu121']),
        (dict(numpy=None), ['numpy is not installed']),
        (dict(tensorboard='3.0'), ['tensorboard is 3.0']),
        (dict(mmcv='2.1.0'), ['mmcv and mmcv-lite are both installed', 'pip uninstall -y mmcv']),
        (dict(mmcv_lite=None), ['No mmcv is installed', 'mmcv-lite==2.1.0']),
        (dict(mmcv_lite='2.2.0'), ['mmcv-lite is 2.2.0']),
        (dict(spact_mm=None), ['spact_mm is not installed', 'pip install -e .']),
        (dict(spact_mm='0.0.1'), ['0.0.1 is installed', 'install it again']),
    ],
    ids=lambda value: '+'.join(value) if isinstance(value, dict) else None,
)
def test_what_is_outside_is_warned_of_with_the_remedy(install, changes, parts):
    _, (warning,) = install(**changes)
    assert [part for part in parts if part not in warning] == []


def test_warnings_go_to_stderr_and_the_exit_code_is_0(install, monkeypatch, capsys):
    install(numpy='2.1.0')
    monkeypatch.setattr(sys, 'argv', ['spact_mm', '--version'])
    assert package_main.main() == 0
    said = capsys.readouterr()
    assert 'numpy                    2.1.0' in said.out and 'Warning' not in said.out
    assert said.err.startswith('Warning: numpy is 2.1.0, outside of the declared')
