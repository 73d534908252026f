"""``tools/data/folders``: lists, splits and configs of one's own videos."""

import csv
import importlib.util
import json
import re
import sys
import unicodedata
from types import SimpleNamespace

import pytest
from e2e import ROOT
from media import draw_frames, write_video
from mmaction.registry import DATASETS
from mmengine.config import Config

from spact_mm.config_keys import read_config
from spact_mm.datasets.annotation_files import read_attribute_file
from spact_mm.datasets.own_clips import read_table
from spact_mm.protocols import load_protocol

FOLDER = ROOT / 'tools' / 'data' / 'folders'
PARTS = ('train', 'val', 'test')
FRAMES = draw_frames(10, 32, 48)


@pytest.fixture(scope='module')
def tool():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(FOLDER))
        spec = importlib.util.spec_from_file_location('folders_convert', FOLDER / 'convert.py')
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        yield module
        for path in FOLDER.glob('*.py'):
            sys.modules.pop(path.stem, None)


@pytest.fixture
def own(tool, tmp_path, monkeypatch, capsys):
    """Return a place to lay out videos of a byte or more each, and to convert them."""
    monkeypatch.chdir(tmp_path)
    made = []

    def add(*names, content=None):
        for name in names:
            path = tmp_path / 'videos' / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(f'video {len(made)}'.encode() if content is None else content)
            made.append(path)

    def run(*options, check='none'):
        argv = ['--videos', 'videos', '--out', 'out', '--workers', '1', '--check', check]
        code = tool.main([*argv, *map(str, options)])
        said = capsys.readouterr()
        return SimpleNamespace(code=code, out=said.out, err=said.err)

    return SimpleNamespace(path=tmp_path, out=tmp_path / 'out', add=add, run=run)


def grid(layout='{c}/{p}/{t}.mp4', classes='abc', persons=8, takes=3):
    return [
        layout.format(c=f'class {c}' if ' ' in layout else c, p=f'p{p}', t=t)
        for c in classes
        for p in range(persons)
        for t in range(takes)
    ]


def read_list(path, delimiter=' '):
    lines = [line.rsplit(delimiter, 1) for line in path.read_text().splitlines()]
    assert len({name for name, _ in lines}) == len(lines)
    return {name: int(label) for name, label in lines}


def read_lists(own, delimiter=' '):
    return {name: read_list(own.out / f'{name}.txt', delimiter) for name in (*PARTS, 'anonymizer')}


def read_privacy(own):
    found = {}
    for part in PARTS:
        content = read_attribute_file(own.out / f'privacy_{part}.json')
        found[part] = {e['img_path']: e['attributes'] for e in content['data_list']}
    return found


def persons(names, depth=1):
    return {name.split('/')[depth] for name in names}


def write_csv(path, rows):
    with open(path, 'w', newline='', encoding='utf-8') as file:
        csv.writer(file).writerows(rows)
    return path


# ---- layouts -------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ('layout', 'path', 'expected'),
    [
        ('{class}', 'clap/any/thing.mp4', {'class': 'clap'}),
        ('{class}', 'clap.mp4', None),
        ('{person}/{class}', 'anna/clap/1.mp4', {'person': 'anna', 'class': 'clap'}),
        ('{person}/{class}', 'anna/clap.mp4', None),
        ('{person}_{class}', 'anna_clap.mp4', {'person': 'anna', 'class': 'clap'}),
        ('{person}_{class}', 'anna_jump_high.mp4', {'person': 'anna', 'class': 'jump_high'}),
        ('{person}_{class}', 'anna.mp4', None),
        ('{class}/{source}_*', 'clap/party_0012.mp4', {'class': 'clap', 'source': 'party'}),
        ('*/{class}/x.{person}', 'all/clap/x.anna.mp4', {'class': 'clap', 'person': 'anna'}),
        ('*/{class}/x.{person}', 'all/clap/xyanna.mp4', None),
    ],
)
def test_what_paths_say(tool, layout, path, expected):
    from layout import Layout

    assert Layout(layout).read(path) == expected


