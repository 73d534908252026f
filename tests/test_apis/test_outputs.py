import json
import os

import pytest

from spact_mm.apis import Manifest, find_jobs, find_left_out
from spact_mm.apis.sources import describe_left_out


@pytest.fixture
def folder(tmp_path):
    for name in ['a.avi', 'b/c.MP4', 'b/d.jpg', 'b/notes.txt', '.e.mp4.part', 'b/.f.avi']:
        path = tmp_path / 'in' / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    return tmp_path / 'in'


def list_outputs(jobs, out):
    return [job.output.relative_to(out).as_posix() for job in jobs]


def test_folder_keeps_its_layout_and_other_files_are_left_out(folder, tmp_path):
    jobs = find_jobs([str(folder)], tmp_path / 'out')
    assert list_outputs(jobs, tmp_path / 'out') == ['a.mp4', 'b/c.mp4', 'b/d.png']
    assert [job.is_image for job in jobs] == [False, False, True]


def test_files_and_patterns_are_taken_once(folder, tmp_path):
    jobs = find_jobs(
        [str(folder / 'a.avi'), str(folder / '*.avi'), str(folder / 'b' / '*4')], tmp_path
    )
    assert list_outputs(jobs, tmp_path) == ['a.mp4', 'c.mp4']


def test_file_named_itself_is_taken_whatever_it_is_called(folder, tmp_path):
    (job,) = find_jobs([str(folder / 'b' / 'notes.txt')], tmp_path)
    assert job.output == tmp_path / 'notes.mp4'


def test_name_that_looks_like_a_pattern_is_a_file(tmp_path):
    (tmp_path / 'walk [1].avi').touch()
    (job,) = find_jobs([str(tmp_path / 'walk [1].avi')], tmp_path / 'out')
    assert job.output.name == 'walk [1].mp4'


def test_outputs_within_the_inputs_are_no_inputs(folder):
    (folder / 'out').mkdir()
    (folder / 'out' / 'a.mp4').touch()
    assert len(find_jobs([str(folder)], folder / 'out')) == 3


def test_folder_that_is_the_output_is_refused(folder):
    with pytest.raises(ValueError, match='in is the folder of the outputs'):
        find_jobs([str(folder)], folder)


def test_outputs_of_one_name_keep_the_endings(folder, tmp_path):
    (folder / 'a.mkv').touch()
    outputs = list_outputs(find_jobs([str(folder)], tmp_path), tmp_path)
    assert outputs == ['a.avi.mp4', 'a.mkv.mp4', 'b/c.mp4', 'b/d.png']
    outputs = list_outputs(find_jobs([str(folder)], tmp_path, frames_as_images=True), tmp_path)
    assert outputs == ['a.avi', 'a.mkv', 'b/c', 'b/d.png']


def test_what_matches_nothing_is_refused(tmp_path):
    for text in [str(tmp_path), str(tmp_path / 'no.mp4'), str(tmp_path / '*.mp4')]:
        with pytest.raises(FileNotFoundError, match='is no file, and no folder or pattern with'):
            find_jobs([text], tmp_path / 'out')


def test_output_that_is_an_input_is_refused(tmp_path):
    (tmp_path / 'a.mp4').touch()
    with pytest.raises(ValueError, match='a.mp4 is an input, and would be overwritten'):
        find_jobs([str(tmp_path / 'a.mp4')], tmp_path)


def test_same_names_from_two_folders_are_refused(folder, tmp_path):
    (folder / 'b' / 'a.avi').touch()
    with pytest.raises(ValueError, match='Several inputs would be written to .*a.avi.mp4'):
        find_jobs([str(folder / 'a.avi'), str(folder / 'b' / 'a.avi')], tmp_path / 'out')


@pytest.mark.parametrize('link', [os.symlink, os.link])
def test_input_under_another_name_is_not_overwritten(tmp_path, link):
    (tmp_path / 'real.mp4').touch()
    (tmp_path / 'in').mkdir()
    (tmp_path / 'out').mkdir()
    link(tmp_path / 'real.mp4', tmp_path / 'in' / 'a.mp4')
    link(tmp_path / 'real.mp4', tmp_path / 'out' / 'a.mp4')
    with pytest.raises(ValueError, match='out/a.mp4 is an input, and would be overwritten'):
        find_jobs([str(tmp_path / 'in')], tmp_path / 'out')


def test_input_below_a_linked_folder_is_not_overwritten(tmp_path):
    (tmp_path / 'in' / 'sub').mkdir(parents=True)
    (tmp_path / 'in' / 'sub' / 'a.mp4').touch()
    (tmp_path / 'out').mkdir()
    (tmp_path / 'out' / 'sub').symlink_to(tmp_path / 'in' / 'sub')
    with pytest.raises(ValueError, match='out/sub/a.mp4 is an input, and would be overwritten'):
        find_jobs([str(tmp_path / 'in')], tmp_path / 'out')


