import json
import os
import subprocess
import sys
from functools import partial

import numpy as np
import pytest
from media import read_video, write_video

from spact_mm.apis import AnonymizeInferencer, Job, Manifest, anonymize_file, anonymize_job
from spact_mm.apis.leftover import LeftoverCheck
from spact_mm.apis.output_files import fingerprint, remove_leftovers
from spact_mm.files import partial_path


def invert(frames):
    return 255 - frames


@pytest.fixture
def job(tmp_path):
    return Job(write_video(tmp_path / 'walk.mp4'), tmp_path / 'out' / 'walk.mp4')


@pytest.fixture
def done(job):
    """A job that is done, and the function that does it again."""
    job.output.parent.mkdir()
    run = partial(run_again, job)
    run()
    return job, run


def run_again(job, settings=(), function=invert, images=False):
    manifest = Manifest(job.output.parent, dict(settings))
    if not manifest.is_done(job):
        check = LeftoverCheck(function, 'walk.mp4', is_trained=False, force=True)
        return anonymize_job(job, manifest, check, images=images)


def read_lines(folder):
    return [json.loads(line) for line in (folder / 'manifest.jsonl').read_text().splitlines()]


def test_line_tells_what_was_written(done):
    job, _ = done
    (line,) = read_lines(job.output.parent)
    assert (line['bytes'], line['sha256']) == fingerprint(job.output)
    assert line['bytes'] == job.output.stat().st_size and line['frames'] == 12
    assert [path.name for path in job.output.parent.glob('.*')] == []


def test_output_of_this_tool_is_replaced(done):
    job, run = done
    assert run() is None
    first = job.output.read_bytes()
    assert run(settings=dict(size=64), function=lambda x: x).frames == 12
    assert job.output.read_bytes() != first
    # As it was by the first line, so it may be replaced again.
    job.output.write_bytes(first)
    assert run(settings=dict(size=64), function=lambda x: x).frames == 12


@pytest.mark.parametrize('change', ['cut', 'replaced', 'folder', 'link'])
def test_output_that_was_changed_is_neither_done_nor_replaced(done, tmp_path, change):
    job, run = done
    content = job.output.read_bytes()
    job.output.unlink()
    if change == 'cut':
        job.output.write_bytes(content[:-1])
    elif change == 'replaced':
        job.output.write_bytes(content[:-1] + b'x')
    elif change == 'folder':
        job.output.mkdir()
        (job.output / 'diary.txt').touch()
    else:
        job.output.symlink_to(tmp_path / 'diary.txt')
    before = sorted(tmp_path.rglob('*'))
    assert not Manifest(job.output.parent, {}).is_done(job)
    with pytest.raises(FileExistsError, match='out/walk.mp4 exists and was changed or cut since'):
        run()
    assert sorted(tmp_path.rglob('*')) == before


@pytest.mark.parametrize('images', [False, True])
def test_what_is_not_listed_is_not_replaced(job, images):
    job.output.parent.mkdir()
    kept = job.output
    if images:
        job.output.mkdir()
        kept = job.output / '000000.png'
    kept.write_text('of somebody')
    with pytest.raises(FileExistsError, match='exists and is not what manifest.jsonl lists'):
        run_again(job, images=images)
    assert kept.read_text() == 'of somebody'


def test_folder_of_frames_is_replaced_unless_something_else_is_in_it(job):
    job.output.parent.mkdir()
    run_again(job, images=True)
    run_again(job, settings=dict(side=1), images=True, function=lambda x: x)
    (job.output / 'diary.txt').write_text('kept for years')
    with pytest.raises(FileExistsError, match='changed or cut since'):
        run_again(job, settings=dict(side=2), images=True)
    assert len(list(job.output.iterdir())) == 13


def test_file_that_appears_meanwhile_is_kept(job):
    def slow(frames):
        job.output.write_text('of somebody')
        return frames

    job.output.parent.mkdir()
    with pytest.raises(FileExistsError, match='is not what manifest.jsonl lists'):
        run_again(job, function=slow)
    assert job.output.read_text() == 'of somebody'
    assert [path.name for path in job.output.parent.glob('*')] == ['walk.mp4']