# ---- what is in which list -----------------------------------------------------------------------
def test_class_folders_alone(own):
    own.add(*grid('{c}/{p}{t}.avi'))
    done = own.run()
    assert done.code == 0, done.err
    lists = read_lists(own)
    assert (own.out / 'classes.txt').read_text() == 'a\nb\nc\n'
    counts = {part: len(lists[part]) for part in PARTS}
    assert counts == dict(train=42, val=12, test=18) and sum(counts.values()) == 72
    assert not set(lists['train']) & set(lists['val']) and lists['anonymizer'] == lists['train']
    for part in PARTS:
        assert {'abc'[label] for label in lists[part].values()} == set('abc')
        assert all(name[0] == 'abc'[label] for name, label in lists[part].items())
    assert not list(own.out.glob('privacy_*')) and 'tools/attack.py' not in done.out
    assert 'each video counts by itself' in done.out


def test_persons_are_in_one_list_of_actions_and_in_all_of_their_attackers(own):
    own.add(*grid())
    done = own.run('--layout', '{class}/{person}')
    assert done.code == 0 and 'note:' not in done.out
    lists, privacy = read_lists(own), read_privacy(own)
    people = {part: persons(lists[part]) for part in PARTS}
    assert sum(map(len, people.values())) == len(set.union(*people.values())) == 8
    everyone = {f'p{i}' for i in range(8)}
    tested = set(privacy['test'])
    for part in PARTS:
        assert persons(privacy[part]) == everyone
        assert all(labels == [name.split('/')[1]] for name, labels in privacy[part].items())
    assert sum(map(len, privacy.values())) == 72 == len(set().union(*privacy.values()))
    # The anonymizer has seen neither the test persons of actions nor the test clips of identity.
    assert set(lists['anonymizer']) == set(lists['train']) - tested
    assert persons(lists['anonymizer']) <= people['train']
    rows = list(csv.DictReader((own.out / 'clips.csv').open()))
    assert all(row['file'] in lists[row['part']] for row in rows) and len(rows) == 72
    assert all(row['file'] in privacy[row['attack_part']] for row in rows)


def test_what_an_earlier_conversion_wrote_for_attackers_is_gone(own):
    own.add(*grid())
    assert own.run('--layout', '{class}/{person}').code == 0
    kept = [own.out / name for name in ('attack.csv', 'labels.txt', 'privacy_val.json')]
    assert all(path.is_file() for path in kept)
    assert own.run().code == 0
    assert not any(path.exists() for path in kept)


def test_recordings_stay_together_by_name(own):
    names = [f'{c}/{p}_{s}_{t}.mp4' for c in 'ab' for p in 'xyz' for s in range(5) for t in '123']
    own.add(*names)
    assert own.run('--layout', '{class}/{source}_*').code == 0
    lists = read_lists(own)
    # As short as can be: x, y and z are the recordings.
    assert [len(lists[part]) for part in PARTS] == [30, 30, 30]


def test_recordings_join_persons_and_divide_identities(own):
    rows = [['file', 'class', 'person', 'source']]
    for p in range(8):
        for s in range(4):
            for t in range(3):
                name = f'{p}_{s}_{t}.mp4'
                own.add(name)
                # Persons 0 and 1 were filmed together once.
                source = 'both' if p < 2 and s == 0 else f'{p}.{s}'
                rows.append([name, 'ab'[t % 2], f'P{p}', source])
    assert own.run('--labels', write_csv(own.path / 't.csv', rows)).code == 0
    lists, privacy = read_lists(own), read_privacy(own)
    part_of = {name[0]: part for part in PARTS for name in lists[part]}
    assert part_of['0'] == part_of['1'] and len(part_of) == 8
    source = {row[0]: row[3] for row in rows[1:]}
    sources = {part: {source[name] for name in privacy[part]} for part in PARTS}
    assert sum(map(len, sources.values())) == len(set.union(*sources.values())) == 31
    assert all({labels[0] for labels in privacy[part].values()} == {f'P{p}' for p in range(8)}
               for part in PARTS)  # fmt: skip


def test_seed_decides(own):
    own.add(*grid())
    found = []
    for seed in (0, 0, 1):
        assert own.run('--layout', '{class}/{person}', '--seed', seed).code == 0
        found.append(read_lists(own))
    assert found[0] == found[1] != found[2]


def attribute_table(own, *others, head=('file', 'person', 'hat', 'glasses'), count=12):
    rows = [list(head)]
    for i in range(count):
        for take in range(2):
            name = f'{"ab"[take]}/{i}.mp4'
            own.add(name)
            rows.append([name, f'p{i}', i % 2, int(i % 3 == 0)])
    return write_csv(own.path / 't.csv', [*rows, *others])