@pytest.mark.parametrize('way', ['itself', 'link'])
def test_folder_that_holds_an_input_is_not_replaced(tmp_path, way):
    (tmp_path / 'walk').mkdir()
    (tmp_path / 'walk' / 'kept.mp4').touch()
    (tmp_path / 'walk.mp4').touch()
    out = tmp_path
    if way == 'link':
        out = tmp_path / 'out'
        out.mkdir()
        (out / 'walk').symlink_to(tmp_path / 'walk')
    with pytest.raises(ValueError, match='walk is a folder that holds inputs'):
        find_jobs([str(tmp_path / 'walk.mp4'), str(tmp_path / 'walk')], out, True)


@pytest.mark.parametrize('name', ['manifest.jsonl.mp4', 'Manifest.JSONL.avi', '.lock.mp4'])
def test_output_with_the_name_of_the_manifest_or_lock_is_refused(tmp_path, name):
    (tmp_path / name).touch()
    with pytest.raises(ValueError, match='which notes what is done: rename it'):
        find_jobs([str(tmp_path / name)], tmp_path / 'out', frames_as_images=True)
    find_jobs([str(tmp_path / name)], tmp_path / 'out')


def test_output_within_another_is_refused(tmp_path):
    (tmp_path / 'in' / 'walk').mkdir(parents=True)
    (tmp_path / 'in' / 'walk' / '000000.png').touch()
    (tmp_path / 'in' / 'walk.mp4').touch()
    with pytest.raises(ValueError, match='000000.png, within the output .*out/walk: anonymize'):
        find_jobs([str(tmp_path / 'in')], tmp_path / 'out', frames_as_images=True)


def test_files_that_are_left_out_are_told(folder, tmp_path):
    (folder / 'linked').symlink_to(folder / 'b')
    (folder / 'gone.mp4').symlink_to(folder / 'nowhere')
    os.mkfifo(folder / 'pipe.mp4')
    (folder / '.DS_Store').touch()
    (folder / 'x.heic').touch()
    (folder / 'y.gif').touch()
    left_out = find_left_out([str(folder)], tmp_path / 'out')
    names = ['b/.f.avi', 'b/notes.txt', 'gone.mp4', 'linked', 'pipe.mp4', 'x.heic']
    assert [path.relative_to(folder).as_posix() for path in left_out] == names
    assert list_outputs(find_jobs([str(folder)], tmp_path), tmp_path)[-1] == 'y.mp4'
    text = describe_left_out(left_out, shown=2)
    assert text.startswith('6 files are left out') and text.endswith('notes.txt and 4 more.')


def test_file_that_is_named_is_not_told_as_left_out(folder, tmp_path):
    inputs = [str(folder), str(folder / 'b' / 'notes.txt')]
    assert folder / 'b' / 'notes.txt' not in find_left_out(inputs, tmp_path / 'out')


def test_folder_that_cannot_be_opened_is_told(folder, monkeypatch):
    scan = os.scandir

    def refuse(path):
        if str(path).endswith('in/b'):
            raise PermissionError(13, 'Permission denied', str(path))
        return scan(path)

    monkeypatch.setattr(os, 'scandir', refuse)
    assert folder / 'b' in find_left_out([str(folder)])


@pytest.fixture
def job(folder, tmp_path):
    (job,) = find_jobs([str(folder / 'a.avi')], tmp_path / 'out')
    job.output.parent.mkdir()
    return job


def test_done_is_what_is_noted_and_there(job):
    manifest = Manifest(job.output.parent, dict(size=None))
    assert not manifest.is_done(job)
    job.output.touch()
    manifest.add(job, frames=3)
    for again in [manifest, Manifest(job.output.parent, dict(size=None))]:
        assert again.is_done(job)
    (line,) = manifest.path.read_text().splitlines()
    assert json.loads(line)['frames'] == 3
    job.output.unlink()
    assert not manifest.is_done(job)


def test_done_with_other_settings_or_of_another_source_is_not_done(job):
    job.output.touch()
    Manifest(job.output.parent, dict(size=None)).add(job)
    assert not Manifest(job.output.parent, dict(size=64)).is_done(job)
    os.utime(job.source, (1, 1))
    assert not Manifest(job.output.parent, dict(size=None)).is_done(job)


def test_line_that_a_crash_cut_off_is_skipped(job):
    job.output.touch()
    manifest = Manifest(job.output.parent, {})
    manifest.add(job)
    manifest.path.write_text(manifest.path.read_text() + '{"output": "b.m')
    again = Manifest(job.output.parent, {})
    assert again.is_done(job)
    again.add(job)
    assert Manifest(job.output.parent, {}).is_done(job)


def test_one_missing_path_does_not_stop_the_others(folder, tmp_path):
    missing = []
    given = ['no.mp4', str(folder / 'a.avi'), 'none/*.avi']
    assert len(find_jobs(given, tmp_path, missing=missing)) == 1
    assert [line.split()[0] for line in missing] == ['no.mp4', 'none/*.avi']
    with pytest.raises(FileNotFoundError, match=r'no.mp4 is no file'):
        find_jobs(['no.mp4'], tmp_path, missing=[])
