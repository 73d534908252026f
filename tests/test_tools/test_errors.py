import os
import shutil

import pytest
import torch
from e2e import (
    BATCH,
    call_tool,
    load,
    log_of,
    run_cli,
    workerless,
    write_config,
)

TRAIN = 'train_dataloader__dataset__'
PRIVACY = 'privacy_dataloader__dataset__'
MINIMAX = [dict(phase=('anonymizer', 'adversaries'), epochs=1)]
BRIEF = [dict(phase='reconstruction', epochs=1)]
#: The schedulers of the config name the stages of its schedule.
UNSCHEDULED = {'param_scheduler__anonymizer': []}


class Payload:
    """Leaves a file behind when it is unpickled without restrictions."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def refusal(monkeypatch, tool, config, *options, work_dir):
    """Return the sentence with which a tool ends before it has trained an iteration."""
    with pytest.raises(SystemExit) as stop:
        call_tool(monkeypatch, tool, config, *options, work_dir=work_dir)
    # A string goes to stderr as the last line, and the exit code is 1.
    message = stop.value.code
    assert isinstance(message, str) and '\n' not in message and message.endswith('.')
    log = log_of(work_dir)
    assert 'Epoch(train)' not in log and 'Epoch(test)' not in log
    return message


def hook(schedule, **settings):
    return [dict(type='MinimaxPhaseHook', schedule=schedule, **settings)]


@pytest.mark.parametrize(
    'changes, parts',
    [
        ({f'{TRAIN}ann_file': '/absent/list.txt'}, ['/absent/list.txt', 'does not exist']),
        ({f'{TRAIN}data_prefix': dict(video='/absent/videos')}, ['/absent/videos', 'data_prefix']),
        ({f'{TRAIN}ann_file': 'EMPTY'}, ['empty.txt', 'is empty', 'converter']),
        ({f'{PRIVACY}ann_file': '/absent/list.json'}, ['/absent/list.json', 'does not exist']),
        ({f'{PRIVACY}data_prefix': dict(img_path='/absent')}, ['/absent', 'does not exist']),
        (
            {'val_dataloader__dataset__ann_file': '/absent/test.txt'},
            ['/absent/test.txt', 'does not exist'],
        ),
        (
            {
                'custom_hooks': hook([dict(phase='adversary', epochs=1)]),
                'param_scheduler': dict(anonymizer=[], recognizer=[], privacy_branch=[]),
            },
            ["'adversary'", 'MinimaxPhaseHook', 'adversaries'],
        ),
        (
            {'custom_hooks': hook(BRIEF), 'train_cfg__max_epochs': 3},
            ['covers 1 epochs', 'train_cfg.max_epochs is 3'],
        ),
        (
            {
                'custom_hooks': hook([dict(phase='reconstruction', epochs=4)]),
                'train_cfg__max_epochs': 1,
            },
            ['covers 4 epochs', 'train_cfg.max_epochs is 1', 'allow_partial=True'],
        ),
        (
            {'custom_hooks': [dict(type='DigestHook')]},
            ['MinimaxTrainLoop needs one MinimaxPhaseHook', '[*_base_.custom_hooks, '],
        ),
        (
            {'param_scheduler__recognizer': [dict(type='MultiStepLR', milestones=[70])]},
            ['param_scheduler.recognizer.0.milestones is 70', 'reconstruction is 0 to 1'],
        ),
        (
            {'train_cfg__privacy_dataloader': None},
            ['train_cfg.privacy_dataloader are both given and differ'],
        ),
        (
            {'optim_wrapper__critic': dict(optimizer=dict(type='Adam', lr=1e-3))},
            ['optim_wrapper', 'critic', 'privacy_branch'],
        ),
        (
            {'privacy_dataloader__batch_size': 1},
            ['privacy_dataloader.batch_size is 1', 'raise it'],
        ),
        (
            {'custom_hooks': hook(MINIMAX, max_reconstruction_l1=0.01), **UNSCHEDULED},
            ['Minimax cannot start', 'max_reconstruction_l1=0.01', 'force=True'],
        ),
        (
            {'custom_hooks': hook(MINIMAX, max_reconstruction_l1=1.0), **UNSCHEDULED},
            ['Minimax cannot start', 'chance (0.2500)', 'force=True'],
        ),
    ],
    ids=lambda value: None if isinstance(value, list) else '+'.join(value).split('__')[-1],
)
def test_training_is_refused_with_a_sentence(changes, parts, tiny_data, tmp_path, monkeypatch):
    (tmp_path / 'empty.txt').write_text('\n')
    changes = {
        key: str(tmp_path / 'empty.txt') if value == 'EMPTY' else value
        for key, value in changes.items()
    }
    config = write_config(tmp_path, tiny_data, BRIEF, **workerless(**changes))
    message = refusal(monkeypatch, 'train', config, work_dir=tmp_path / 'work')
    assert [part for part in parts if part not in message] == []


@pytest.mark.slow
def test_checkpoint_of_another_model_is_refused(tiny_data, tmp_path, monkeypatch):
    config = write_config(tmp_path, tiny_data, BRIEF, **workerless())
    classifier = tmp_path / 'classifier.pth'
    torch.save(dict(state_dict=torch.nn.Linear(3, 2).state_dict(), meta={}), classifier)
    message = refusal(monkeypatch, 'test', config, classifier, work_dir=tmp_path / 'test')
    assert str(classifier) in message and 'another model' in message and 'anonymizer' in message
    options = ('--cfg-options', f'load_from={classifier}')
    assert str(classifier) in refusal(
        monkeypatch, 'train', config, *options, work_dir=tmp_path / 'train'
    )


@pytest.mark.slow
def test_absent_checkpoint_is_refused(tiny_data, tmp_path, monkeypatch):
    config = write_config(tmp_path, tiny_data, BRIEF, **workerless())
    absent = tmp_path / 'absent.pth'
    for tool, options in (('test', (absent,)), ('train', ('--resume', absent))):
        message = refusal(monkeypatch, tool, config, *options, work_dir=tmp_path / tool)
        assert f'no checkpoint {absent}' in message


@pytest.mark.parametrize('tool', ['test', 'train'])
def test_checkpoint_with_a_payload_is_refused_by_name(tool, tiny_data, tmp_path, monkeypatch):
    config = write_config(tmp_path, tiny_data, BRIEF, **workerless())
    path, trace = tmp_path / 'payload.pth', tmp_path / 'trace'
    torch.save(dict(state_dict={}, meta=Payload(trace)), path)
    options = (path,) if tool == 'test' else ('--resume', path)
    message = refusal(monkeypatch, tool, config, *options, work_dir=tmp_path / 'work')
    assert str(path) in message and 'mkdir' in message and not trace.exists()


@pytest.mark.slow
def test_refusal_is_the_last_line_of_stderr(tiny_data, tmp_path):
    changes = {f'{TRAIN}ann_file': '/absent/list.txt'}
    config = write_config(tmp_path, tiny_data, BRIEF, **workerless(**changes))
    done = run_cli('train', config, work_dir=tmp_path / 'work')
    assert done.code == 1
    last = done.stderr.splitlines()[-1]
    assert '/absent/list.txt' in last and last.endswith('.')
    assert 'Traceback' not in done.stderr
    # The reason is in the log file, too.
    assert last in log_of(tmp_path / 'work')


@pytest.mark.slow
def test_payload_is_refused_in_a_process_of_its_own(tiny_data, tmp_path):
    """Where nothing but the tool has prepared the restrictions."""
    config = write_config(tmp_path, tiny_data, BRIEF, **workerless())
    path, trace = tmp_path / 'payload.pth', tmp_path / 'trace'
    torch.save(dict(state_dict={}, meta=Payload(trace)), path)
    done = run_cli('test', config, path, work_dir=tmp_path / 'work')
    assert done.code == 1 and not trace.exists()
    assert str(path) in done.stderr.splitlines()[-1] and 'Traceback' not in done.stderr


# ---- broken files --------------------------------------------------------------------------------
@pytest.fixture
def own_data(tiny_data, tmp_path):
    """Return a copy of the tiny data set, to be broken."""
    return shutil.copytree(tiny_data, tmp_path / 'data')


def everything(**changes):
    """Return changes by which each epoch reads every file."""
    changes |= {
        'train_dataloader__drop_last': False,
        'privacy_dataloader__batch_size': BATCH + 1,
        f'{PRIVACY}indices': None,
    }
    return changes


@pytest.mark.slow
@pytest.mark.parametrize('workers', [0, 1])
def test_run_goes_on_without_a_broken_video_and_image(workers, own_data, tmp_path, monkeypatch):
    video, image = own_data / 'videos' / 'train' / '07.mp4', own_data / 'images' / 'train/11.jpg'
    video.write_bytes(b'')
    image.write_bytes(image.read_bytes()[:300])
    schedule = [dict(phase='reconstruction', epochs=2)]
    changes = workerless(**everything())
    changes |= {key: workers for key in changes if key.endswith('num_workers')}
    config = write_config(tmp_path, own_data, schedule, **changes)
    call_tool(monkeypatch, 'train', config, '--seed', 1, work_dir=tmp_path / 'work')
    assert load(tmp_path / 'work' / 'epoch_2.pth')['meta']['epoch'] == 2
    lines = log_of(tmp_path / 'work').splitlines()
    for file in (video, image):
        assert sum(str(file) in line for line in lines) == 1
    for count in ('1 of 30 action files', '1 of 40 privacy files'):
        # MMEngine logs a warning that was logged before no second time.
        assert sum(count in line for line in lines) == 1


@pytest.mark.slow
def test_run_stops_when_many_are_broken(own_data, tmp_path, monkeypatch):
    for index in (3, 12):
        (own_data / 'videos' / 'train' / f'{index:02}.mp4').write_bytes(b'')
    config = write_config(tmp_path, own_data, BRIEF, **workerless(**everything()))
    with pytest.raises(SystemExit) as stop:
        call_tool(monkeypatch, 'train', config, work_dir=tmp_path / 'work')
    message = stop.value.code
    assert '2 of 30 action files cannot be read' in message and '5.0%' in message
    assert '\n' not in message and not (tmp_path / 'work' / 'epoch_1.pth').exists()


@pytest.mark.slow
def test_broken_test_video_is_reported_and_fails(tiny_run, own_data, tmp_path):
    video = own_data / 'videos' / 'test' / '02.mp4'
    video.write_bytes(video.read_bytes()[:200])
    config = write_config(tmp_path, own_data)
    done = run_cli('test', config, tiny_run.work_dir / 'epoch_1.pth', work_dir=tmp_path / 'work')
    assert done.code == 1
    assert str(video) in done.stderr.splitlines()[-1]
    assert 'acc/top1' not in log_of(tmp_path / 'work')
