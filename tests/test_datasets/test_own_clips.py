"""Clips of one's own: labels from folders and tables, division, small copies."""

import json
from collections import Counter

import cv2
import numpy as np
import pytest
from media import draw_frames, write_video

from spact_mm.datasets import small_clips
from spact_mm.datasets.own_clips import divide_by_person, find_persons, read_table
from spact_mm.datasets.small_clips import SmallClips, choose_frames, copy_clip
from spact_mm.datasets.video_reader import open_video


def names(**counts):
    return [f'{person}/{index:02}.mp4' for person, n in counts.items() for index in range(n)]


def sides(division):
    return {name: part for part, part_names in division.items() for name in part_names}


# ---- persons -------------------------------------------------------------------------------------
def test_everyone_is_on_all_sides_and_every_clip_on_one():
    clips = find_persons(names(ann=10, bob=3, eve=5), 'clips')
    assert clips.attributes == ('ann', 'bob', 'eve') and clips.is_identity
    division = clips.divide(0)
    assert sum(map(len, division.values())) == len(sides(division)) == 18
    counts = Counter((part, clips.labels[name][0]) for name, part in sides(division).items())
    assert {p: counts[p, 'ann'] for p in division} == dict(train=5, val=2, test=3)
    assert {p: counts[p, 'bob'] for p in division} == dict(train=1, val=1, test=1)
    assert {p: counts[p, 'eve'] for p in division} == dict(train=2, val=1, test=2)


def test_division_is_the_same_each_time_and_whatever_the_order():
    first = find_persons(names(ann=9, bob=9), 'clips').divide(1)
    again = find_persons(reversed(names(bob=9, ann=9)), 'clips').divide(1)
    assert first == again


def test_seeds_test_different_clips():
    clips = find_persons(names(ann=10, bob=9), 'clips')
    tested = [set(clips.divide(seed)['test']) for seed in range(3)]
    assert len(set.union(*tested)) == 18  # three times three of each


@pytest.mark.parametrize(
    ('found', 'message'),
    [
        (['a.mp4'], r'a\.mp4 lies in clips itself, but there is to be one folder a person'),
        (names(ann=9), 'clips has 1 folders with clips, but an attack needs at least 2 persons'),
        ([], 'clips has 0 folders'),
        (names(ann=9, bob=2), r"too few clips of 'bob' \(2\): an attack needs .* 3 clips each"),
    ],
)
def test_too_little_is_one_sentence(found, message):
    with pytest.raises(ValueError, match=message) as error:
        find_persons(found, 'clips')
    assert '\n' not in str(error.value)


# ---- tables --------------------------------------------------------------------------------------
FILES = [f'{index}.mp4' for index in range(12)]


def write_table(path, rows=None, head='file,person,hat,glasses'):
    if rows is None:
        rows = [f'{name},p{i % 6},{int(i % 6 < 3)},{i % 2}' for i, name in enumerate(FILES)]
    path.write_text('\n'.join([head, *rows]) + '\n')
    return path


def test_table_gives_attributes_and_persons(tmp_path):
    table = read_table(write_table(tmp_path / 't.csv'), FILES)
    assert table.attributes == ('hat', 'glasses') and table.has_persons and not table.is_identity
    assert table.labels['1.mp4'] == ('hat', 'glasses') and table.labels['4.mp4'] == ()
    assert table.groups['p0'] == ['0.mp4', '6.mp4']


def test_persons_of_a_table_are_on_one_side_and_attributes_on_all(tmp_path):
    rows = [f'{i}.mp4,p{i // 2},{int(i // 2 % 3 == 0)},{i // 2 % 2}' for i in range(40)]
    table = read_table(write_table(tmp_path / 't.csv', rows), [f'{i}.mp4' for i in range(40)])
    for seed in range(3):
        division = table.divide(seed)
        side = sides(division)
        assert all(len({side[name] for name in group}) == 1 for group in table.groups.values())
        for part in division.values():
            for attribute in table.attributes:
                assert 0 < sum(attribute in table.labels[name] for name in part) < len(part)


def test_table_without_attributes_has_its_persons_named(tmp_path):
    rows = [f'{name},p{i % 3}' for i, name in enumerate(FILES)]
    table = read_table(write_table(tmp_path / 't.csv', rows, 'file,person'), FILES)
    assert table.is_identity and table.attributes == ('p0', 'p1', 'p2')
    assert {len(names) for names in table.divide(0).values()} <= {3, 6}


def test_files_that_the_table_does_not_name_are_left_out(tmp_path):
    rows = [f'{name},{i % 2}' for i, name in enumerate(FILES[:8])]
    table = read_table(write_table(tmp_path / 't.csv', rows, 'file,hat'), FILES, ['bad.mp4'])
    assert set(table.labels) == set(FILES[:8]) and not table.has_persons
    assert len(table.groups) == 8


def test_files_that_cannot_be_read_may_be_named(tmp_path):
    rows = [f'{name},{i % 2}' for i, name in enumerate(FILES)]
    path = write_table(tmp_path / 't.csv', rows, 'file,hat')
    assert '3.mp4' not in read_table(path, set(FILES) - {'3.mp4'}, {'3.mp4'}).labels


