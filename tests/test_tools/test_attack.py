"""``tools/attack.py`` on clips of persons who each have a texture of their own."""

import json
import sys

import numpy as np
import pytest
import torch
from e2e import ROOT, run_process
from media import write_video
from mmaction.registry import MODELS

from spact_mm.commands import attack
from spact_mm.datasets.annotation_files import read_attribute_file
from spact_mm.protocols import Protocol, own_clips, write_report


@pytest.fixture
def tool(monkeypatch):
    """Return the tool as a module that plans and runs nothing; ``planned`` is what it would run."""
    module = attack
    monkeypatch.setattr(module, 'planned', [], raising=False)

    def run(protocol: Protocol, executor):
        copies = sorted(protocol.work_dir.glob('raw_clips/**/*.avi'))
        module.planned.append((protocol, executor, protocol.find_missing(), copies))
        return 0

    monkeypatch.setattr(module, 'run', run)
    return module


def call(tool, monkeypatch, *arguments):
    monkeypatch.setattr(sys, 'argv', ['attack.py', *map(str, arguments)])
    return tool.main()


def write_persons(folder, persons=4, clips=4, frames=6):
    """Write clips of 32 x 32: a texture a person, somewhere, and some noise."""
    for person in range(persons):
        rng = np.random.default_rng(person)
        texture = np.kron(rng.integers(40, 216, (8, 8, 3)), np.ones((4, 4, 1))).astype(np.int16)
        (folder / f'person{person}').mkdir(parents=True, exist_ok=True)
        for index in range(clips):
            noise = np.random.default_rng((person, index)).integers(-15, 16, (frames, 32, 32, 3))
            shifted = np.roll(texture, index, axis=1)
            video = np.clip(shifted + noise, 0, 255).astype(np.uint8)
            path = folder / f'person{person}' / f'clip{index}.avi'
            write_video(path, video, codec='ffv1', pix_fmt='bgr0')
    return folder


OPTIONS = ['--size', 32, '--seeds', 0, 1]


def test_panel_is_planned_before_and_after(tool, monkeypatch, tmp_path, capsys):
    clips = write_persons(tmp_path / 'clips')
    (clips / 'person1' / 'broken.mp4').write_bytes(b'no video')
    (clips / 'readme.txt').write_text('of the clips')
    work = tmp_path / 'work'
    options = ['--method', 'black', '--work-dir', work, *OPTIONS]
    assert call(tool, monkeypatch, clips, *options, '--jobs', 3) == 0
    printed = capsys.readouterr().out
    assert 'Left out: person1/broken.mp4: ' in printed and 'readme.txt' in printed
    assert '1 of 17 files cannot be read and are left out.' in printed
    assert '16 clips of 4 persons (8 train, 4 val, 4 test)' in printed
    assert 'With 4 test clips chance is 25 %, and a difference of less than about 69' in printed
    assert 'Caution: 4 test clips are few' in printed
    assert 'Not all attackers are done' in printed

    ((protocol, executor, missing, copies),) = tool.planned
    assert executor.jobs == 3 and not missing and len(copies) == 16
    assert not (work / 'raw_clips').exists()
    ids = [stage.id for stage in protocol.stages]
    assert ids == [
        f'{method}, seed {seed}: {name}'
        for seed in (0, 1)
        for method, names in (
            ('raw', ('image', 'mean', 'clip')),
            ('black', ('image', 'image_raw', 'mean_raw', 'clip_raw')),
        )
        for name in names
    ]
    stage = next(stage for stage in protocol.stages if stage.id == 'black, seed 1: clip_raw')
    preprocessor = stage.config.model.data_preprocessor
    assert preprocessor.anonymizer == dict(type='ConstantAnonymizer', value=0.0)
    assert [need.id for need in stage.needs] == ['raw, seed 1: clip']
    assert preprocessor.num_classes == stage.config.model.head.num_classes == 4
    lists = {
        part: read_attribute_file(stage.config[f'{part}_dataloader'].dataset.ann_file)
        for part in ('train', 'val', 'test')
    }
    assert {part: len(content['data_list']) for part, content in lists.items()} == dict(
        train=8, val=4, test=4
    )
    assert [e['attributes'] for e in lists['test']['data_list']] == [
        [f'person{i}'] for i in range(4)
    ]


