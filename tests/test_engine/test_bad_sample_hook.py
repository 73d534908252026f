import json
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from mmaction.registry import DATASETS, HOOKS
from mmaction.structures import ActionDataSample
from mmengine.dataset import pseudo_collate
from mmpretrain.structures import DataSample
from torch.utils.data import DataLoader

from spact_mm.datasets.annotation_files import write_video_list
from spact_mm.engine import bad_sample_hook


class Log:
    def __init__(self):
        self.lines = []

    def warning(self, line):
        self.lines.append(line)


@pytest.fixture(autouse=True)
def work_dir(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def make_runner(resume=False, **sizes):
    """Build a runner with loaders of these sizes; ``train`` alone is a plain loader."""
    loaders = {name: SimpleNamespace(dataset=range(size)) for name, size in sizes.items()}
    loader = loaders['train'] if 'train' in loaders else SimpleNamespace(loaders=loaders)
    return SimpleNamespace(logger=Log(), train_dataloader=loader, work_dir='.', _resume=resume)


def make_batch(*reports, cls=ActionDataSample):
    samples = [cls(metainfo=dict(bad_files=report) if report else {}) for report in reports]
    return dict(inputs=[None] * len(samples), data_samples=samples)


def make_hook(**settings):
    return HOOKS.build(dict(type='BadSampleHook', **settings))


def bad(*names):
    return [(name, 'broken') for name in names]


def test_each_file_is_named_once_with_its_reason():
    hook, runner = make_hook(), make_runner(train=100)
    hook.before_train_iter(runner, 0, make_batch(None, bad('a.avi'), None))
    hook.before_train_iter(runner, 1, make_batch(bad('a.avi', 'b.avi')))
    hook.before_train_iter(runner, 2, make_batch(None))
    assert runner.logger.lines == [
        'The train file a.avi cannot be read and is replaced by another: broken',
        'The train file b.avi cannot be read and is replaced by another: broken',
    ]


def test_count_is_logged_at_the_end_of_an_epoch():
    hook, runner = make_hook(), make_runner(action=100, privacy=50)
    hook.after_train_epoch(runner)
    assert runner.logger.lines == []
    hook.before_train_iter(runner, 0, dict(action=make_batch(bad('a', 'b'))))
    hook.after_train_epoch(runner)
    assert runner.logger.lines[-1] == (
        '2 of 100 action files could not be read so far and were replaced.'
    )
    assert len(runner.logger.lines) == 3


@pytest.mark.parametrize('size, allowed', [(10, 0), (19, 0), (20, 1), (100, 5), (119, 5)])
def test_more_than_the_fraction_stops_the_run(size, allowed):
    hook, runner = make_hook(max_bad_fraction=0.05), make_runner(train=size)
    for index in range(allowed):
        hook.before_train_iter(runner, index, make_batch(bad(f'{index}.avi')))
    with pytest.raises(RuntimeError) as error:
        hook.before_train_iter(runner, allowed, make_batch(bad('last.avi')))
    message = str(error.value)
    assert f'{allowed + 1} of {size} train files' in message and '5.0%' in message
    assert ('0.avi (broken)' if allowed else 'last.avi (broken)') in message
    assert '\n' not in message


def test_loaders_are_counted_apart():
    hook, runner = make_hook(), make_runner(action=40, privacy=40)
    for index in range(2):
        hook.before_train_iter(
            runner,
            index,
            dict(
                action=make_batch(bad(f'{index}.avi')),
                privacy=make_batch(bad(f'{index}.jpg'), cls=DataSample),
            ),
        )
    with pytest.raises(RuntimeError, match='3 of 40 privacy files'):
        hook.before_train_iter(runner, 2, dict(privacy=make_batch(bad('2.jpg'), cls=DataSample)))


@pytest.mark.parametrize(
    'batch',
    [None, [1, 2], dict(inputs=[]), dict(inputs=[], data_samples=[None]), dict(action=dict())],
)
def test_batches_without_reports_are_passed_over(batch):
    runner = make_runner(train=1)
    make_hook().before_train_iter(runner, 0, batch)
    assert runner.logger.lines == []


def test_processes_exchange_what_they_found(monkeypatch):
    hook, runner = make_hook(), make_runner(train=60)
    hook.before_train_iter(runner, 0, make_batch(bad('a', 'b')))
    others = [(dict(train=dict(b='broken', c='broken')), dict(train=dict(b=1, c=2)))]
    monkeypatch.setattr(bad_sample_hook, 'all_gather_object', lambda mine: [mine, *others])
    hook.after_train_epoch(runner)
    assert 'file c cannot be read' in runner.logger.lines[-2]
    assert runner.logger.lines[-1].startswith('3 of 60 train files')
    others[:] = [(dict(train=dict(d='broken')), dict(train=dict(d=1)))]
    with pytest.raises(RuntimeError, match='4 of 60 train files'):
        hook.after_train_epoch(runner)


def read_list():
    return json.loads(Path('bad_samples.json').read_text())


def test_a_list_in_the_work_dir_tells_what_was_replaced_and_how_often(monkeypatch):
    hook, runner = make_hook(), make_runner(action=100, privacy=100)
    hook.before_train(runner)
    hook.after_train_epoch(runner)
    assert not Path('bad_samples.json').exists()
    hook.before_train_iter(runner, 0, dict(action=make_batch(bad('a'), bad('a', 'b'))))
    found = dict(action=dict(a='broken'), privacy=dict(c='empty'))
    others = found, dict(action=dict(a=1), privacy=dict(c=3))
    monkeypatch.setattr(bad_sample_hook, 'all_gather_object', lambda mine: [mine, others])
    hook.after_train_epoch(runner)
    expected = dict(
        action=dict(a=dict(reason='broken', count=3), b=dict(reason='broken', count=1)),
        privacy=dict(c=dict(reason='empty', count=3)),
    )
    assert read_list() == expected


def test_the_list_is_kept_over_resume_and_begun_anew_by_a_new_run():
    for resume, count in ((False, 1), (True, 2), (False, 1)):
        hook, runner = make_hook(), make_runner(train=100, resume=resume)
        hook.before_train(runner)
        hook.before_train_iter(runner, 0, make_batch(bad('a')))
        hook.after_train_epoch(runner)
        assert read_list() == dict(train=dict(a=dict(reason='broken', count=count)))


def test_the_list_is_there_when_the_run_stops_for_it():
    hook, runner = make_hook(), make_runner(train=10)
    with pytest.raises(RuntimeError, match='1 of 10 train files cannot be read'):
        hook.before_train_iter(runner, 0, make_batch(bad('a')))
    assert read_list()['train']['a'] == dict(reason='broken', count=1)


@pytest.mark.parametrize('fraction', [-0.1, 5])
def test_bad_fraction_is_refused(fraction):
    with pytest.raises(ValueError, match='max_bad_fraction'):
        make_hook(max_bad_fraction=fraction)


def test_report_reaches_the_hook_from_worker_processes(tmp_path):
    for index in range(24):
        fourcc = cv2.VideoWriter_fourcc(*'MJPG')
        writer = cv2.VideoWriter(str(tmp_path / f'{index}.avi'), fourcc, 25, (32, 24))
        for _ in range(3):
            writer.write(np.zeros((24, 32, 3), np.uint8))
        writer.release()
    (tmp_path / '7.avi').write_bytes(b'')
    write_video_list(tmp_path / 'list.txt', [(f'{index}.avi', 0) for index in range(24)])
    pipeline = [
        dict(type='DecordInitFromPath'),
        dict(type='ReflectSampleFrames', clip_len=2),
        dict(type='DecordDecode'),
        dict(type='FormatShape', input_format='NCTHW'),
        dict(type='PackActionInputs'),
    ]
    videos = dict(
        type='VideoDataset',
        ann_file=str(tmp_path / 'list.txt'),
        data_prefix=dict(video=str(tmp_path)),
        pipeline=pipeline,
    )
    dataset = DATASETS.build(dict(type='ReproducibleDataset', dataset=videos))
    loader = DataLoader(dataset, batch_size=4, num_workers=1, collate_fn=pseudo_collate)
    hook, runner = make_hook(), make_runner(train=24)
    for index, batch in enumerate(loader):
        hook.before_train_iter(runner, index, batch)
    hook.after_train_epoch(runner)
    assert len(runner.logger.lines) == 2
    assert str(tmp_path / '7.avi') in runner.logger.lines[0]
    assert runner.logger.lines[1].startswith('1 of 24')
