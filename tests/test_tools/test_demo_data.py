import dataclasses
import importlib
import json
import shutil
import sys
from pathlib import Path

import cv2
import decord
import numpy as np
import pytest

from spact_mm.datasets.annotation_files import read_attribute_file

FOLDER = Path(__file__).resolve().parents[2] / 'tools' / 'data' / 'demo'
SIBLINGS = (
    'pen',
    'figure',
    'actions',
    'people',
    'scene',
    'attackers',
    'dataset',
    'preview',
    'render',
)
SIZE = (160, 120)


@pytest.fixture(scope='module')
def demo():
    """Import the command as running it does, and leave no plain names such as `actions` behind."""
    saved = {name: sys.modules.pop(name) for name in SIBLINGS if name in sys.modules}
    sys.path.insert(0, str(FOLDER))
    try:
        yield importlib.import_module('render')
    finally:
        sys.path.remove(str(FOLDER))
        for name in SIBLINGS:
            sys.modules.pop(name, None)
        sys.modules.update(saved)


@pytest.fixture(scope='module')
def files(demo):
    return importlib.import_module('dataset')


@pytest.fixture(scope='module')
def scene(demo):
    return importlib.import_module('scene')


@pytest.fixture(scope='module')
def options(files):
    return files.Options(seed=3, videos=(8, 2), images=(6, 4))


@pytest.fixture(scope='module')
def dataset(files, options, tmp_path_factory):
    out = tmp_path_factory.mktemp('demo')
    assert files.render(out, options, num_workers=1)
    return out


