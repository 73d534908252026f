import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

from spact_mm.datasets.annotation_files import read_attribute_file

ROOT = Path(__file__).resolve().parents[2]
VIDEO_LISTS = ('action_train', 'action_test', 'anonymizer_train')
IDENTITY_LISTS = ('identity_train', 'identity_test', 'anonymizer_identity')
ATTACKER_LISTS = ('attacker_train', 'attacker_val')
LINK_LISTS = ('link_train', 'link_test')


@pytest.fixture(scope='module')
def converter():
    path = ROOT / 'tools' / 'data' / 'weizmann' / 'convert.py'
    spec = importlib.util.spec_from_file_location('weizmann_convert', path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def layout(tmp_path, converter):
    """The names of the published set, all ten actions; one byte a video."""
    for action in converter.ACTIONS:
        (tmp_path / 'videos' / action).mkdir(parents=True)
        for person in converter.PERSONS:
            twice = person == 'lena' and action in ('run', 'walk', 'skip')
            for style in ('1', '2') if twice else ('',):
                video = tmp_path / 'videos' / action / f'{person}_{action}{style}.avi'
                video.write_bytes(b'0')
    return tmp_path


def run(converter, layout, *options, check='none'):
    argv = ['--videos', str(layout / 'videos'), '--out', str(layout / 'out'), '--workers', '1']
    return converter.main([*argv, '--check', check, *options])


def read_fold(out, fold):
    """Return {list: {video: label}} with the person for label in the identity lists."""
    folder = out / f'fold{fold}'
    lists = {}
    for name in VIDEO_LISTS:
        lines = (folder / f'{name}.txt').read_text().splitlines()
        lists[name] = {line.split(' ')[0]: int(line.split(' ')[1]) for line in lines}
        assert len(lists[name]) == len(lines)
    for name in IDENTITY_LISTS + ATTACKER_LISTS + LINK_LISTS:
        content = read_attribute_file(folder / f'{name}.json')
        assert len(content['metainfo']['attributes']) == 9
        lists[name] = {item['img_path']: item['attributes'] for item in content['data_list']}
        assert len(lists[name]) == len(content['data_list'])
    return lists


def read_report(layout):
    return json.loads((layout / 'out' / 'weizmann_report.json').read_text())


@pytest.mark.parametrize(
    ('path', 'expected'),
    [
        ('daria_jump.avi', ('daria', 'jump')),
        ('daria_pjump.avi', ('daria', 'pjump')),
        ('wave1/ido_wave1.avi', ('ido', 'wave1')),
        ('lena_run2.avi', ('lena', 'run')),
        ('Lena_Walk1.AVI', ('lena', 'walk')),
        ('moshe_swim.avi', None),
        ('nobody_walk.avi', None),
        ('walk.avi', None),
        ('daria_.avi', None),
    ],
)
def test_person_and_action_of_a_name(converter, path, expected):
    clip = converter.parse_clip(path)
    assert (clip and clip[1:]) == expected
    assert clip is None or clip.path == path


def test_full_set_has_ten_classes_and_skip_is_last(converter, layout):
    assert run(converter, layout) == 0
    classes = (layout / 'out' / 'classes.txt').read_text().splitlines()
    assert classes == list(converter.ACTIONS) and classes[-1] == 'skip'
    assert (layout / 'out' / 'persons.txt').read_text().splitlines() == list(converter.PERSONS)
    counts = read_report(layout)['counts']
    assert counts['clips'] == dict(listed=93, published=93, written=93)
    lists = read_fold(layout / 'out', 2)
    assert lists['action_test']['skip/lena_skip2.avi'] == 9
    assert lists['identity_test']['skip/denis_skip.avi'] == ['denis']
    assert not any('skip' in video for video in lists['anonymizer_train'])


@pytest.mark.parametrize('fold', range(3))
def test_no_test_person_or_test_action_where_it_must_not_be(converter, layout, fold):
    assert run(converter, layout) == 0
    persons, actions = map(set, converter.FOLDS[fold])
    lists = {
        name: [converter.parse_clip(video) for video in videos]
        for name, videos in read_fold(layout / 'out', fold).items()
    }
    people = {name: {clip.person for clip in clips} for name, clips in lists.items()}
    done = {name: {clip.action for clip in clips} for name, clips in lists.items()}
    assert people['action_test'] == persons and not people['action_train'] & persons
    assert done['identity_test'] == actions and not done['identity_train'] & actions
    for name in ('anonymizer_train', 'anonymizer_identity'):
        assert people[name] == set(converter.PERSONS) - persons
        assert done[name] == set(converter.ACTIONS) - actions
    assert people['link_test'] == persons and not people['link_train'] & persons
    assert len(people['link_train']) == 6
    # Each evaluation knows all its classes: nine persons, all actions.
    assert done['action_train'] == done['action_test'] == set(converter.ACTIONS)
    assert people['identity_train'] == people['identity_test'] == set(converter.PERSONS)


def test_folds_test_each_clip_once_and_use_every_clip(converter, layout):
    assert run(converter, layout) == 0
    folds = [read_fold(layout / 'out', fold) for fold in range(3)]
    for task in ('action', 'identity'):
        tested = [video for lists in folds for video in lists[f'{task}_test']]
        assert len(tested) == len(set(tested)) == 93
        for lists in folds:
            train, test = set(lists[f'{task}_train']), set(lists[f'{task}_test'])
            assert not train & test and train | test == set(tested)
    for lists in folds:
        tests = set(lists['action_test']) | set(lists['identity_test'])
        assert set(lists['anonymizer_train']) == set(tested) - tests
        assert set(lists['anonymizer_train']) == set(lists['anonymizer_identity'])


@pytest.mark.parametrize(('fold', 'action'), [(0, 'bend'), (1, 'jump'), (2, 'run')])
def test_attackers_are_validated_on_one_action_of_all_persons(converter, layout, fold, action):
    assert run(converter, layout) == 0
    lists = read_fold(layout / 'out', fold)
    clips = {n: [converter.parse_clip(video) for video in lists[n]] for n in ATTACKER_LISTS}
    assert {clip.action for clip in clips['attacker_val']} == {action}
    for part in clips.values():
        assert {clip.person for clip in part} == set(converter.PERSONS)
    done = {clip.action for clip in clips['attacker_train']}
    assert done == set(converter.ACTIONS) - {action, *converter.FOLDS[fold][1]}
    assert lists['attacker_train'] | lists['attacker_val'] == lists['identity_train']


def test_attackers_are_validated_on_an_action_that_no_person_lacks(converter, layout):
    videos = layout / 'videos'
    (videos / 'bend' / 'eli_bend.avi').unlink()
    assert run(converter, layout, '--allow-missing') == 0
    assert set(read_fold(layout / 'out', 0)['attacker_val']) == {
        f'side/{person}_side.avi' for person in converter.PERSONS
    }
    for action in ('side', 'wave1'):
        for person in ('eli', 'ido'):
            (videos / action / f'{person}_{action}.avi').unlink()
    assert run(converter, layout, '--allow-missing') == 0
    assert set(read_fold(layout / 'out', 0)['attacker_val']) == {
        f'bend/{person}_bend.avi' for person in converter.PERSONS if person != 'eli'
    }


def test_attackers_have_both_lists_where_each_fold_has_one_action(converter, layout):
    assert run(converter, layout, '--actions', 'wave2', 'run', 'bend') == 0
    for fold, (train, val) in enumerate((('wave2', 'bend'), ('run', 'wave2'), ('bend', 'run'))):
        lists = read_fold(layout / 'out', fold)
        assert {converter.parse_clip(video).action for video in lists['attacker_train']} == {train}
        assert {converter.parse_clip(video).action for video in lists['attacker_val']} == {val}


def test_link_lists_say_what_is_done(converter, layout):
    assert run(converter, layout) == 0
    for name in LINK_LISTS:
        content = read_attribute_file(layout / 'out' / 'fold2' / f'{name}.json')
        actions = {item['img_path']: item['action'] for item in content['data_list']}
        assert all(converter.parse_clip(video).action == found for video, found in actions.items())
        assert set(actions.values()) == set(converter.ACTIONS)
    # Two clips of one action and person.
    assert actions['run/lena_run1.avi'] == actions['run/lena_run2.avi'] == 'run'


@pytest.mark.slow
def test_stored_clips_give_nine_classes(converter, shared_data, tmp_path, capsys):
    cut = [sys.executable, str(shared_data / 'weizmann' / 'cut.py'), str(tmp_path / 'videos')]
    subprocess.run(cut, check=True, capture_output=True)
    assert run(converter, tmp_path, check='decode') == 0
    assert 'without skip; classes.txt holds 9 actions' in capsys.readouterr().out
    report = read_report(tmp_path)
    assert report['counts']['clips'] == dict(listed=83, published=83, written=83)
    sizes = [
        [len(lists[name]) for name in (*VIDEO_LISTS, *IDENTITY_LISTS, *LINK_LISTS)]
        for lists in (read_fold(tmp_path / 'out', fold) for fold in range(3))
    ]
    assert sizes == [
        [56, 27, 36, 54, 29, 36, 56, 27],
        [56, 27, 38, 56, 27, 38, 56, 27],
        [54, 29, 36, 56, 27, 36, 54, 29],
    ]
    assert read_fold(tmp_path / 'out', 0)['action_test']['daria_wave2.avi'] == 8


def test_lists_are_what_video_dataset_reads(converter, layout):
    from mmaction.datasets import VideoDataset

    assert run(converter, layout) == 0
    path = layout / 'out' / 'fold0' / 'action_test.txt'
    dataset = VideoDataset(str(path), [], data_prefix=dict(video=str(layout / 'videos')))
    assert len(dataset) == 30
    assert all(Path(dataset[i]['filename']).is_file() for i in range(30))


def test_actions_restrict_the_classes_and_renumber_them(converter, layout):
    assert run(converter, layout, '--actions', 'wave2', 'run', 'bend') == 0
    assert (layout / 'out' / 'classes.txt').read_text() == 'bend\nrun\nwave2\n'
    lists = read_fold(layout / 'out', 0)
    assert lists['action_test']['wave2/eli_wave2.avi'] == 2
    assert len(lists['identity_test']) == 10 and len(lists['identity_train']) == 18
    assert 'walk/daria_walk.avi' in read_report(layout)['unlisted']


def test_fold_without_a_held_out_action_is_refused(converter, layout, capsys):
    assert run(converter, layout, '--actions', 'run', 'walk', 'bend') == 2
    error = capsys.readouterr().err
    assert error.count('\n') == 1 and 'identity_test of fold 2' in error and '--actions' in error
    assert not (layout / 'out').exists()


def test_missing_broken_and_foreign_videos_are_reported(converter, layout):
    videos = layout / 'videos'
    (videos / 'bend' / 'eli_bend.avi').unlink()
    (videos / 'bend' / 'ido_bend.avi').write_bytes(b'')
    (videos / 'swing_bag.avi').write_bytes(b'0')
    (videos / 'daria_bend.avi').write_bytes(b'0')
    assert run(converter, layout) == 1
    report = read_report(layout)
    assert report['missing'] == ['eli_bend.avi']
    assert report['broken'] == {'bend/ido_bend.avi': 'the file is empty'}
    assert len(report['unlisted']) == 2 and 'swing_bag.avi' in report['unlisted']
    assert report['counts']['clips'] == dict(listed=92, published=93, written=91)
    assert run(converter, layout, '--allow-missing') == 0


@pytest.mark.parametrize('empty', [False, True])
def test_folder_without_clips_is_one_sentence(converter, layout, capsys, empty):
    (layout / 'videos').rename(layout / 'elsewhere')
    if empty:
        (layout / 'videos').mkdir()
    assert run(converter, layout) == 2
    error = capsys.readouterr().err
    assert error.count('\n') == 1 and converter.PAGE in error and '--videos' in error