def test_same_command_means_the_same_stages(tool, monkeypatch, tmp_path):
    clips = write_persons(tmp_path / 'clips', persons=2, clips=3)
    options = [clips, '--work-dir', tmp_path / 'work', *OPTIONS]
    for method in ('black', 'black', 'blur'):
        call(tool, monkeypatch, *options, '--method', method)
    write_video(clips / 'person0' / 'clip0.avi')
    call(tool, monkeypatch, *options, '--method', 'black')
    first, again, other, changed = (
        {stage.id: stage.hash for stage in protocol.stages} for protocol, *_ in tool.planned
    )
    assert again == first
    # What is found in raw clips holds for all methods, until a clip changes.
    assert {i: h for i, h in other.items() if i.startswith('raw')}.items() <= first.items()
    assert not set(changed.values()) & set(first.values())


def save(path, meta):
    """Write a checkpoint of a tiny anonymizer; return its config."""
    config = dict(type='UNetAnonymizer', base_channels=2, num_levels=2)
    state = {f'anonymizer.{k}': v for k, v in MODELS.build(config).state_dict().items()}
    torch.save(dict(state_dict=state, meta=meta and dict(cfg=meta.format(config))), path)
    return config


def test_checkpoint_names_its_anonymizer_or_a_config_does(tool, monkeypatch, tmp_path):
    clips = write_persons(tmp_path / 'clips', persons=2, clips=3, frames=1)
    path = tmp_path / 'a.pth'
    options = [clips, '--checkpoint', path, '--work-dir', tmp_path / 'work', *OPTIONS]
    config = save(path, 'model = dict(anonymizer={})')
    assert call(tool, monkeypatch, *options) == 0

    save(path, None)
    with pytest.raises(SystemExit, match='does not tell its anonymizer'):
        call(tool, monkeypatch, *options)
    settings = tmp_path / 'config.py'
    settings.write_text('model = dict(anonymizer=dict(type="UNetAnonymizer", base_channels=4))')
    with pytest.raises(SystemExit, match='holds another|has another'):
        call(tool, monkeypatch, *options, '--config', settings)
    settings.write_text(f'model = dict(anonymizer={config})')
    assert call(tool, monkeypatch, *options, '--config', settings) == 0
    for protocol, *_ in tool.planned:
        stage = next(s for s in protocol.stages if s.id == 'anonymized, seed 0: mean_raw')
        preprocessor = stage.config.model.data_preprocessor
        assert preprocessor.anonymizer == config and preprocessor.checkpoint == str(path)
        assert str(path) in stage.files


def write_table(path, cell='1'):
    rows = [f'person{i // 4}/clip{i % 4}.avi,p{i // 4},{i // 4 % 2}' for i in range(48)]
    rows[1] = rows[1].rsplit(',', 1)[0] + f',{cell}'
    path.write_text('\n'.join(['file,person,hat', *rows]))
    return path


def test_attributes_of_a_table_are_attacked_by_other_persons(tool, monkeypatch, tmp_path, capsys):
    clips = write_persons(tmp_path / 'clips', persons=13, frames=1)
    table = write_table(clips / 'table.csv', '0')
    options = ['--labels', table, '--method', 'black', '--work-dir', tmp_path / 'work', '--quick']
    assert call(tool, monkeypatch, clips, *options, *OPTIONS) == 0
    printed = capsys.readouterr().out
    assert '4 files are left out, as the table does not name them' in printed
    assert '48 clips of 12 persons (24 train, 8 val, 16 test); attributes: hat' in printed
    assert 'With 16 test clips chance is a cMAP of' in printed
    assert 'table.csv' not in printed.split('48 clips')[0] and 'Warning' not in printed
    ((protocol, *_),) = tool.planned
    assert {stage.seed for stage in protocol.stages} == {0}
    config = protocol.stages[0].config
    assert config.model.head.type == 'MultiLabelLinearClsHead'
    assert config.test_dataloader.dataset.single_label is False
    assert protocol.stages[0].attacker['score'] == 'video/cMAP'
    parts = [
        {entry['img_path'].split('/')[0] for entry in read_attribute_file(path)['data_list']}
        for path in (tmp_path / 'work' / 'lists' / 'seed0').iterdir()
    ]
    assert len(parts) == 3 and sum(map(len, parts)) == len(set.union(*parts)) == 12


