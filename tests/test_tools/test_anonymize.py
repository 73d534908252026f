"""``tools/anonymize.py`` as a process."""

import hashlib
import json
import os
import runpy
import signal
import subprocess
import sys
import time
from functools import partial

import numpy as np
import pytest
import torch
from e2e import ROOT, environment, run_process
from media import draw_frames, read_video, write_video

from spact_mm.models.anonymizers import UNetAnonymizer

TOOL = ROOT / 'tools' / 'anonymize.py'


@pytest.fixture
def checkpoint(tmp_path):
    network = UNetAnonymizer(base_channels=4, num_levels=2)
    state = {f'anonymizer.{name}': value for name, value in network.state_dict().items()}
    cfg = "model = dict(anonymizer=dict(type='UNetAnonymizer', base_channels=4, num_levels=2))"
    torch.save(dict(state_dict=state, meta=dict(cfg=cfg)), tmp_path / 'minimax.pth')
    return tmp_path / 'minimax.pth'


def anonymize(folder, *arguments, launcher=()):
    return run_process(folder / 'logs', sys.executable, *launcher, TOOL, *arguments)


def read_folder(folder):
    """Return the files below a folder, by their hashes; of the manifest, what is said of each."""
    files = {p.relative_to(folder).as_posix(): p for p in folder.rglob('*') if p.is_file()}
    manifest = files.pop('manifest.jsonl').read_text().splitlines()
    entries = sorted(manifest)
    assert len(set(entries)) == len(entries)
    return {n: hashlib.sha256(p.read_bytes()).hexdigest() for n, p in files.items()}, entries


def test_folder_is_done_and_what_cannot_be_is_named(tmp_path, checkpoint):
    source = tmp_path / 'in'
    source.mkdir()
    write_video(source / 'a walk.mp4', sound='aac')
    write_video(source / 'run.avi')
    (source / 'broken.mp4').write_text('no video')
    out = tmp_path / 'out'
    done = anonymize(tmp_path, source, '--checkpoint', checkpoint, '--out', out)
    assert done.code == 1, done.stderr
    assert f'Not done: {source / "broken.mp4"} is no video that can be read' in done.stdout
    assert 'a walk.mp4: 12 frames, 64x48, sound dropped.' in done.stdout
    assert '2 files, 24 frames in' in done.stdout and '1 could not be done.' in done.stdout
    assert sorted(p.name for p in out.iterdir()) == ['a walk.mp4', 'manifest.jsonl', 'run.mp4']
    assert len(read_video(out / 'run.mp4')[0]) == 12
    assert 'Traceback' not in done.stderr

    (source / 'broken.mp4').unlink()
    before = (out / 'run.mp4').stat().st_mtime_ns
    done = anonymize(tmp_path, source, '--checkpoint', checkpoint, '--out', out)
    assert done.code == 0
    assert '2 of 2 files are done already.' in done.stdout
    assert (out / 'run.mp4').stat().st_mtime_ns == before


@pytest.mark.slow
@pytest.mark.parametrize(
    'arguments, message',
    [
        (('no.mp4', '--method', 'blur', '--out', 'out'), 'no.mp4 is no file, and no folder'),
        (('.', '--method', 'blur', '--out', '.'), '. is the folder of the outputs'),
    ],
)
def test_wrong_files_get_one_sentence(tmp_path, arguments, message):
    done = anonymize(tmp_path, *arguments)
    assert done.code == 1
    assert message in done.stderr and 'Traceback' not in done.stderr


@pytest.mark.parametrize(
    'arguments, message',
    [
        (('.', '--out', 'out'), 'one of the arguments --checkpoint --method is required'),
        (('.', '--method', 'magic', '--out', 'out'), "invalid choice: 'magic'"),
        (('.', '--method', 'blur', '--out', 'out', '--size', '0'), '0 is not positive'),
    ],
)
def test_wrong_options_are_told(arguments, message, monkeypatch, capsys):
    monkeypatch.setattr(sys, 'argv', ['anonymize.py', *arguments])
    with pytest.raises(SystemExit) as ending:
        runpy.run_path(str(TOOL))['parse_args']()
    assert ending.value.code == 2
    assert message in capsys.readouterr().err


