"""No test video, image, group or person is in a training list of the same protocol.

The lists are those that the converters write from the published annotations, with empty stand-ins
for the videos and images.

Across data sets nothing can be checked by name: UCF101 and HMDB51, trained and tested on in the
protocol of novel actions, both hold clips from YouTube and share some action classes, but
UCF101 only numbers its sources, so whether a source is in both is not known. Within HMDB51 several
clips are cut from one film, and PA-HMDB51 picks clips, not films.
"""

import importlib.util
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from spact_mm.datasets import integrity
from spact_mm.datasets.annotation_files import read_attribute_file

ROOT = Path(__file__).resolve().parents[2]


def convert(name, out, *options, videos=None, images=None):
    """Run a converter that takes every file for sound."""
    spec = importlib.util.spec_from_file_location(
        f'{name}_lists', ROOT / f'tools/data/{name}/convert.py'
    )
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    root = ('--images', images) if images else ('--videos', videos)
    argv = [*root, '--out', out, '--check', 'none', '--workers', '1', *options]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(integrity, 'inspect_files', lambda *_: {})
        assert module.main([str(item) for item in argv]) == 0
    return out


def touch(root, names):
    for folder in {Path(name).parent for name in names}:
        (root / folder).mkdir(parents=True, exist_ok=True)
    for name in names:
        (root / name).touch()
    return root


def read_videos(path):
    lines = path.read_text().splitlines()
    videos = {line.rsplit(' ', 1)[0] for line in lines}
    assert len(videos) == len(lines) > 0
    return videos


def read_attributes(path):
    data_list = read_attribute_file(path)['data_list']
    items = {item['img_path']: item['attributes'] for item in data_list}
    assert len(items) == len(data_list) > 0
    return items


def test_ucf101_shares_no_video_and_no_group(shared_data, tmp_path):
    annotations = shared_data / 'annotations' / 'ucf101'
    names = [
        line.split()[0]
        for file in ('trainlist01.txt', 'testlist01.txt')
        for line in (annotations / file).read_text().splitlines()
    ]
    videos = touch(tmp_path / 'videos', names)
    out = convert('ucf101', tmp_path / 'out', '--annotations', annotations, videos=videos)

    def groups(videos):
        found = {re.fullmatch(r'(.+)/v_.+_g(\d\d)_c\d\d\.avi', video).groups() for video in videos}
        assert len({name for name, _ in found}) == 101
        return found

    tested = set()
    for split in (1, 2, 3):
        train = read_videos(out / f'ucf101_train_split_{split}_videos.txt')
        test = read_videos(out / f'ucf101_val_split_{split}_videos.txt')
        assert not train & test and train | test == set(names)
        assert not groups(train) & groups(test)
        assert not tested & test
        tested |= test


def test_hmdb51_shares_no_video_and_pa_hmdb51_is_apart(shared_data, tmp_path):
    annotations = shared_data / 'annotations' / 'hmdb51'
    pa_folder = shared_data / 'annotations' / 'pa_hmdb51' / 'PrivacyAttributes'
    names = [
        f'{path.name.removesuffix("_test_split1.txt")}/{line.split()[0]}'
        for path in annotations.glob('*_test_split1.txt')
        for line in path.read_text().splitlines()
        if line.strip()
    ]
    videos = touch(tmp_path / 'videos', names)
    options = ('--annotations', annotations, '--exclude-pa-hmdb51', pa_folder)
    out = convert('hmdb51', tmp_path / 'out', *options, videos=videos)
    for split in (1, 2, 3):
        train = read_videos(out / f'hmdb51_train_split_{split}_videos.txt')
        test = read_videos(out / f'hmdb51_val_split_{split}_videos.txt')
        assert not train & test and (len(train), len(test)) == (3570, 1530)

    train = read_videos(out / 'hmdb51_train_without_pa.txt')
    test = read_videos(out / 'pa_hmdb51_videos.txt')
    assert not train & test and train | test == set(names)
    pa_out = convert('pa_hmdb51', tmp_path / 'pa', '--annotations', pa_folder, videos=videos)
    content = json.loads((pa_out / 'pa_hmdb51.json').read_text())
    assert {entry['video'] for entry in content['data_list']} == test and len(test) == 515


def test_vispr_shares_no_image(shared_data, tmp_path):
    annotations = shared_data / 'annotations' / 'vispr'
    entries = [
        line
        for split in ('train', 'val', 'test')
        for line in (annotations / f'{split}2017.txt').read_text().splitlines()
        if line.strip()
    ]
    names = [entry.removeprefix('annotations/').replace('.json', '.jpg') for entry in entries]
    images = touch(tmp_path / 'images', names)
    options = ('--annotations', annotations, '--without-labels')
    out = convert('vispr', tmp_path / 'out', *options, images=images)
    ids = {
        split: {Path(name).name for name in read_attributes(out / f'vispr_{split}.json')}
        for split in ('train', 'val', 'test')
    }
    assert {split: len(found) for split, found in ids.items()} == dict(
        train=10000, val=4167, test=8000
    )
    # So nothing by which attackers are chosen is trained or tested on.
    assert len(set.union(*ids.values())) == 22167


