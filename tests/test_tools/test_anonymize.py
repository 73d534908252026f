"""``tools/anonymize.py`` as a process."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from functools import partial

import cv2
import numpy as np
import pytest
import torch
from e2e import ROOT, environment, run_process
from media import draw_frames, read_video, write_video

from spact_mm.apis import AnonymizeInferencer, lock_outputs
from spact_mm.commands import anonymize as command
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
    files = {p.relative_to(folder).as_posix(): p for p in folder.rglob('[!.]*') if p.is_file()}
    manifest = files.pop('manifest.jsonl').read_text().splitlines()
    entries = sorted(manifest)
    assert len(set(entries)) == len(entries)
    return {n: hashlib.sha256(p.read_bytes()).hexdigest() for n, p in files.items()}, entries


@pytest.mark.slow
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
    assert sorted(p.name for p in out.glob('[!.]*')) == ['a walk.mp4', 'manifest.jsonl', 'run.mp4']
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
        (('.', '--out', 'out'), 'one of the arguments --checkpoint --model --method is required'),
        (('.', '--method', 'magic', '--out', 'out'), "invalid choice: 'magic'"),
        (('.', '--method', 'blur', '--out', 'out', '--size', '0'), '0 is not positive'),
    ],
)
def test_wrong_options_are_told(arguments, message, monkeypatch, capsys):
    monkeypatch.setattr(sys, 'argv', ['anonymize.py', *arguments])
    with pytest.raises(SystemExit) as ending:
        command.parse_args()
    assert ending.value.code == 2
    assert message in capsys.readouterr().err


@pytest.mark.slow
def test_output_folder_that_cannot_be_written_gets_one_sentence(tmp_path):
    source = write_video(tmp_path / 'walk.mp4')
    (tmp_path / 'out').write_text('a file')
    done = anonymize(tmp_path, source, '--method', 'blur', '--out', tmp_path / 'out')
    assert done.code == 1
    assert str(tmp_path / 'out') in done.stdout + done.stderr and 'Traceback' not in done.stderr


def call(monkeypatch, *arguments):
    """Run the tool in this process; return its exit code."""
    monkeypatch.setattr(sys, 'argv', ['anonymize.py', *map(str, arguments)])
    return command.anonymize(command.parse_args())


@pytest.mark.parametrize(
    'error, message',
    [
        (MemoryError(), 'b.png: MemoryError'),
        (RuntimeError('CUDA out of memory.\nTried'), 'b.png: RuntimeError: CUDA out of memory.'),
        (cv2.error('OpenCV: no memory'), 'b.png: error: OpenCV: no memory'),
        (AssertionError(), 'b.png: AssertionError'),
        (RecursionError('too deep'), 'b.png: RecursionError: too deep'),
    ],
)
def test_any_failure_belongs_to_its_file(tmp_path, monkeypatch, capsys, error, message):
    def fail_once(inferencer, frames, noise=None):
        if frames[0, 0, 0, 0] == 1:
            raise error
        return frames

    monkeypatch.setattr(AnonymizeInferencer, 'anonymize_frames', fail_once)
    (tmp_path / 'in').mkdir()
    for index, name in enumerate('abc'):
        cv2.imwrite(str(tmp_path / 'in' / f'{name}.png'), np.full((8, 8, 3), index, np.uint8))
    out = tmp_path / 'out'
    code = call(monkeypatch, tmp_path / 'in', '--out', out, '--method', 'blur')
    printed = capsys.readouterr().out
    assert code == 1 and f'Not done: {tmp_path / "in"}/{message}\n' in printed
    assert '2 files, 2 frames in' in printed and '1 could not be done.' in printed
    assert sorted(read_folder(out)[0]) == ['a.png', 'c.png']

    def interrupt(inferencer, frames, noise=None):
        raise KeyboardInterrupt

    monkeypatch.setattr(AnonymizeInferencer, 'anonymize_frames', interrupt)
    with pytest.raises(KeyboardInterrupt):
        call(monkeypatch, tmp_path / 'in', '--out', out, '--method', 'blur')


def test_picture_that_is_too_large_does_not_stop_the_others(tmp_path, monkeypatch, capsys):
    (tmp_path / 'in').mkdir()
    for side in (8, 20):
        cv2.imwrite(str(tmp_path / 'in' / f'{side}.png'), np.zeros((side, side, 3), np.uint8))
    (tmp_path / 'in' / 'c.heic').touch()
    options = ['--out', tmp_path / 'out', '--method', 'blur']
    assert call(monkeypatch, tmp_path / 'in', *options, '--max-pixels', '399') == 1
    printed = capsys.readouterr().out
    assert '20.png has pictures of 20 x 20, more than 399 pixels' in printed
    assert '1 files are left out' in printed and 'c.heic.' in printed
    assert call(monkeypatch, tmp_path / 'in', *options) == 0
    assert '1 of 2 files are done already.' in capsys.readouterr().out


def test_folder_of_the_name_of_a_video_is_kept(tmp_path, monkeypatch, capsys):
    write_video(tmp_path / 'holiday.mp4')
    (tmp_path / 'holiday').mkdir()
    (tmp_path / 'holiday' / 'diary.txt').write_text('kept for years')
    options = ['--out', tmp_path, '--images', '--method', 'blur']
    assert call(monkeypatch, tmp_path / 'holiday.mp4', *options) == 1
    assert 'holiday exists and is not what manifest.jsonl lists' in capsys.readouterr().out
    assert [path.name for path in (tmp_path / 'holiday').iterdir()] == ['diary.txt']
    # With an input in it, nothing is begun.
    write_video(tmp_path / 'holiday' / 'beach.mp4')
    with pytest.raises(ValueError, match='holiday is a folder that holds inputs'):
        call(monkeypatch, tmp_path / 'holiday.mp4', tmp_path / 'holiday', *options)


def test_run_within_a_run_is_refused(tmp_path, monkeypatch):
    """Both would write the same files, and note them as done."""
    source, out = write_video(tmp_path / 'walk.avi'), tmp_path / 'out'
    options = [source, '--method', 'blur', '--out', out]
    refusals = []

    def run_again(inferencer, frames, noise=None):
        if not refusals:
            refusals.append('none')
            try:
                call(monkeypatch, *options)
            except RuntimeError as error:
                refusals[0] = str(error)
        return frames // 2

    monkeypatch.setattr(AnonymizeInferencer, 'anonymize_frames', run_again)
    assert call(monkeypatch, *options) == 0
    assert refusals[0].startswith(f'Another run writes to {out}: wait')
    assert len((out / 'manifest.jsonl').read_text().splitlines()) == 1


def test_manifest_that_is_no_text_blocks_nothing(tmp_path, monkeypatch, capsys):
    options = [write_video(tmp_path / 'walk.avi'), '--method', 'blur', '--out', tmp_path / 'out']
    assert call(monkeypatch, *options) == 0
    manifest = tmp_path / 'out' / 'manifest.jsonl'
    manifest.write_bytes(b'\xff\xfe\n' + manifest.read_bytes())
    assert call(monkeypatch, *options) == 0
    assert '1 of 1 files are done already.' in capsys.readouterr().out


def test_output_that_is_half_on_the_disk_is_not_noted(tmp_path, monkeypatch, capsys):
    """What is noted as done was read back whole."""
    write = type(tmp_path).write_bytes
    monkeypatch.setattr(
        type(tmp_path), 'write_bytes', lambda path, data: write(path, data[: len(data) // 2])
    )
    cv2.imwrite(str(tmp_path / 'a.png'), draw_frames(1)[0])
    options = [tmp_path / 'a.png', '--method', 'blur', '--out', tmp_path / 'out']
    assert call(monkeypatch, *options) == 1
    assert 'cannot be read back' in capsys.readouterr().out
    assert not (tmp_path / 'out' / 'a.png').exists()
    assert not (tmp_path / 'out' / 'manifest.jsonl').exists()


def test_force_is_needed_for_what_comes_out_as_it_went_in(tmp_path, monkeypatch, capsys):
    # Of ten pixels, a block of the mosaic is one pixel.
    cv2.imwrite(str(tmp_path / 'tiny.png'), draw_frames(1, 10, 10)[0])
    options = [tmp_path / 'tiny.png', '--method', 'pixelate', '--out', tmp_path / 'out']
    assert call(monkeypatch, *options) == 1
    assert 'tiny.png is not written: its frames come out as' in capsys.readouterr().out
    assert not (tmp_path / 'out' / 'tiny.png').exists()
    assert call(monkeypatch, *options, '--force') == 0
    assert 'WARNING: its frames come out as' in capsys.readouterr().out
    assert (tmp_path / 'out' / 'tiny.png').exists()


@pytest.mark.slow
def test_name_that_is_no_text_is_done(tmp_path):
    folder = tmp_path / 'in'
    folder.mkdir()
    name = os.fsdecode(b'caf\xe9')
    cv2.imwrite(str(tmp_path / 'a.png'), np.zeros((8, 8, 3), np.uint8))
    (tmp_path / 'a.png').rename(folder / f'{name}.png')
    write_video(tmp_path / 'a.mp4').rename(folder / f'{name}.mp4')
    for count in ('2 files, 13 frames', '2 of 2 files are done already.'):
        done = anonymize(tmp_path, folder, '--method', 'blur', '--out', tmp_path / 'out')
        assert done.code == 0, done.stderr
        assert count in done.stdout
    assert (tmp_path / 'out' / f'{name}.mp4').is_file()


def start(*arguments, **variables):
    """Start the tool, and go on."""
    command = [sys.executable, TOOL, *arguments]
    return subprocess.Popen(
        [str(part) for part in command],
        env=environment(**variables),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def wait_for(condition, process):
    while not condition():
        assert process.poll() is None, process.stdout.read()
        time.sleep(0.002)


@pytest.mark.slow
def test_second_run_into_a_folder_is_refused(tmp_path):
    options = [write_video(tmp_path / 'walk.avi'), '--method', 'blur', '--out', tmp_path / 'out']
    with lock_outputs(tmp_path / 'out'):
        second = anonymize(tmp_path, *options)
    assert second.code == 1 and 'Traceback' not in second.stderr
    assert f'RuntimeError: Another run writes to {tmp_path / "out"}: wait' in second.stderr
    assert [path.name for path in (tmp_path / 'out').iterdir()] == ['.lock']


@pytest.mark.slow
def test_processes_of_two_runs_of_torchrun_do_not_mix(tmp_path, monkeypatch):
    options = [write_video(tmp_path / 'walk.avi'), '--method', 'blur', '--out', tmp_path / 'out']
    world = dict(WORLD_SIZE='2', MASTER_ADDR='here', TORCHELASTIC_RUN_ID='none')
    for name, value in dict(world, RANK='0', MASTER_PORT='1').items():
        monkeypatch.setenv(name, value)
    with lock_outputs(tmp_path / 'out'):
        # Its sister has no file to do; another run, and the same rank again, are refused.
        for rank, port, code in (('1', '1', 0), ('1', '2', 1), ('0', '1', 1)):
            other = start(*options, RANK=rank, MASTER_PORT=port, **world)
            text = other.communicate()[0]
            assert other.returncode == code, text
            assert ('Another run writes to' in text) == bool(code), text


@pytest.mark.slow
@pytest.mark.parametrize('images', [False, True])
def test_every_file_that_the_manifest_lists_is_whole_after_any_kill(tmp_path, images):
    """Kills in the middle of a video, of a folder of frames, and between files."""
    (tmp_path / 'in').mkdir()
    frames = np.repeat(draw_frames(6), 10, 0)
    for path in ('big.avi', 'in/1.avi', 'in/2.avi', 'in/3.avi'):
        write_video(tmp_path / path, frames)
    out = tmp_path / 'out'
    options = [tmp_path / 'in', tmp_path / 'big.avi', '--method', 'blur', '--out', out]
    options += ['--images'] if images else []
    for kill in range(6):
        process = start(*options)
        began = time.monotonic() + 0.05 * kill
        wait_for(
            lambda began=began: list(out.glob('.[b0-9]*.part')) and time.monotonic() > began,
            process,
        )
        process.kill()
        process.communicate()
        check_listed(out, images)
    done = anonymize(tmp_path, *options)
    assert done.code == 0, done.stdout + done.stderr
    assert check_listed(out, images) == 4
    assert not list(out.glob('.*.part'))


def check_listed(out, images):
    """Decode each output that the manifest lists; return how many there are."""
    path = out / 'manifest.jsonl'
    lines = path.read_text().splitlines() if path.exists() else []
    for line in map(json.loads, lines):
        output = out / line['output']
        if images:
            frames = sorted(output.iterdir())
            assert [f.name for f in frames] == [f'{i:06d}.png' for i in range(line['frames'])]
            assert all(cv2.imread(str(f)).shape == (48, 64, 3) for f in frames)
        else:
            assert len(read_video(output)[0]) == line['frames'] == 60
    return len({json.loads(line)['output'] for line in lines})


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
    for minutes in (0.1, 0.5):
        source = write_long_video(tmp_path / f'{minutes}.mp4', round(minutes * 60 * 25))
        out = tmp_path / 'out'
        command = [sys.executable, TOOL, source, '--method', 'downsample', '--out', out]
        process = subprocess.Popen([str(c) for c in command], env=environment())
        peaks.append(os.wait4(process.pid, 0)[2].ru_maxrss)
        process.returncode = 0
        entry = json.loads((out / 'manifest.jsonl').read_text().splitlines()[-1])
        assert (entry['frames'], entry['height'], entry['width']) == (minutes * 1500, 360, 640)
    # The frames that are more, kept, would be more than half of all.
    assert peaks[1] < 1.25 * peaks[0]


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