@pytest.mark.slow
def test_output_folder_that_cannot_be_written_gets_one_sentence(tmp_path):
    source = write_video(tmp_path / 'walk.mp4')
    (tmp_path / 'out').write_text('a file')
    done = anonymize(tmp_path, source, '--method', 'blur', '--out', tmp_path / 'out')
    assert done.code == 1
    assert str(tmp_path / 'out') in done.stdout + done.stderr and 'Traceback' not in done.stderr


@pytest.fixture(scope='module')
def fifty_videos(tmp_path_factory):
    folder = tmp_path_factory.mktemp('fifty')
    for index in range(50):
        frames = np.roll(draw_frames(8), index, axis=2)
        write_video(folder / f'{index:02}.avi', frames)
    return folder


@pytest.fixture(scope='module')
def uninterrupted(fifty_videos, tmp_path_factory):
    folder = tmp_path_factory.mktemp('whole')
    done = anonymize(folder, fifty_videos, '--method', 'blur', '--out', folder / 'out')
    assert done.code == 0, done.stderr
    files, entries = read_folder(folder / 'out')
    assert len(files) == len(entries) == 50
    return files, entries


@pytest.mark.slow
@pytest.mark.parametrize('ending', [signal.SIGKILL, signal.SIGINT])
def test_killed_and_repeated_run_yields_the_files_of_a_whole_one(
    fifty_videos, uninterrupted, tmp_path, ending
):
    out = tmp_path / 'out'
    command = [sys.executable, TOOL, fifty_videos, '--method', 'blur', '--out', out]
    for stop_after in (5, 20):
        process = subprocess.Popen(
            command,
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            # A shell lets what it starts in the background ignore it, and so would this process.
            preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
        )
        while len(list(out.glob('*.mp4'))) < stop_after:
            assert process.poll() is None, process.stdout.read()
            time.sleep(0.005)
        process.send_signal(ending)
        process.communicate()
        assert process.returncode == (-9 if ending == signal.SIGKILL else 130)
    done = anonymize(tmp_path, *command[2:])
    assert done.code == 0
    assert ' of 50 files are done already.' in done.stdout
    files, entries = read_folder(out)
    assert files == uninterrupted[0]
    assert entries == uninterrupted[1]


@pytest.mark.slow
def test_processes_share_the_files(fifty_videos, uninterrupted, tmp_path):
    out = tmp_path / 'out'
    launcher = ['-m', 'torch.distributed.run', '--standalone', '--nproc_per_node', '2']
    done = anonymize(tmp_path, fifty_videos, '--method', 'blur', '--out', out, launcher=launcher)
    assert done.code == 0, done.stderr
    assert done.stdout.count('25 files, 200 frames') == 2
    assert read_folder(out) == uninterrupted


@pytest.mark.slow
def test_long_video_needs_no_more_memory_than_a_short_one(tmp_path):
    peaks = []
    for minutes in (0.1, 1):
        source = write_long_video(tmp_path / f'{minutes}.mp4', round(minutes * 60 * 25))
        out = tmp_path / 'out'
        command = [sys.executable, TOOL, source, '--method', 'downsample', '--out', out]
        process = subprocess.Popen([str(c) for c in command], env=environment())
        peaks.append(os.wait4(process.pid, 0)[2].ru_maxrss)
        process.returncode = 0
        entry = json.loads((out / 'manifest.jsonl').read_text().splitlines()[-1])
        assert (entry['frames'], entry['height'], entry['width']) == (minutes * 1500, 360, 640)
    assert peaks[1] < 1.1 * peaks[0]


def write_long_video(path, count):
    import av

    frame = np.ascontiguousarray(draw_frames(1, 360, 640)[0])
    with av.open(str(path), 'w') as container:
        stream = container.add_stream('mpeg4', rate=25)
        stream.height, stream.width, stream.pix_fmt = 360, 640, 'yuv420p'
        for _ in range(count):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format='rgb24')))
        container.mux(stream.encode())
    return path