def test_attributes_of_a_table_are_attacked_by_other_persons(own):
    table = attribute_table(own)
    own.add('a/unlisted.mp4')
    done = own.run('--labels', table)
    assert done.code == 0, done.err
    assert '1 on disk but in no list' in done.out and 'unlisted' in done.out
    lists, privacy = read_lists(own), read_privacy(own)
    assert {part: list(privacy[part]) for part in PARTS} == {
        part: list(lists[part]) for part in PARTS
    }
    for part in PARTS:
        for name in ('hat', 'glasses'):
            having = [name in labels for labels in privacy[part].values()]
            assert any(having) and not all(having)
    people = [{name[2:] for name in lists[part]} for part in PARTS]
    assert sum(map(len, people)) == len(set.union(*people)) == 12


def test_one_of_several_values_by_folders(own):
    own.add(*[f'{c}/{s}/{i}.mp4' for c in 'ab' for s in ('female', 'male') for i in range(6)])
    done = own.run('--layout', '{class}/{attribute}')
    assert done.code == 0 and 'note: nothing tells persons' in done.out
    assert (own.out / 'labels.txt').read_text() == 'female\nmale\n'
    for part, entries in read_privacy(own).items():
        assert {labels[0] for labels in entries.values()} == {'female', 'male'}, part
        assert all(name.split('/')[1] == labels[0] for name, labels in entries.items())


@pytest.mark.parametrize('kind', ['persons', 'attributes'])
def test_table_for_the_attack_tool_is_of_people_whom_the_anonymizer_has_not_seen(own, kind):
    if kind == 'persons':
        own.add(*grid(persons=12))
        done = own.run('--layout', '{class}/{person}')
    else:
        done = own.run('--labels', attribute_table(own, count=30))
    assert done.code == 0 and 'the anonymizer is trained on' not in done.out
    (line,) = (line for line in done.out.splitlines() if 'tools/attack.py' in line)
    assert line.split()[:5] == 'python tools/attack.py videos --labels out/attack.csv'.split()
    names = [row['file'] for row in csv.DictReader((own.out / 'attack.csv').open())]
    lists = read_lists(own)
    assert set(names) == set(lists['val']) | set(lists['test'])
    clips = read_table(own.out / 'attack.csv', names)
    assert clips.is_identity == (kind == 'persons') and clips.divide(0)['test']


# ---- names ---------------------------------------------------------------------------------------
def test_names_of_all_kinds_come_through_to_the_data_sets(own, tool):
    kinds = ['he said "go", twice', 'día – übung', "it's ; a & b", '#1 100%']
    rows = [['file', 'class', 'person']]
    for number, kind in enumerate(kinds):
        for index in range(6):
            name = f'{kind}/clip {index},"{number}".mp4'
            (own.path / 'videos' / kind).mkdir(parents=True, exist_ok=True)
            metadata = dict(title=f'{number} {index}')
            write_video(own.path / 'videos' / name, FRAMES, metadata=metadata)
            rows.append([name, kind, f'person, "{index}"'])
    done = own.run('--labels', write_csv(own.path / 't.csv', rows), '--quick', check='header')
    assert done.code == 0, done.err
    assert set().union(*(read_lists(own, '\t')[part] for part in PARTS)) == {r[0] for r in rows[1:]}
    config = Config.fromfile(own.out / 'spact_out.py')
    data = DATASETS.build(config.train_dataloader.dataset)
    sample = data[len(data) - 1]
    assert sample['inputs'].shape == (1, 3, 8, 64, 64)
    views = DATASETS.build(config.privacy_dataloader.dataset)[0]['inputs']
    assert [view.shape for view in views] == [(3, 64, 64)] * 2
    assert (own.out / 'classes.txt').read_text().splitlines() == sorted(kinds)


def test_letters_that_the_disk_decomposes_are_those_of_the_table(own):
    rows = [['file', 'class']]
    for index in range(6):
        name = f'café{index}.mp4'
        own.add(unicodedata.normalize('NFD', name))
        rows.append([unicodedata.normalize('NFC', name), 'ab'[index % 2]])
    assert own.run('--labels', write_csv(own.path / 't.csv', rows)).code == 0