@pytest.mark.parametrize(
    'line',
    [
        b'{"output": "\xff\xfe"}', b'[1, 2]', b'NaN', b'"text"', b'[' * 100_000, b'9' * 10_000,
        b'{"output": ["a"], "settings": 1, "source_size": 2}', b'\x00\x01\x02', b'{"output": "b.m',
        b'{"bytes": 1, "settings": 1, "source_size": 2, "output": null}', b'{"source_time": 1}',
    ],
)  # fmt: skip
def test_broken_lines_are_counted_and_the_others_hold(done, line):
    job, run = done
    path = job.output.parent / 'manifest.jsonl'
    path.write_bytes(line + b'\n' + path.read_bytes() + line)
    manifest = Manifest(job.output.parent, {})
    assert manifest.is_done(job) and manifest.num_broken == 2
    manifest.add(job)
    assert Manifest(job.output.parent, {}).is_done(job)


@pytest.mark.parametrize('line', ['own', 'key', 'all'])
def test_output_of_a_broken_line_is_known_again(done, line):
    """By its hash in what is left of the line, or as the same comes out again."""
    job, run = done
    path = job.output.parent / 'manifest.jsonl'
    content = path.read_bytes().replace(b'"walk', b'"\xffwalk')
    renamed = path.read_bytes().replace(b'"output', b'"outpuu')
    path.write_bytes(dict(own=content, all=b'\xff\xfe\n', key=renamed)[line])
    before = job.output.stat().st_ino
    assert run().frames == 12
    assert Manifest(job.output.parent, {}).is_done(job)
    assert job.output.stat().st_ino != before


def test_other_file_is_kept_though_lines_are_broken(done):
    job, run = done
    (job.output.parent / 'manifest.jsonl').write_bytes(b'\xff\n')
    job.output.write_text('of somebody')
    with pytest.raises(FileExistsError, match='walk.mp4 exists and is not what manifest.jsonl'):
        run()
    assert job.output.read_text() == 'of somebody'


def test_manifest_of_another_tool_is_kept(job):
    job.output.parent.mkdir()
    path = job.output.parent / 'manifest.jsonl'
    path.write_text('{"image": "a.png", "caption": "a dog"}\n')
    with pytest.raises(ValueError, match='manifest.jsonl is not of this tool'):
        Manifest(job.output.parent, {})
    path.unlink()
    path.mkdir()
    with pytest.raises(OSError, match='manifest.jsonl cannot be read .*: give another --out'):
        Manifest(job.output.parent, {})


def kill_after_rename(job, images):
    """Do a job in a process that is killed between the new name and the line of the manifest."""
    code = f"""
import os, signal
from pathlib import Path
from spact_mm.apis import Job, Manifest, anonymize_job
from spact_mm.apis.leftover import LeftoverCheck
job = Job(Path({str(job.source)!r}), Path({str(job.output)!r}))
manifest = Manifest(job.output.parent, {{}})
manifest.add = lambda *_, **facts: os.kill(os.getpid(), signal.SIGKILL)
check = LeftoverCheck(lambda x: 255 - x, 'walk.mp4', is_trained=False)
anonymize_job(job, manifest, check, images={images})
"""
    assert subprocess.run([sys.executable, '-c', code], timeout=200).returncode == -9


@pytest.mark.slow
def test_kill_while_a_folder_is_replaced_leaves_no_half_of_it(job):
    job.output.parent.mkdir()
    run_again(job, images=True)
    whole = fingerprint(job.output)
    code = f"""
import os, shutil, signal
from pathlib import Path
from spact_mm.apis import Job, Manifest, anonymize_job
from spact_mm.apis.leftover import LeftoverCheck
job = Job(Path({str(job.source)!r}), Path({str(job.output)!r}))
shutil.rmtree = lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL)
check = LeftoverCheck(lambda x: x, 'walk.mp4', is_trained=False, force=True)
anonymize_job(job, Manifest(job.output.parent, dict(side=1)), check, images=True)
"""
    assert subprocess.run([sys.executable, '-c', code], timeout=200).returncode == -9
    assert len(list(job.output.iterdir())) == 12 and fingerprint(job.output) != whole
    assert Manifest(job.output.parent, dict(side=1)).is_done(job)
    remove_leftovers([job.output])
    assert list(job.output.parent.glob('.*')) == []


@pytest.mark.slow
@pytest.mark.parametrize('images', [False, True])
def test_kill_before_the_line_is_written_loses_nothing(job, images):
    job.output.parent.mkdir()
    kill_after_rename(job, images)
    assert job.output.exists() and not (job.output.parent / 'manifest.jsonl').exists()
    assert len(list(job.output.parent.glob('.manifest.jsonl.*.part'))) == 1
    assert Manifest(job.output.parent, {}).is_done(job)
    (line,) = read_lines(job.output.parent)
    assert line['frames'] == 12 and line['sha256'] == fingerprint(job.output)[1]
    assert list(job.output.parent.glob('.*')) == []


