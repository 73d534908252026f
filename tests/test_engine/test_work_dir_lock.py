import fcntl
import subprocess
import sys

import pytest
from e2e import log_of
from toy import At, Stop, make_runner, stop, train

from spact_mm.engine import work_dir_lock

HOLD = (
    'import fcntl, sys\n'
    'file = open(sys.argv[1] + "/.lock", "w")\n'
    'fcntl.flock(file, fcntl.LOCK_EX)\n'
    'print("held", flush=True)\n'
    'sys.stdin.read()\n'
)


@pytest.fixture
def other():
    """Return what starts another process that holds a folder."""
    processes = []

    def hold(folder):
        folder.mkdir(parents=True, exist_ok=True)
        pipes = dict(stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        process = subprocess.Popen([sys.executable, '-c', HOLD, str(folder)], **pipes)
        processes.append(process)
        assert process.stdout.readline() == b'held\n'
        return process

    yield hold
    for process in processes:
        process.kill()
        process.communicate()


def is_free(folder):
    with (folder / '.lock').open('w') as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True


def test_a_second_training_in_a_work_dir_is_refused(tmp_path, other):
    process = other(tmp_path)
    with pytest.raises(RuntimeError) as error:
        train(tmp_path)
    assert str(error.value) == (
        f'Another training runs in {tmp_path}; wait for it or choose another --work-dir.'
    )
    assert list(tmp_path.glob('*.pth')) == []
    process.kill()
    process.wait()
    train(tmp_path, epochs=1)
    assert (tmp_path / 'epoch_1.pth').exists()


def test_a_work_dir_is_held_while_the_training_runs(tmp_path):
    seen = []
    runner = make_runner(tmp_path, epochs=1)
    runner.register_hook(At(2, lambda _: seen.append(is_free(tmp_path))))
    runner.train()
    assert seen == [False] and is_free(tmp_path)


def test_a_process_may_train_again_after_an_error(tmp_path):
    runner = make_runner(tmp_path)
    runner.register_hook(At(7, stop))
    with pytest.raises(Stop):
        runner.train()
    assert not is_free(tmp_path)
    train(tmp_path, resume=True)
    assert is_free(tmp_path)


def test_a_file_system_without_locks_is_told(tmp_path, monkeypatch):
    def unsupported(folder, refusal):
        raise OSError(95, 'Operation not supported')

    monkeypatch.setattr(work_dir_lock, 'lock_folder', unsupported)
    train(tmp_path, epochs=1)
    assert f'{tmp_path} cannot be locked (Operation not supported)' in log_of(tmp_path)


def test_testing_holds_nothing(tmp_path):
    train(tmp_path, epochs=1)
    runner = make_runner(tmp_path)
    runner.call_hook('before_run')  # as of a test: no loop of a training was built
    assert is_free(tmp_path)