@pytest.mark.parametrize('name', ['a/x\t1.mp4', 'a/x\n1.mp4', ' a/x1.mp4', b'a/\xff.mp4'])
def test_names_that_lists_cannot_hold_are_refused(own, name):
    own.add(*grid())
    own.add(name if isinstance(name, str) else name.decode('utf-8', 'surrogateescape'))
    done = own.run('--layout', '{class}')
    assert done.code == 2 and 'rename the file' in done.err and done.err.count('\n') == 1


# ---- what cannot be read -------------------------------------------------------------------------
def test_unreadable_files_are_counted_named_and_left_out(own):
    for name in grid(persons=4):
        own.add(name)
        write_video(own.path / 'videos' / name, FRAMES, metadata=dict(title=name))
    own.add('a/p0/broken.mp4', 'b/p1/empty.mp4', content=b'')
    (own.path / 'videos' / 'a/p0/broken.mp4').write_bytes(b'no video')
    done = own.run('--layout', '{class}/{person}', check='header')
    assert done.code == 1 and 'files are missing or cannot be read' in done.err
    assert '2 broken, left out of the lists' in done.out and 'a/p0/broken.mp4: ' in done.out
    assert 'videos: 38 listed, 36 written' in done.out
    report = json.loads((own.out / 'folders_report.json').read_text())
    assert set(report['broken']) == {'a/p0/broken.mp4', 'b/p1/empty.mp4'}
    assert sum(len(read_lists(own)[part]) for part in PARTS) == 36
    assert own.run('--layout', '{class}/{person}', '--allow-missing', check='header').code == 0


def test_copies_are_on_one_side(own):
    own.add(*grid('{c}/{p}{t}.avi'))
    for i in range(6):
        own.add(f'a/copy{i}.avi', content=b'the same')
    done = own.run()
    assert done.code == 0 and 'note: 6 videos are copies of others' in done.out
    lists = read_lists(own)
    assert {sum('copy' in name for name in lists[part]) for part in PARTS} == {0, 6}


def test_files_that_a_table_names_and_nobody_has_are_missing(own):
    table = attribute_table(own, ['a/gone.mp4', 'p1', '1', '0'])
    done = own.run('--labels', table)
    assert done.code == 1 and '1 missing, left out of the lists' in done.out
    assert 'a/gone.mp4' in done.out


# ---- one sentence --------------------------------------------------------------------------------
def some(own):
    own.add(*grid())


@pytest.mark.parametrize(
    ('prepare', 'options', 'message'),
    [
        (lambda own: None, [], 'The video folder videos does not exist; pass yours by --videos.'),
        (lambda own: own.add('a/readme.txt'), [], 'videos holds no video; pass the folder of the'),
        (
            lambda own: [some(own), (own.path / 'videos/empty').mkdir()],
            [],
            'The class folder videos/empty has no video in it; add some or remove it.',
        ),
        (
            lambda own: [some(own), (own.path / 'videos/a/nobody').mkdir()],
            ['--layout', '{class}/{person}'],
            'The person folder videos/a/nobody has no video in it',
        ),
        (
            lambda own: [some(own), own.add('lost.mp4')],
            [],
            'lost.mp4 in videos is not where the layout {class} has its videos; move it',
        ),
        (
            lambda own: own.add('a/1.mp4', 'a/2.mp4', 'a/3.mp4'),
            [],
            "All videos are of one class, 'a', so there is nothing to recognize",
        ),
        (
            lambda own: own.add(*grid(persons=1)),
            ['--layout', '{class}/{person}'],
            "All videos are of one person, 'p0', but training, validation and test share nobody",
        ),
        (
            lambda own: own.add(*grid(persons=2)),
            ['--layout', '{class}/{person}'],
            'There are 2 groups of videos that share no persons, but training, validation and',
        ),
        (
            lambda own: own.add('a/1.mp4', 'b/2.mp4', 'c/3.mp4'),
            [],
            'No video is left for val, as each class is shown by fewer than 3 videos; add some.',
        ),
        (
            lambda own: [some(own), own.add('a/x.mp4', 'b/y.mp4', content=b'the same')],
            [],
            "a/x.mp4 and b/y.mp4 are the same video, but the class of one is 'a' and of the other",
        ),
        (
            lambda own: [
                some(own),
                own.add('a/p0/x.mp4', 'a/p1/y.mp4', content=b'the same'),
            ],
            ['--layout', '{class}/{person}'],
            "are the same video, but the person of one is 'p0' and of the other 'p1'; remove one.",
        ),
        (some, ['--layout', '{klass}'], 'which has the unknown field {klass}; write folders'),
        (some, ['--layout', 'videos'], 'which has no field; write folders'),
        (some, ['--layout', '{class}/{class}'], 'which has a field twice; write folders'),
        (some, ['--layout', '{person}'], 'Nothing says what is done in a video: give --layout a'),
        (some, ['--test', '0.6'], '--test is 0.6; give a fraction in (0, 0.5).'),
        (some, ['--labels', 'no.csv'], 'table no.csv does not exist'),
        (
            lambda own: own.add(*[f'{c}/only/{i}.mp4' for c in 'ab' for i in range(6)]),
            ['--layout', '{class}/{attribute}'],
            "All videos have the attribute 'only', so nobody can learn to tell",
        ),
    ],
)  # fmt: skip
def test_wrong_folders_and_options_are_one_sentence(own, prepare, options, message):
    prepare(own)
    done = own.run(*options)
    assert done.code == 2 and message in done.err, done.err
    assert done.err.count('\n') == 1 and not own.out.exists()