@pytest.fixture
def weizmann(shared_data, tmp_path):
    cut = [sys.executable, str(shared_data / 'weizmann' / 'cut.py'), str(tmp_path / 'videos')]
    subprocess.run(cut, check=True, capture_output=True)
    return convert('weizmann', tmp_path / 'out', videos=tmp_path / 'videos')


@pytest.mark.parametrize('fold', range(3))
def test_weizmann_keeps_test_persons_and_test_actions_apart(weizmann, fold):
    folder = weizmann / f'fold{fold}'
    action = {n: read_videos(folder / f'{n}.txt') for n in ('action_train', 'action_test')}
    identity = {
        name: read_attributes(folder / f'{name}.json')
        for name in (
            'identity_train',
            'identity_test',
            'anonymizer_identity',
            'link_train',
            'link_test',
        )
    }
    anonymizer = read_videos(folder / 'anonymizer_train.txt')
    assert anonymizer == set(identity['anonymizer_identity'])

    def person(video):
        return video.split('_')[0]

    held_out = {person(video) for video in action['action_test']}
    assert len(held_out) == 3
    for videos in (action['action_train'], anonymizer):
        assert not held_out & {person(video) for video in videos}
    for name, videos in identity.items():
        assert all([person(video)] == present for video, present in videos.items()), name
    tests = action['action_test'] | set(identity['identity_test'])
    assert not anonymizer & tests
    assert not set(identity['identity_train']) & set(identity['identity_test'])
    assert not action['action_train'] & action['action_test']
    everything = action['action_train'] | action['action_test']
    assert anonymizer == everything - tests and len(everything) == 83
    assert set(identity['identity_train']) | set(identity['identity_test']) == everything
    # Linking: those who are compared are in no training, be it of the attacker or of f_A.
    assert {person(video) for video in identity['link_test']} == held_out
    assert len({person(video) for video in identity['link_train']} - held_out) == 6
    for name in ('link_train', 'anonymizer_identity'):
        assert not held_out & {person(video) for video in identity[name]}, name
    assert set(identity['link_train']) | set(identity['link_test']) == everything


@pytest.mark.parametrize('fold', range(3))
def test_weizmann_attackers_share_no_clip_and_no_action(weizmann, fold):
    folder = weizmann / f'fold{fold}'
    lists = {
        name: set(read_attributes(folder / f'{name}.json'))
        for name in ('attacker_train', 'attacker_val', 'identity_train', 'identity_test')
    }
    assert lists['attacker_train'] | lists['attacker_val'] == lists['identity_train']
    parts = [lists[name] for name in ('attacker_train', 'attacker_val', 'identity_test')]
    assert sum(map(len, parts)) == len(set.union(*parts)) == 83

    # Lena's clips of an action are numbered.
    done = [{re.match(r'[a-z]+_(wave[12]|[a-z]+)', name)[1] for name in part} for part in parts]
    assert sum(map(len, done)) == len(set.union(*done)) == 9
    # A closed set: the attacker is to know all whom it is chosen by and tested on.
    for part in parts:
        assert len({video.split('_')[0] for video in part}) == 9


@pytest.fixture(scope='module')
def demo(tmp_path_factory):
    out = tmp_path_factory.mktemp('demo')
    numbers = ('--videos', '20', '4', '--images', '20', '4', '--size', '64', '64')
    command = [sys.executable, str(ROOT / 'tools/data/demo/render.py'), '--out', str(out)]
    subprocess.run([*command, *numbers, '--workers', '1'], check=True, capture_output=True)
    return out


@pytest.mark.slow
@pytest.mark.parametrize('kind, ending', [('images', 'attributes'), ('videos', 'video_attributes')])
def test_demo_attackers_share_no_person_with_each_other_and_with_tests(demo, kind, ending):
    persons = json.loads((demo / 'persons.json').read_text())
    person_of = {**persons[kind]['train'], **persons[kind]['test']}
    lists = {
        name: set(read_attributes(demo / f'{name}_{ending}.json'))
        for name in ('attacker_train', 'attacker_val', 'train', 'test')
    }
    assert lists['attacker_train'] | lists['attacker_val'] == lists['train']
    people = {name: {person_of[sample] for sample in samples} for name, samples in lists.items()}
    assert not people['attacker_train'] & people['attacker_val']
    tested = {person for kinds in persons.values() for person in kinds['test'].values()}
    assert people['test'] <= tested
    assert not tested & (people['attacker_train'] | people['attacker_val'])