def test_table_without_persons_is_warned_of(tool, monkeypatch, tmp_path, capsys):
    clips = write_persons(tmp_path / 'clips', frames=1)
    rows = [f'person{i // 4}/clip{i % 4}.avi,{i % 2}' for i in range(16)]
    (tmp_path / 't.csv').write_text('\n'.join(['file,hat', *rows]))
    options = ['--labels', tmp_path / 't.csv', '--method', 'black', '--work-dir', tmp_path / 'work']
    assert call(tool, monkeypatch, clips, *options, *OPTIONS) == 0
    assert 'Warning: the table has no column "person"' in capsys.readouterr().out


def test_refusals_are_one_sentence_before_anything_is_decoded(tool, monkeypatch, tmp_path):
    clips = write_persons(tmp_path / 'clips', persons=12, frames=1)
    work = tmp_path / 'work'
    options = ['--method', 'black', '--work-dir', work]
    table = write_table(tmp_path / 'table.csv', 'yes')
    with pytest.raises(SystemExit, match="Row 3 of .*table.csv has hat = 'yes'"):
        call(tool, monkeypatch, clips, *options, '--labels', table)
    with pytest.raises(SystemExit, match='lies in .*person0 itself'):
        call(tool, monkeypatch, clips / 'person0', *options)
    (clips / 'person1' / 'clip0.avi').unlink()
    (clips / 'person1' / 'clip1.avi').unlink()
    with pytest.raises(SystemExit, match=r"too few clips of 'person1' \(2\)"):
        call(tool, monkeypatch, clips, *options)
    (tmp_path / 'empty').mkdir()
    with pytest.raises(SystemExit, match='is no file, and no folder or pattern with a video'):
        call(tool, monkeypatch, tmp_path / 'empty', *options)
    assert not (work / 'clips.json').exists() and not tool.planned


@pytest.mark.parametrize(
    'options',
    [
        [],
        ['--method', 'blur', '--checkpoint', 'x.pth'],
        ['--checkpoint', '/absent/x.pth'],
        ['--method', 'blur', '--labels', '/absent/x.csv'],
        ['--method', 'blur', '--config', 'setup.py'],
        ['--method', 'blur', '--seeds', '-1'],
        ['--method', 'blur', '--size', '8'],
    ],
)
def test_wrong_command_lines_are_refused(tool, monkeypatch, tmp_path, options):
    with pytest.raises(SystemExit) as stop:
        call(tool, monkeypatch, tmp_path, *options)
    assert stop.value.code == 2
    with pytest.raises(SystemExit) as stop:
        call(tool, monkeypatch, tmp_path / 'absent', '--method', 'blur')
    assert stop.value.code == 2


# ---- what is told --------------------------------------------------------------------------------
def finish(protocol, raw, after, chance=0.25):
    """Write results of all stages, the clips' attacker having found most."""
    for stage in protocol.stages:
        stage.prepare()
        score = raw if stage.method == 'raw' else after
        entry = dict(score=score if stage.name.startswith('clip') else chance, chance=chance)
        result = dict(
            metrics={} if stage.name != 'image' else dict(f1=0.1),
            name=stage.name,
            attacker=dict(entry, validation={'1': entry}),
            config_hash=stage.hash,
            seconds=1.0,
        )
        (stage.folder / 'result.json').write_text(json.dumps(result))


def tell(tool, monkeypatch, tmp_path, raw, after, persons=4, seeds=2):
    clips = write_persons(tmp_path / 'clips', persons=persons, frames=1)
    options = ['--method', 'blur', '--work-dir', tmp_path / 'work', '--size', 32, '--seeds']
    call(tool, monkeypatch, clips, *options, *range(seeds))
    protocol = tool.planned[-1][0]
    finish(protocol, raw, after)
    found = tool.find_persons([f'person{p}/{c}' for p in range(persons) for c in range(4)], '')
    return protocol, own_clips.tell_findings(protocol, found, 'blur')