def test_class_that_cannot_be_read_is_named(own):
    for index in range(6):
        own.add(f'a/{index}.mp4')
        write_video(own.path / f'videos/a/{index}.mp4', FRAMES, metadata=dict(title=f'{index}'))
    own.add('b/1.mp4', 'b/2.mp4')
    done = own.run(check='header')
    assert done.code == 2
    assert "None of the 2 videos of the class 'b' can be read, for example b/1.mp4 (" in done.err


@pytest.mark.parametrize(
    ('head', 'rows', 'message'),
    [
        (
            'file;class',
            [['a/0.mp4;walk']],
            'The head of t.csv is file;class, but it needs a column "file", beside class, person',
        ),
        (
            'file,perosn',
            [['a/0.mp4', 'ann']],
            "Row 2 of t.csv has perosn = 'ann': a column that is none of file, class, person",
        ),
        ('file,hat,hat', [['a/0.mp4', 1, 1]], 'has a column twice or without a name'),
        ('file,hat', [['a/0.mp4', 'yes']], "Row 2 of t.csv has hat = 'yes'"),
        ('file,person', [['a/0.mp4', '']], 'Row 2 of t.csv has no person; give one in each row'),
        ('file,person', [['a/0.mp4']], 'Row 2 of t.csv has 1 cells, but the head 2'),
        (
            'file,class',
            [['a/0.mp4', 'walk'], ['a/0.mp4', 'run']],
            "Row 3 of t.csv names a/0.mp4 once more, first as 'walk' and now as 'run'; a video has",
        ),
        ('file,class', [['a/0.mp4', 'walk']] * 2, 'Row 3 of t.csv names a/0.mp4 once more; a'),
        ('file,class', [['x.mp4', 'walk']], 'None of the 1 files that t.csv names is a video'),
        ('file,class', [], 't.csv has a head and no row; write a row a video.'),
        (
            'file,hat,attribute',
            [['a/0.mp4', 1, 'x']],
            'There are both an attribute of one value a video and the columns hat of t.csv',
        ),
        (
            'file,person,hat',
            [[f'{c}/{p}.mp4', p, int(p < 2)] for c in 'ab' for p in range(8)],
            "2 persons have videos with 'hat', and no division was found with one in each of",
        ),
    ],
)  # fmt: skip
def test_wrong_tables_are_one_sentence(own, head, rows, message):
    own.add(*[f'{c}/{p}.mp4' for c in 'ab' for p in range(8)])
    write_csv(own.path / 't.csv', [head.split(','), *rows])
    done = own.run('--labels', 't.csv')
    assert done.code == 2 and message in done.err, done.err
    assert done.err.count('\n') == 1 and not own.out.exists()


def test_table_and_layout_may_not_both_say_it(own):
    table = attribute_table(own)
    done = own.run('--labels', table, '--layout', '{class}/{person}_*')
    assert done.code == 2 and 'say the person of a video; leave it out of one' in done.err


def test_too_few_persons_are_told_and_not_asked_for(own):
    own.add(*grid(persons=6), 'a/rare/1.mp4', 'b/rare/2.mp4', 'd/p0/1.mp4', 'd/p1/1.mp4')
    done = own.run('--layout', '{class}/{person}')
    assert done.code == 0, done.err
    assert "attackers are not asked for 'rare', of whom there are not 3 videos" in done.out
    assert "video shows 'd', which 2 persons do; 3 at least are needed." in done.out
    assert 'rare' not in (own.out / 'labels.txt').read_text()


