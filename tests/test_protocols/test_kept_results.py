"""Results in one file, which go on counting where the work dir is gone."""

import json
import re
import shutil
import sys

import pytest
from mmengine.config import ConfigDict

from spact_mm.commands import protocol as protocol_command
from spact_mm.packaged import find_config
from spact_mm.protocols import (
    find_results,
    find_waiting,
    keep_results,
    load_protocol,
    take_results,
)
from spact_mm.protocols.stage import Stage


def plan(work_dir, rate=0.1):
    """Return a training, two stages that need its weights, and one that needs nothing."""

    def make(name, *needs, is_trained=True):
        config = ConfigDict(randomness=dict(seed=7), model=dict(name=name, rate=rate))
        folder = work_dir / 'm' / name
        return Stage(name, 'm', 7, None, folder, config, is_trained, {}, needs=list(needs))

    train = make('train')
    return [train, make('action', train), make('image', train, is_trained=False), make('other')]


def finish(stage, **metrics):
    stage.prepare()
    result = dict(
        name=stage.name,
        method=stage.method,
        seed=stage.seed,
        fold=None,
        metrics=metrics,
        values={},
        seconds=1.5,
    )
    result |= dict(config_hash=stage.hash, commit='c1', time='2026-01-01T00:00:00Z')
    (stage.folder / 'result.json').write_text(json.dumps(result))
    if stage.is_trained:
        stage.weights.write_bytes(b'weights')


@pytest.fixture
def kept(tmp_path):
    """The file of a run that had done the training and one stage behind it."""
    stages = plan(tmp_path / 'first')
    finish(stages[0])
    finish(stages[1], top1=0.75)
    keep_results(stages, tmp_path / 'results.jsonl')
    shutil.rmtree(tmp_path / 'first')
    return tmp_path / 'results.jsonl'


def test_results_count_in_another_work_dir(kept, tmp_path):
    stages = plan(tmp_path / 'second')
    assert take_results(stages, kept) == 2
    assert stages[1].read_result()['metrics'] == dict(top1=0.75)
    assert stages[1].read_result()['commit'] == 'c1'
    # The training is done again for the third stage, which needs its weights; the second is not.
    assert {stage.name for stage in find_waiting(stages)} == {'train', 'image', 'other'}
    # Preparing the training to be done again keeps its result, and the file is the same as before.
    stages[0].prepare()
    keep_results(stages, tmp_path / 'again.jsonl')
    assert len(kept.read_text().splitlines()) == 2
    again = [json.loads(line) for line in (tmp_path / 'again.jsonl').read_text().splitlines()]
    for new, old in zip(again, map(json.loads, kept.read_text().splitlines()), strict=True):
        assert new == old


def test_results_are_found_without_a_trace(kept, tmp_path):
    stages = plan(tmp_path / 'second')
    finish(stages[1], top1=0.5)
    known = find_results(stages, kept)
    assert {stage.name: result['metrics'] for stage, result in known.items()} == dict(train={})
    assert stages[0].read_result() is None
    # As after taking them: the weights of the training are needed.
    expected = {'train', 'image', 'other'}
    assert {stage.name for stage in find_waiting(stages, known)} == expected
    take_results(stages, kept)
    assert {stage.name for stage in find_waiting(stages)} == expected


def test_dry_run_counts_them_and_writes_nothing(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv('DEMO_ROOT', str(tmp_path / 'demo'))
    first = load_protocol(
        find_config('demo_quick', 'protocols'), tmp_path / 'first', methods=['raw'], seeds=[0]
    )
    action = next(stage for stage in first.stages if stage.name == 'action')
    finish(action, top1=0.5)
    kept = tmp_path / 'results.jsonl'
    keep_results(first.stages, kept)
    shutil.rmtree(tmp_path / 'first')
    command = f'spact-protocol demo_quick --methods raw --seeds 0 --work-dir {tmp_path / "second"}'
    monkeypatch.setattr(sys, 'argv', [*command.split(), '--dry-run', '--results', str(kept)])
    assert protocol_command.main() == 0
    out = capsys.readouterr().out
    assert f'1 stages would have their result from {kept}' in out
    assert re.search(rf'^done +{action.id} ', out, re.MULTILINE)
    assert f'{len(first.stages)} stages, 1 done' in out
    assert not (tmp_path / 'second').exists()


def test_training_without_users_is_not_done_again(kept, tmp_path):
    stages = plan(tmp_path / 'second')[:2]
    take_results(stages, kept)
    assert find_waiting(stages) == []


def test_own_results_and_other_configs_are_left_alone(kept, tmp_path):
    stages = plan(tmp_path / 'second')
    finish(stages[1], top1=0.5)
    assert take_results(stages, kept) == 1
    assert stages[1].read_result()['metrics'] == dict(top1=0.5)
    changed = plan(tmp_path / 'third', rate=0.2)
    with pytest.raises(ValueError, match='has 2 results, and none is of these stages'):
        take_results(changed, kept)
    assert not (tmp_path / 'third').exists()


@pytest.mark.parametrize('line', [b'{"metrics": 3}', b'[1]', b'\xff', b'', b'[' * 100_000])
def test_damaged_line_is_named_and_nothing_is_taken(kept, tmp_path, line):
    kept.write_bytes(kept.read_bytes() + line + b'\n')
    with pytest.raises(ValueError, match=f'Line 3 of {re.escape(str(kept))} is no result'):
        take_results(plan(tmp_path / 'second'), kept)
    assert not (tmp_path / 'second').exists()


@pytest.mark.parametrize('is_there', [False, True], ids=['missing', 'folder'])
def test_file_that_cannot_be_read_is_named(tmp_path, is_there):
    path = tmp_path / 'kept.jsonl'
    if is_there:
        path.mkdir()
    with pytest.raises(OSError, match=f'^{re.escape(str(path))} cannot be read .*results.jsonl'):
        take_results(plan(tmp_path / 'work'), path)
    assert not (tmp_path / 'work').exists()