def contents(folder):
    paths = sorted(path for path in folder.rglob('*') if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def test_files_do_not_depend_on_the_run_or_the_number_of_workers(files, options, dataset, tmp_path):
    files.render(tmp_path, options, num_workers=2)
    assert contents(tmp_path) == contents(dataset)


def test_another_seed_gives_other_files(files, dataset, tmp_path):
    files.render(tmp_path, files.Options(seed=4, videos=(1, 1), images=(1, 1)))
    first = 'videos/train/wave_0000.mp4'
    assert (tmp_path / first).read_bytes() != (dataset / first).read_bytes()


def test_a_sample_does_not_depend_on_how_many_there_are(files, dataset, tmp_path):
    files.render(tmp_path, files.Options(seed=3, videos=(3, 1), images=(2, 1)))
    for name, content in contents(tmp_path / 'videos').items():
        assert content == (dataset / 'videos' / name).read_bytes()


def test_videos_have_the_stated_length_rate_and_size(demo, scene, dataset):
    paths = sorted((dataset / 'videos').rglob('*.mp4'))
    assert len(paths) == 10
    for path in paths:
        index = int(path.stem[-4:])
        sample = scene.draw_sample(3, 'videos', path.parent.name, index, SIZE)
        reader = decord.VideoReader(str(path), num_threads=1)
        assert len(reader) == sample.num_frames
        assert 2 <= len(reader) / reader.get_avg_fps() <= 4
        assert reader.get_avg_fps() == pytest.approx(12.5)
        assert reader[0].shape == (120, 160, 3)


def test_video_colours_are_those_rendered(scene, dataset):
    path = dataset / 'videos' / 'train' / 'clap_0001.mp4'
    frame = decord.VideoReader(str(path), num_threads=1)[5].asnumpy().astype(float)
    rendered = list(scene.render_frames(scene.draw_sample(3, 'videos', 'train', 1, SIZE), 6))[5]
    assert np.abs(frame - rendered).mean() < 10
    assert np.abs(frame[..., ::-1] - rendered).mean() > 10


def test_images_are_near_the_stated_size(dataset):
    shapes = [cv2.imread(str(path)).shape for path in sorted((dataset / 'images').rglob('*.jpg'))]
    assert len(shapes) == 10 and len(set(shapes)) > 1
    for height, width, _ in shapes:
        assert abs(height - 120) <= 10 and abs(width - 160) <= 13


def test_mmaction2_reads_the_video_lists(files, dataset):
    from mmaction.datasets import VideoDataset

    classes = (dataset / 'classes.txt').read_text().split()
    assert classes == list(files.CLASSES) and len(classes) == 8
    for split, count in (('train', 8), ('test', 2)):
        videos = VideoDataset(
            ann_file=str(dataset / f'{split}_videos.txt'),
            data_prefix=dict(video=str(dataset / 'videos')),
            pipeline=[],
        )
        assert len(videos) == count
        for index in range(count):
            info = videos.get_data_info(index)
            assert Path(info['filename']).is_file()
            assert Path(info['filename']).name.startswith(classes[info['label']] + '_')


@pytest.mark.parametrize(
    'name, folder, split, count',
    [
        ('train_attributes.json', 'images', 'train', 6),
        ('test_attributes.json', 'images', 'test', 4),
        ('train_video_attributes.json', 'videos', 'train', 8),
        ('test_video_attributes.json', 'videos', 'test', 2),
    ],
)
def test_attribute_files_tell_what_each_sample_shows(
    files, scene, dataset, name, folder, split, count
):
    content = read_attribute_file(dataset / name)
    assert content['metainfo'] == dict(dataset='demo', attributes=list(files.ATTRIBUTES))
    assert len(content['data_list']) == count
    for index, entry in enumerate(content['data_list']):
        assert (dataset / folder / entry['img_path']).is_file()
        sample = scene.draw_sample(3, folder, split, index, SIZE)
        assert set(entry['attributes']) == sample.attributes


def test_no_two_parts_share_a_person(scene, dataset):
    persons = json.loads((dataset / 'persons.json').read_text())
    parts = [set(persons[kind][split].values()) for kind, split in scene.PARTS]
    assert all(parts)
    assert sum(map(len, parts)) == len(set.union(*parts))
    assert set(persons['videos']['train']) == {
        path.relative_to(dataset / 'videos').as_posix()
        for path in (dataset / 'videos' / 'train').iterdir()
    }


@pytest.fixture(scope='module')
def attackers(demo):
    return importlib.import_module('attackers')


def read_items(path):
    content = read_attribute_file(path)
    return content['metainfo'], {e['img_path']: e['attributes'] for e in content['data_list']}


@pytest.mark.parametrize('kind, ending', [('images', 'attributes'), ('videos', 'video_attributes')])
def test_attackers_lists_divide_the_training_list_by_person(dataset, kind, ending):
    persons = json.loads((dataset / 'persons.json').read_text())[kind]['train']
    metainfo, train = read_items(dataset / f'train_{ending}.json')
    people, together = [], {}
    for side in ('train', 'val'):
        info, items = read_items(dataset / f'attacker_{side}_{ending}.json')
        assert info == metainfo
        people.append({persons[name] for name in items})
        together |= items
    assert all(people) and not people[0] & people[1]
    assert together == train


@pytest.mark.parametrize('number', [2, 3, 8, 9, 28, 63, 64, 240])
def test_one_training_person_in_eight_is_for_validation(attackers, number):
    persons = [4 * rank + 2 for rank in range(number)]
    chosen = attackers.validation_persons(persons + persons)
    assert chosen < set(persons) and len(chosen) in (number // 8, number // 8 + 1) and chosen
    if number % 8 == 0:
        assert len(chosen) == number // 8
    assert attackers.validation_persons(reversed(persons)) == chosen


def test_all_actions_and_attributes_are_on_both_sides_of_the_default_data(files, scene, attackers):
    for kind in ('videos', 'images'):
        count = files.Options().count(kind, 'train')
        numbers = [scene.person_number(kind, 'train', index) for index in range(count)]
        chosen = attackers.validation_persons(numbers)
        actions = {True: [], False: []}
        for index, number in enumerate(numbers):
            actions[number in chosen].append(index % len(files.CLASSES))
        for done in actions.values():
            share = np.bincount(done, minlength=8) / len(done)
            assert np.all(np.abs(share - 1 / 8) < 0.01)
        people = [scene.draw_person(0, number) for number in set(numbers)]
        for name in files.ATTRIBUTES:
            if name == 'companion':  # of the moment, not of the person
                continue
            for side in (True, False):
                have = [name in p.attributes for p in people if (p.number in chosen) == side]
                assert 0.2 < np.mean(have) < 0.6


def test_lists_that_older_data_lack_are_added_without_rendering(
    demo, files, options, dataset, attackers, tmp_path, monkeypatch, capsys
):
    out = tmp_path / 'demo'
    shutil.copytree(dataset, out)
    good = contents(out)
    monkeypatch.setattr(files, 'write_sample', lambda *a, **k: pytest.fail('rendered again'))
    names = attackers.attacker_list_names()
    for damage in (
        lambda path: path.unlink(),
        lambda path: path.write_text('half'),
        lambda path: path.write_bytes((out / 'train_attributes.json').read_bytes()),
    ):
        for name in names:
            damage(out / name)
        assert files.render(out, options)
        assert contents(out) == good
        assert not files.render(out, options)


def test_a_single_training_person_is_not_divided(demo, capsys, attackers, tmp_path):
    arguments = ['--out', str(tmp_path), '--images', '1', '1', '--workers', '1', '--videos']
    assert demo.main([*arguments, '3', '1']) == 0
    note = capsys.readouterr().out.splitlines()[-1]
    assert 'attacker_val_attributes.json' in note and 'video_attributes' not in note
    assert {path.name for path in tmp_path.glob('attacker_*')} == {
        'attacker_train_video_attributes.json',
        'attacker_val_video_attributes.json',
    }
    # Those of the former data are not left beside the new.
    assert demo.main([*arguments, '2', '1']) == 0
    assert not list(tmp_path.glob('attacker_*'))


def test_different_persons_look_different(scene):
    persons = [scene.draw_person(0, number) for number in range(50)]
    assert len({(person.body, person.looks) for person in persons}) == 50
    assert scene.draw_person(0, 7) == persons[7] != scene.draw_person(1, 7)


@pytest.fixture(scope='module')
def labels(files, scene):
    """Action and attributes of the training videos of the default data set."""
    count = files.Options().videos[0]
    samples = [scene.draw_sample(0, 'videos', 'train', i, (64, 64)) for i in range(count)]
    present = [[name in sample.attributes for name in files.ATTRIBUTES] for sample in samples]
    return np.array([files.CLASSES.index(s.action) for s in samples]), np.array(present, float)


def test_attributes_are_neither_rare_nor_common(labels):
    assert labels[1].shape[1] == 6
    assert np.all((labels[1].mean(0) > 0.3) & (labels[1].mean(0) < 0.5))


def test_actions_are_balanced(labels):
    assert np.bincount(labels[0]).tolist() == [60] * 8


def test_attributes_are_independent_of_the_action(labels):
    actions, present = labels
    rate = present.mean(0)
    observed = np.stack([present[actions == action].sum(0) for action in range(8)])
    count = np.bincount(actions)[:, None]
    chi2 = ((observed - count * rate) ** 2 / (count * rate * (1 - rate))).sum(0)
    # 24.3 is the 0.999 quantile of chi-squared with seven degrees of freedom.
    assert np.all(chi2 < 24.3)


def test_attributes_are_independent_of_each_other(labels):
    correlation = np.corrcoef(labels[1].T) - np.eye(6)
    assert np.abs(correlation).max() < 0.25


@pytest.mark.parametrize('action_index', range(8))
def test_each_attribute_changes_its_own_region_only(files, scene, action_index):
    sample = scene.draw_sample(0, 'videos', 'test', action_index, SIZE)
    bare = dataclasses.replace(sample, attributes=frozenset())
    before = next(scene.render_frames(bare, 1)).astype(int)
    column, row, height = sample.place
    top, left = 120 * (row - 1.12 * height), 160 * column - 0.75 * 120 * height
    bottom, right = 120 * row, 160 * column + 0.75 * 120 * height
    for name in files.ATTRIBUTES:
        seen = dataclasses.replace(sample, attributes=frozenset([name]))
        changed = np.abs(next(scene.render_frames(seen, 1)).astype(int) - before).max(-1) > 12
        rows, columns = np.nonzero(changed)
        assert len(rows) >= 40, name
        if name == 'companion':
            # The free side: not around the figure.
            assert abs(np.median(columns) - 160 * column) > 0.3 * 160
        else:
            assert rows.min() >= top - 1 and rows.max() <= bottom + 1
            assert columns.min() >= left - 1 and columns.max() <= right + 1
        if name in ('glasses', 'hat', 'long_hair', 'shirt_print'):
            # The head and the torso are in the upper part, the legs never change.
            assert changed.sum() < 0.12 * changed.size
            assert len(rows) and np.median(rows) < 120 * (row - 0.3 * height)


def test_pose_repeats_with_each_cycle_and_owes_nothing_to_attributes(demo, scene):
    actions = importlib.import_module('actions')
    style = actions.Style(1.0, (1.0, -2.0, 3.0, 0.0))
    for name, (pose_at, speeds) in actions.ACTIONS.items():
        first, later = pose_at(0.3, style), pose_at(4.3, style)
        assert np.allclose(first.arms + first.legs, later.arms + later.legs), name
        # A window of 1.3 seconds shows most of a cycle.
        assert 1.3 * speeds[0] >= 0.9


def test_figure_stands_out_from_the_background(scene):
    people = importlib.import_module('people')
    worst = []
    for index in range(40):
        sample = scene.draw_sample(0, 'images', 'train', index, SIZE)
        paints = np.unique(sample.background[::24, ::24].reshape(-1, 3), axis=0)
        clothes = (sample.person.looks.shirt, sample.person.looks.trousers)
        worst.append(min(people.color_distance(a, b) for a in paints for b in clothes))
    assert np.median(worst) > 30 and min(worst) > 8


def test_complete_data_are_kept_and_damaged_data_rendered_again(
    demo, files, capsys, tmp_path, monkeypatch
):
    arguments = ['--out', str(tmp_path), '--videos', '1', '1', '--images', '1', '1']
    arguments += ['--workers', '1']
    assert demo.main(arguments) == 0
    good = contents(tmp_path)

    with monkeypatch.context() as patch:
        patch.setattr(files, 'write_sample', lambda *a, **k: pytest.fail('rendered again'))
        capsys.readouterr()
        assert demo.main(arguments) == 0
        assert 'nothing to do' in capsys.readouterr().out

    video = tmp_path / 'videos' / 'test' / 'wave_0000.mp4'
    for damage in (
        video.unlink,
        lambda: video.write_bytes(b'half'),
        (tmp_path / files.MANIFEST).unlink,
    ):
        damage()
        assert demo.main(arguments) == 0
        assert contents(tmp_path) == good


def test_interrupted_rendering_leaves_no_manifest(files, tmp_path, monkeypatch):
    options = files.Options(videos=(1, 1), images=(1, 1))
    files.render(tmp_path, options)
    (tmp_path / 'videos' / 'train' / 'wave_0000.mp4').unlink()

    def interrupt(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(files, 'write_sample', interrupt)
    with pytest.raises(KeyboardInterrupt):
        files.render(tmp_path, options)
    assert not (tmp_path / files.MANIFEST).exists()
    assert not files.is_complete(tmp_path, options)


@pytest.mark.parametrize('name', ['classes.txt', 'train_videos.txt', 'manifest.json'])
def test_folder_of_another_data_set_is_kept(files, tmp_path, name):
    (tmp_path / name).write_text('of somebody')
    options = files.Options(videos=(1, 1), images=(1, 1))
    with pytest.raises(ValueError, match=f'{name} is there, and not of the demo data set'):
        files.render(tmp_path, options)
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_text() == 'of somebody'


def test_other_options_are_rendered_anew(files, options, dataset):
    assert files.is_complete(dataset, options)
    assert not files.is_complete(dataset, dataclasses.replace(options, seed=5))
    assert not files.is_complete(dataset, dataclasses.replace(options, images=(6, 3)))


@pytest.mark.parametrize(
    'arguments, message',
    [
        (['--videos', '0', '4'], '--videos is 0 4; give two positive numbers.'),
        (['--images', '4', '-1'], '--images is 4 -1; give two positive numbers.'),
        (['--size', '161', '120'], '--size is 161 120; give an even width and height'),
        (['--size', '32', '32'], '--size is 32 32; give an even width and height'),
        (['--seed', '-1'], '--seed is -1; give a number that is not negative.'),
        (['--workers', '0'], '--workers is 0; give a positive number.'),
        (['--preview', 'sheet.jpg'], '--preview is sheet.jpg; give the name of a .png file.'),
    ],
)
def test_a_wrong_option_is_one_sentence(demo, capsys, tmp_path, arguments, message):
    assert demo.main(['--out', str(tmp_path / 'new'), *arguments]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f'error: {message}') and error.count('\n') == 1
    assert not (tmp_path / 'new').exists()


def test_an_unusable_folder_is_one_sentence(demo, capsys, tmp_path):
    (tmp_path / 'file').write_text('in the way')
    assert demo.main(['--out', str(tmp_path / 'file' / 'demo')]) == 2
    error = capsys.readouterr().err
    assert str(tmp_path / 'file') in error and error.count('\n') == 1


def test_preview_is_drawn_without_the_data(demo, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert demo.main(['--preview', 'sheets/sheet.png', '--size', '64', '64']) == 0
    sheet = cv2.imread('sheets/sheet.png')
    assert sheet.shape[0] > 16 * 64 and sheet.std() > 20
    assert not (tmp_path / 'data').exists()