def test_nobody_is_attacked_where_everyone_is_filmed_once(own):
    own.add(*[f'{"ab"[i % 2]}/{i}/1.mp4' for i in range(12)])
    done = own.run('--layout', '{class}/{person}')
    assert done.code == 0 and 'nobody is attacked, as that needs 2 persons' in done.out
    assert 'attack' not in (own.out / 'protocol_out.py').read_text().split('report')[0].lower()


# ---- configs -------------------------------------------------------------------------------------
def test_training_is_ten_lines_on_a_recipe_with_the_lists_in_it(own, monkeypatch):
    own.add(*grid())
    assert own.run('--layout', '{class}/{person}').code == 0
    path = own.out / 'spact_out.py'
    lines = [line for line in path.read_text().splitlines() if line and line[0] != '#']
    assert len(lines) <= 10
    monkeypatch.chdir('/')  # from anywhere
    config = read_config(path)
    assert config.model.recognizer.cls_head.num_classes == 3
    assert [stage.epochs for stage in config.custom_hooks[0].schedule] == [3, 4, 14]
    train = DATASETS.build(config.train_dataloader.dataset)
    # Some 40 iterations of eight.
    count = len(read_list(own.out / 'anonymizer.txt'))
    assert len(train) % count == 0 and 300 < len(train) < 350
    for part in ('val', 'test'):
        data = DATASETS.build(config[f'{part}_dataloader'].dataset)
        assert len(data) == len(read_list(own.out / f'{part}.txt'))


def test_page_shows_the_training_that_is_written(own):
    own.add(*grid())
    assert own.run('--layout', '{class}/{person}').code == 0
    page = (ROOT / 'docs' / 'your_data.md').read_text()
    (block,) = re.findall(r'^```python\n# data/mine/spact_mine\.py\n(.*?)^```', page, re.M | re.S)
    written = (own.out / 'spact_out.py').read_text().split('\n', 2)[2]
    written = written.replace(str(ROOT), '../..').replace('/../videos', '/videos')
    assert re.sub(r'=\d+', '=0', written) == re.sub(r'=\d+', '=0', block)


@pytest.mark.parametrize('kind', ['none', 'persons', 'values', 'attributes'])
def test_protocol_compares_raw_an_obfuscation_and_spact(own, kind):
    if kind == 'attributes':
        done = own.run('--labels', attribute_table(own))
    elif kind == 'values':
        own.add(*[f'{c}/{s}/{i}.mp4' for c in 'ab' for s in 'xyz' for i in range(6)])
        done = own.run('--layout', '{class}/{attribute}')
    else:
        own.add(*grid())
        layout = '{class}/{person}' if kind == 'persons' else '{class}'
        done = own.run('--layout', layout)
    assert done.code == 0, done.err
    protocol = load_protocol(own.out / 'protocol_out.py')
    assert protocol.methods == ['raw', 'strong blur', 'SPAct'] and not protocol.find_missing()
    names = {m: {s.name for s in protocol.stages if s.method == m} for m in protocol.methods}
    panel = set() if kind == 'none' else {'image', 'image_raw', 'mean_raw', 'clip_raw'}
    assert names['strong blur'] == {'action', *panel}
    assert names['SPAct'] == {'train', 'action', *panel}
    for stage in protocol.stages:
        files = [
            str(stage.config[f'{part}_dataloader']).split('ann_file')[1].split("'")[2]
            for part in PARTS
            if stage.config.get(f'{part}_dataloader') and (part != 'val' or stage.attacker)
        ]
        files = [file.rsplit('/', 1)[1] for file in files]
        if stage.attacker:
            count = dict(persons=8, values=3, attributes=2)[kind]
            head = stage.config.model.head
            assert files == [f'privacy_{part}.json' for part in PARTS]
            assert head.num_classes == count
            assert ('Multi' in head.type) == (kind == 'attributes')
            assert stage.attacker['score'] == f'video/{"cMAP" if kind == "attributes" else "top1"}'
            dataset = stage.config.train_dataloader.dataset
            assert dataset.single_label == (kind != 'attributes')
        else:
            assert files == ['anonymizer.txt' if stage.name == 'train' else 'train.txt', 'test.txt']