def test_line_of_a_killed_process_counts_only_for_what_is_there(done, tmp_path):
    job, _ = done
    (line,) = read_lines(job.output.parent)
    claim = job.output.parent / '.manifest.jsonl.999999999.part'
    lines = [dict(line, output='../walk.mp4'), dict(line, sha256='0' * 64), dict(line, output='no')]
    claim.write_text('\n'.join(map(json.dumps, lines)) + '\n\xff')
    (job.output.parent / '..manifest.jsonl.999999999.part.999999999.part').write_text('{"out')
    Manifest(job.output.parent, {})
    assert read_lines(job.output.parent) == [line]
    assert list(job.output.parent.glob('.*')) == []


def test_kill_after_the_line_is_written_adds_no_second(done):
    job, _ = done
    folder = job.output.parent
    whole = (folder / 'manifest.jsonl').read_bytes()
    # Killed before it could remove what it had noted: a process alone, and a job of a cluster.
    (folder / '.manifest.jsonl.999999999.part').write_bytes(whole.strip())
    Manifest(folder, {})
    (folder / '.shards' / '0').mkdir(parents=True)
    (folder / '.shards' / '0' / 'manifest.jsonl').write_bytes(whole)
    assert Manifest(folder, {}).num_broken == 0
    assert (folder / 'manifest.jsonl').read_bytes() == whole
    assert list(folder.glob('.*')) == []


def test_leftovers_of_ended_processes_are_removed_and_those_of_others_stay(done):
    job, _ = done
    folder = job.output.parent
    process = subprocess.Popen([sys.executable, '-c', 'input()'], stdin=subprocess.PIPE)
    alive = folder / f'.walk.mp4.{process.pid}.part'
    other = folder / '.run.mp4.999999999.part'
    for path in (alive, other, folder / '.walk.mp4.999999999.part', partial_path(job.output)):
        path.write_text('half')
    remove_leftovers([job.output, folder / 'nowhere' / 'a.mp4'])
    process.communicate()
    assert sorted(folder.glob('.*.part')) == sorted([alive, other])


def test_output_that_cannot_be_read_back_is_not_noted(job, monkeypatch):
    check = anonymize_file.__globals__['check_video']

    def lose(path, *arguments):
        with path.open('r+b') as file:
            file.truncate(path.stat().st_size - 300)
        return check(path, *arguments)

    monkeypatch.setitem(anonymize_file.__globals__, 'check_video', lose)
    job.output.parent.mkdir()
    with pytest.raises(OSError, match='out/walk.mp4 (has .* frames where 12|cannot be read back)'):
        run_again(job)
    assert list(job.output.parent.iterdir()) == []


def test_full_disk_while_noting_is_named_and_made_good_for(done, monkeypatch):
    job, run = done
    write = os.write
    monkeypatch.setattr(os, 'write', lambda descriptor, data: write(descriptor, data[:10]))
    with pytest.raises(OSError, match='manifest.jsonl cannot be written: the disk is full'):
        run(settings=dict(side=1), function=lambda x: x)
    monkeypatch.undo()
    # The process has ended.
    claim = partial_path(job.output.parent / 'manifest.jsonl')
    claim.rename(claim.with_name('.manifest.jsonl.999999999.part'))
    assert Manifest(job.output.parent, dict(side=1)).is_done(job)


def test_inferencer_replaces_only_what_it_has_written(tmp_path):
    source = write_video(tmp_path / 'walk.mp4')
    anonymize = AnonymizeInferencer(method='blur', show_progress=False)
    for method in ('blur', 'black'):
        anonymize = AnonymizeInferencer(method=method, show_progress=False)
        anonymize(str(source), out_dir=str(tmp_path / 'out'))
    assert np.mean(read_video(tmp_path / 'out' / 'walk.mp4')[0]) < 20
    (tmp_path / 'other').mkdir()
    (tmp_path / 'other' / 'walk.mp4').write_text('of somebody')
    with pytest.raises(FileExistsError, match='other/walk.mp4 exists'):
        anonymize(str(source), out_dir=str(tmp_path / 'other'))
    assert (tmp_path / 'other' / 'walk.mp4').read_text() == 'of somebody'