@pytest.mark.parametrize(
    ('rows', 'head', 'message'),
    [
        (['x.mp4,1'], 'file,hat', r"Row 2 of .*t\.csv names 'x\.mp4', which is no video or image"),
        (['0.mp4,1', '0.mp4,0'], 'file,hat', "Row 3 .* names '0.mp4', once more"),
        (['0.mp4,yes'], 'file,hat', "Row 2 of .* has hat = 'yes' in place of 0 or 1"),
        (['0.mp4,'], 'file,hat', "has hat = '' in place of 0 or 1"),
        (['0.mp4,0', '1.mp4,0'], 'file,hat', 'No clip of .* has hat'),
        (['0.mp4,1', '1.mp4,1'], 'file,hat', 'Every clip of .* has hat'),
        (['0.mp4'], 'file,hat', 'Row 2 of .* has 1 cells, but the head 2'),
        (['0.mp4,,1'], 'file,person,hat', 'Row 2 of .* has no person'),
        (
            ['0.mp4,ann'],
            'file,person',
            'has 1 persons, but an attack needs at least 2',
        ),
        (['0.mp4'], 'file', 'is file, but it needs .* at least one attribute, or "person"'),
        (['0.mp4,1'], 'name,hat', 'is name, hat, but it needs a column "file"'),
        (['0.mp4,1,1'], 'file,hat,hat', 'has a column twice'),
        ([], '', 'The head of .* is empty'),
    ],
)
def test_wrong_tables_are_refused_by_their_row(tmp_path, rows, head, message):
    with pytest.raises(ValueError, match=message):
        read_table(write_table(tmp_path / 't.csv', rows, head), FILES)


def test_table_that_is_no_text_is_refused(tmp_path):
    (tmp_path / 't.csv').write_bytes(b'file,hat\n\xff\xfe')
    with pytest.raises(ValueError, match='is no CSV file in UTF-8'):
        read_table(tmp_path / 't.csv', FILES)
    with pytest.raises(FileNotFoundError, match='table .*absent.csv does not exist'):
        read_table(tmp_path / 'absent.csv', FILES)


@pytest.mark.parametrize(
    ('persons', 'message'),
    [(2, '2 persons .*each attribute'), (6, r"6 persons .*some without 'hat'")],
)
def test_attribute_that_cannot_be_on_all_sides_is_named(persons, message):
    groups = {f'p{i}': [f'{i}.mp4'] for i in range(persons)}
    labels = {f'{i}.mp4': ('hat',) if i == 0 else () for i in range(persons)}
    with pytest.raises(ValueError, match=message):
        divide_by_person(groups, labels, ('hat',), 0)


# ---- small copies --------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ('total', 'rate', 'expected'),
    [
        (100, 25, range(0, 100, 2)),
        (100, 0, range(100)),
        (100, float('nan'), range(100)),
        (20, 25, range(20)),
        (5, 100, range(5)),
        (1000, 25, range(200, 800, 2)),
    ],
)
def test_frames_that_are_kept(total, rate, expected):
    assert choose_frames(total, rate).tolist() == list(expected)


def test_copy_is_the_whole_frame_without_loss(tmp_path):
    frames = draw_frames(20, 48, 96)
    source = write_video(tmp_path / 'a.avi', frames, codec='ffv1', pix_fmt='bgr0')
    assert copy_clip(source, tmp_path / 'small' / 'a.avi', 32) == 20
    copied = open_video(tmp_path / 'small' / 'a.avi').get_batch(range(20)).asnumpy()
    expected = [cv2.resize(f, (32, 32), interpolation=cv2.INTER_AREA) for f in frames]
    assert np.array_equal(copied, np.stack(expected))


def test_image_is_a_clip_of_one_frame(tmp_path):
    picture = draw_frames(1, 32, 32)[0]
    cv2.imwrite(str(tmp_path / 'a.PNG'), picture[..., ::-1])
    small = SmallClips(tmp_path / 'small', {'ann/a.PNG': tmp_path / 'a.PNG'}, 32, {'.png'})
    assert small.find_unreadable() == {}
    reader = open_video(tmp_path / 'small' / small.copies['ann/a.PNG'])
    assert len(reader) == 1 and np.array_equal(reader.get_batch([0]).asnumpy()[0], picture)


def test_nothing_is_decoded_again_to_know_what_cannot_be_read(tmp_path, monkeypatch):
    (tmp_path / 'broken.mp4').write_bytes(b'no video')
    write_video(tmp_path / 'walk.mp4')
    sources = {f'ann/{name}.mp4': tmp_path / f'{name}.mp4' for name in ('broken', 'walk')}
    small = SmallClips(tmp_path / 'work' / 'small', sources, 32, ())
    assert list(small.find_unreadable()) == ['ann/broken.mp4']
    assert len(list(small.folder.rglob('*.avi'))) == 1
    small.remove()
    assert not small.folder.exists()

    again = SmallClips(tmp_path / 'work' / 'small', sources, 32, ())
    with monkeypatch.context() as patch:
        patch.setattr(small_clips, 'inspect_files', None)
        assert 'broken.mp4' in again.find_unreadable()['ann/broken.mp4']
    again.write()
    assert len(list(small.folder.rglob('*.avi'))) == 1
    # A file that has changed is another.
    write_video(tmp_path / 'broken.mp4')
    assert SmallClips(tmp_path / 'work' / 'small', sources, 32, ()).find_unreadable() == {}
    assert len(json.loads((tmp_path / 'work' / 'clips.json').read_text())) == 2
