"""Rows and report of a protocol."""

import json

import pytest
from mmengine.config import ConfigDict

from spact_mm.protocols import Protocol, write_report
from spact_mm.protocols.results import average_precisions, collect_rows
from spact_mm.protocols.stage import Stage


def make(folder, method, seed, name, commit='c1', **metrics):
    stage = Stage(
        name, method, seed, None, folder / method / str(seed) / name, ConfigDict(), True, {}
    )
    if metrics:
        stage.folder.mkdir(parents=True)
        (stage.folder / 'result.json').write_text(
            json.dumps(
                dict(
                    metrics=metrics,
                    config_hash=stage.hash,
                    commit=commit,
                    time=f'2026-01-0{seed + 1}T00:00:00Z',
                    seconds=10.0,
                )
            )
        )
    return stage


@pytest.fixture
def protocol(tmp_path):
    stages = [
        make(tmp_path, 'raw', 0, 'action', top1=0.9),
        make(tmp_path, 'raw', 0, 'privacy', cmap=0.8, f1=0.7, cmap_chance=0.4),
        make(tmp_path, 'raw', 1, 'action', top1=0.8),
        make(tmp_path, 'raw', 1, 'privacy', cmap=0.9, f1=0.7, cmap_chance=0.4),
        make(tmp_path, 'SPAct', 0, 'action', top1=0.85),
        make(tmp_path, 'SPAct', 0, 'privacy', commit='c2', cmap=0.6, f1=0.3, cmap_chance=0.4),
        make(tmp_path, 'SPAct', 1, 'action'),
    ]
    return Protocol('demo', 'Title', tmp_path, stages, ['raw', 'SPAct'])


def test_rows_join_the_stages_of_a_method_and_seed(protocol):
    rows = collect_rows(protocol.stages)
    assert [(r['method'], r['seed'], r['fold']) for r in rows] == [
        ('raw', 0, None),
        ('raw', 1, None),
        ('SPAct', 0, None),
    ]
    assert rows[2]['top1'] == 0.85 and rows[2]['cmap'] == 0.6 and rows[2]['commit'] == 'c1 c2'
    assert rows[1]['time'] == '2026-01-02T00:00:00Z' and rows[1]['seconds'] == 20.0
    assert len({row['config_hash'] for row in rows}) == 1  # equal configs in this test


def test_report_of_what_is_done_so_far(protocol, tmp_path):
    protocol.report = dict(goal=dict(min_top1_kept=0.95))
    path = write_report(protocol, 'python tools/protocol.py x')
    content = json.loads((tmp_path / 'report.json').read_text())
    assert content['summary']['raw']['cmap'] == dict(
        mean=pytest.approx(0.85), std=pytest.approx(0.0707107, abs=1e-6), n=2
    )
    assert content['summary']['SPAct']['top1'] == dict(mean=0.85, std=0.0, n=1)
    assert set(content['rows'][0]) >= {
        'method', 'seed', 'fold', 'top1', 'cmap', 'f1', 'cmap_chance', 'config_hash', 'commit',
        'time',
    }  # fmt: skip
    goals = content['goals']
    assert goals['advantage_removed']['value'] == pytest.approx((0.85 - 0.6) / (0.85 - 0.4))
    assert goals['top1_kept']['met'] is True
    text = path.read_text()
    assert '| SPAct | 1 |' in text and '- Stages: 6 of 7 done' in text
    told = text.split('\n\n')[1]
    assert told.startswith('Unfinished: 1 of 7 stages have no result yet.')
    make(tmp_path, 'SPAct', 1, 'action', top1=0.9)
    assert 'Unfinished' not in write_report(protocol, '').read_text()
    assert (tmp_path / 'tradeoff.png').stat().st_size > 10_000


def test_attributes_are_averaged_over_seeds_and_folds(tmp_path):
    stages = []
    for seed, value in ((0, 0.5), (1, 0.7)):
        stage = make(tmp_path, 'raw', seed, 'privacy', cmap=0.8)
        stage.metrics = dict(cmap='privacy/cMAP')
        result = stage.folder / 'result.json'
        values = {'privacy/AP_hat': value, 'privacy/AP_none': float('nan'), 'privacy/cMAP': 0.8}
        content = json.loads(result.read_text()) | dict(values=values)
        result.write_text(json.dumps(content))
        stages.append(stage)
    stages.append(make(tmp_path, 'SPAct', 0, 'privacy'))
    assert average_precisions(stages, 'cmap') == dict(raw=dict(hat=pytest.approx(0.6)))
    assert average_precisions(stages, 'top1') == {}


def test_nothing_done_gives_no_report(tmp_path):
    protocol = Protocol('d', 'T', tmp_path, [make(tmp_path, 'raw', 0, 'action')], ['raw'])
    assert write_report(protocol, '') is None
    assert not (tmp_path / 'report.json').exists()