def test_strongest_attacker_is_told_before_and_after(tool, monkeypatch, tmp_path):
    protocol, told = tell(tool, monkeypatch, tmp_path, raw=1.0, after=0.4)
    assert told == [
        'The strongest attacker names the person in 100 % of clips (95 % interval 51 to 100 %) '
        'before and in 40 % of clips (95 % interval 10 to 80 %) after blur; chance is 25 %: 80 % '
        'of the advantage is removed.',
        'The difference of 60 points may be chance: 4 test clips show about 69.',
    ]
    text = write_report(protocol, 'attack').read_text()
    assert 'Top-1 (%) ↑' not in text and '## Goals' not in text
    assert '| blur | 2 | 40.0 ± 0.0 | 25.0 | clip_raw (2) | 80.0 ± 0.0 |' in text
    assert (tmp_path / 'work' / 'attackers.png').stat().st_size > 10_000
    assert 'data:image/png' in (tmp_path / 'work' / 'report.html').read_text()
    assert not (tmp_path / 'work' / 'tradeoff.png').exists()


def test_attackers_at_chance_on_raw_clips_tell_nothing(tool, monkeypatch, tmp_path):
    _, told = tell(tool, monkeypatch, tmp_path, raw=0.5, after=0.25)
    assert 'is removed' not in told[0]
    assert 'Already on raw clips the attackers are not clearly better than chance' in told[1]


def test_attributes_are_told_by_their_precision(tool, monkeypatch, tmp_path):
    folder = write_persons(tmp_path / 'clips', persons=10, frames=1)
    rows = [f'person{i // 4}/clip{i % 4}.avi,{i // 4 % 2}' for i in range(40)]
    table = tmp_path / 't.csv'
    table.write_text('\n'.join(['file,hat', *rows]))
    options = ['--labels', table, '--method', 'blur', '--work-dir', tmp_path / 'work', *OPTIONS]
    call(tool, monkeypatch, folder, *options)
    protocol = tool.planned[-1][0]
    clips = tool.read_table(table, [row.split(',')[0] for row in rows])
    finish(protocol, raw=0.95, after=0.97, chance=0.5)
    assert own_clips.tell_findings(protocol, clips, 'blur') == [
        'The strongest attacker reads the attributes with a cMAP of 95 % before and a cMAP of 97 % '
        'after blur; chance is 50 %: nothing of the advantage is removed.'
    ]
    finish(protocol, raw=0.95, after=0.93, chance=0.5)
    _, second = own_clips.tell_findings(protocol, clips, 'blur')
    assert second.startswith('The difference of 2 points may be chance: 12 test clips show about ')
    finish(protocol, raw=0.6, after=0.5, chance=0.5)
    assert 'nothing can be told' in own_clips.tell_findings(protocol, clips, 'blur')[1]


# ---- the whole -----------------------------------------------------------------------------------
@pytest.mark.slow
def test_persons_are_named_before_and_at_chance_after_black(tmp_path):
    write_persons(tmp_path / 'clips', persons=10, clips=4, frames=20)
    command = [sys.executable, ROOT / 'tools' / 'attack.py', 'clips', '--method', 'black']
    command += ['--quick', '--size', '32', '--jobs', '2']
    process = run_process(tmp_path, *command)
    assert process.code == 0, process.stderr
    assert 'chance is 10 %: 100 % of the advantage is removed.' in process.stdout
    work = tmp_path / 'work_dirs' / 'attack' / 'clips_quick'
    report = json.loads((work / 'report.json').read_text())
    raw, black = (report['summary'][method]['strongest'] for method in ('raw', 'black'))
    assert raw['identity_top1']['mean'] >= 0.8
    assert black['identity_top1']['mean'] == pytest.approx(0.1)
    assert set(report['rows'][1]['attackers']) == {'image', 'image_raw', 'mean_raw', 'clip_raw'}
    assert (work / 'report.html').exists() and (work / 'attackers.png').exists()
    assert not (work / 'raw_clips').exists() and not (work / 'frames').exists()

    before = {path: path.stat().st_mtime_ns for path in work.rglob('result.json')}
    process = run_process(tmp_path, *command)
    assert process.code == 0 and 'done: ' not in process.stdout
    assert 'is removed' in process.stdout
    assert {path: path.stat().st_mtime_ns for path in work.rglob('result.json')} == before
