import os
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from e2e import run_cli, write_config, write_data
from mmengine.registry import DefaultScope

import spact_mm  # noqa: F401

ROOT = Path(__file__).resolve().parents[1]
#: Real data kept beside the project; tests that need them skip where they are absent.
SHARED_DATA = Path(os.environ.get('SPACT_SHARED_DATA', ROOT.parent / 'shared' / 'data'))


def pytest_configure(config):
    """Share the cores among the processes of pytest-xdist, and let the end of one be seen."""
    workers = int(os.environ.get('PYTEST_XDIST_WORKER_COUNT', 1))
    torch.set_num_threads(max(1, torch.get_num_threads() // workers))
    for plugin in config.pluginmanager.get_plugins():
        if hasattr(plugin, 'channel'):
            _leave_to_worker(plugin.channel.gateway._io.outfile.fileno())


def _leave_to_worker(pipe):
    """Keep a pipe from forks: after a timeout, the run would wait for those of the test."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.register_at_fork(after_in_child=lambda: os.dup2(nowhere, pipe))


#: Files whose slow tests take a minute or more: they go first, longest first, or one process would
#: still be busy with such a file when the others have nothing left.
LONG = (
    'test_benchmark',
    'test_anonymize',
    'test_train_and_test',
    'test_whole',
    'test_upstream_tools',
    'test_slurm',
    'test_tutorial',
    'test_attack',
    'test_protocol_configs',
    'test_wheel',
    'test_resume',
    'test_eval_configs',
    'test_distributed',
    'test_kills',
    'test_live_servers',
    'test_minimax',
    'test_imports',
    'test_weizmann',
)


def pytest_collection_modifyitems(items):
    """Begin with the files that take long."""
    order = {name: index for index, name in enumerate(LONG)}
    items.sort(key=lambda item: order.get(item.path.stem, len(LONG)))


@pytest.fixture(autouse=True)
def mmaction_scope():
    """Build components as a config with `default_scope = 'mmaction'` does."""
    with DefaultScope.overwrite_default_scope('mmaction'):
        yield


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


@pytest.fixture
def shared_data():
    if not SHARED_DATA.is_dir():
        pytest.skip(f'the real data are not at {SHARED_DATA} (set SPACT_SHARED_DATA)')
    return SHARED_DATA


@pytest.fixture(scope='session')
def tiny_data(tmp_path_factory):
    """Return the folder of a tiny data set; to be left as it is."""
    return write_data(tmp_path_factory.mktemp('data'))


@pytest.fixture(scope='session')
def tiny_run(tmp_path_factory, tiny_data):
    """Return a whole run of `tools/train.py --seed 3`, through all phases, uninterrupted."""
    folder = tmp_path_factory.mktemp('run')
    config = write_config(folder, tiny_data)
    process = run_cli('train', config, '--seed', 3, work_dir=folder / 'work')
    assert process.code == 0, process.stderr
    return SimpleNamespace(config=config, work_dir=folder / 'work', process=process)
