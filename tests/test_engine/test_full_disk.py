import errno
import logging
import os
import resource
from types import SimpleNamespace

import numpy as np
import pytest
from e2e import load
from toy import BATCHES, At, make_runner, train

from spact_mm.engine import AnonymizationVisualizationHook, curves_hook
from spact_mm.engine.checkpoint_files import is_whole

#: So many numbers that a checkpoint is beyond the limit, and a log is not.
WIDTH, LIMIT = 20_000, 300_000


@pytest.fixture
def limit_files():
    """Return what makes larger files fail in the way that a full disk does."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield lambda _: resource.setrlimit(resource.RLIMIT_FSIZE, (LIMIT, before[1]))
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize('loop', ['ResumableTrainLoop', 'EpochBasedTrainLoop'])
def test_a_checkpoint_that_does_not_fit_names_itself_and_the_last_whole_one(
    tmp_path, limit_files, loop
):
    runner = make_runner(tmp_path, width=WIDTH, loop=loop)
    runner.register_hook(At(BATCHES + 1, limit_files))
    first, second = tmp_path / 'epoch_1.pth', tmp_path / 'epoch_2.pth'
    with pytest.raises(OSError) as error:
        runner.train()
    assert str(error.value) == (
        f'{second} cannot be written (File too large); the last whole checkpoint is {first}: free '
        'space and go on with --resume.'
    )
    assert is_whole(first) and not second.exists() and list(tmp_path.glob('.*.part')) == []


def test_a_run_goes_on_after_there_is_space(tmp_path, limit_files):
    runner = make_runner(tmp_path, width=WIDTH)
    runner.register_hook(At(BATCHES + 1, limit_files))
    with pytest.raises(OSError, match='free space'):
        runner.train()
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    train(tmp_path, width=WIDTH, resume=True)
    assert load(tmp_path / 'epoch_3.pth')['meta']['epoch'] == 3


def test_the_first_checkpoint_that_does_not_fit_says_that_there_is_none(tmp_path, limit_files):
    runner = make_runner(tmp_path, width=WIDTH)
    runner.register_hook(At(1, limit_files))
    with pytest.raises(OSError, match='there is no checkpoint yet: free space'):
        runner.train()


class Full:
    """A stream on a full disk."""

    def write(self, text):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def flush(self):
        pass


def test_a_log_that_does_not_fit_ends_the_run_in_one_sentence(tmp_path, capsys):
    def fill(runner):
        for handler in runner.logger.handlers:
            if isinstance(handler, logging.FileHandler):
                handler.stream = Full()

    runner = make_runner(tmp_path)
    runner.register_hook(At(BATCHES + 2, fill))
    with pytest.raises(OSError) as error:
        runner.train()
    assert str(error.value).startswith(
        f'A file in {tmp_path} cannot be written (No space left on device); the last whole '
    )
    runner.logger.error('afterwards')
    assert '--- Logging error ---' not in capsys.readouterr().err


def test_pictures_and_curves_fail_by_name_and_leave_no_half(tmp_path, monkeypatch):
    def full(_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, 'fsync', full)
    path = tmp_path / 'curves.png'
    with pytest.raises(OSError) as error:
        curves_hook.draw_curves({'a': {'loss': [[1, 2.0]]}}, path)
    assert error.value.filename == str(path)
    hook = AnonymizationVisualizationHook()
    hook._batch, hook.draw = {}, lambda runner: np.zeros((4, 4, 3), np.uint8)
    runner = SimpleNamespace(epoch=0, max_epochs=1, work_dir=str(tmp_path), hooks=[])
    with pytest.raises(OSError) as error:
        hook.after_train_epoch(runner)
    assert error.value.filename == str(tmp_path / 'anonymization' / 'epoch_1.png')
    assert [entry for entry in tmp_path.rglob('*') if entry.is_file()] == []


def test_other_errors_keep_their_traceback(tmp_path):
    def fail(runner):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    runner = make_runner(tmp_path)
    runner.register_hook(At(2, fail))
    with pytest.raises(OSError, match='Input/output error') as error:
        runner.train()
    assert error.value.errno == errno.EIO
