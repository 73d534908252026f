import fcntl
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager

import pytest

from spact_mm.files import lock_folder, partial_path, write_whole


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / 'deep' / 'file.txt'
    write_whole(path, 'old')

    def full(_):
        raise OSError(28, 'No space left on device')

    monkeypatch.setattr(os, 'fsync', full)
    with pytest.raises(OSError, match='No space left') as error:
        write_whole(path, b'new')
    assert error.value.filename == str(path)
    assert path.read_text() == 'old'
    assert [entry.name for entry in path.parent.iterdir()] == ['file.txt']


def test_partial_names_are_hidden_and_the_process_own(tmp_path):
    path = partial_path(tmp_path / 'a.mp4')
    assert path.name.startswith('.') and str(os.getpid()) in path.name
    assert path.parent == tmp_path


@pytest.mark.slow
def test_a_folder_is_one_process_at_a_time(tmp_path):
    code = (
        'import sys; from spact_mm.files import lock_folder\n'
        f'with lock_folder({str(tmp_path)!r}, "in use"): print("in")'
    )
    with lock_folder(tmp_path, 'in use'):
        other = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True)
        assert other.returncode != 0 and other.stderr.rstrip().endswith('RuntimeError: in use')
    other = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True)
    assert other.stdout == 'in\n', other.stderr


@contextmanager
def held(folder, run):
    """Let another process use a folder."""
    code = (
        'import sys; from spact_mm.files import lock_folder\n'
        f'with lock_folder({str(folder)!r}, "in use", {run!r}):\n'
        '    print("in", flush=True); sys.stdin.read()'
    )
    process = subprocess.Popen(
        [sys.executable, '-c', code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == 'in\n'
    yield
    process.communicate()
    assert process.returncode == 0


@pytest.mark.slow
def test_processes_of_one_run_share_a_folder_and_no_other_gets_in(tmp_path):
    with held(tmp_path, 'a'), lock_folder(tmp_path, 'in use', 'a'):
        for run in ('b', None):
            with pytest.raises(RuntimeError, match='in use'), lock_folder(tmp_path, 'in use', run):
                pass
        with held(tmp_path, 'a'):
            pass
    # What an ended run has left keeps nobody out.
    with lock_folder(tmp_path, 'in use', 'b'):
        pass
    with held(tmp_path, None), pytest.raises(RuntimeError, match='in use'):
        with lock_folder(tmp_path, 'in use', 'a'):
            pass


def test_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / 'file').touch()
    with pytest.raises(OSError, match='file cannot be written to: '):
        with lock_folder(tmp_path / 'file', 'in use'):
            pass


def test_a_child_that_outlives_its_parent_does_not_keep_the_folder(tmp_path):
    with lock_folder(tmp_path, 'in use'):
        child = os.fork()
        if child == 0:
            time.sleep(60)
            os._exit(0)
    try:
        with lock_folder(tmp_path, 'in use'):
            assert os.waitpid(child, os.WNOHANG) == (0, 0)
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def test_disk_without_locks_is_named(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(37, 'No locks available')

    monkeypatch.setattr(fcntl, 'flock', refuse)
    for run in (None, 'a'):
        with pytest.raises(OSError, match=r'.lock cannot be locked .No locks available.: choose'):
            with lock_folder(tmp_path, 'in use', run):
                pass
