import cv2
import pytest
import torch
from e2e import EPOCHS, differences, load, log_of, metrics_of, run_cli

from spact_mm.apis import find_tool

pytestmark = pytest.mark.slow


def test_train_goes_through_all_phases(tiny_run):
    log = log_of(tiny_run.work_dir)
    order = [
        'Phase: reconstruction (epochs 1 to 2)',
        'reconstruction/loss_l1',
        'Phase: adversaries (epochs 3 to 3)',
        'adversaries/loss_privacy',
        'Phase: anonymizer / adversaries (epochs 4 to 5)',
        'anonymizer/loss_confusion',
        'acc/top1',
    ]
    places = [log.index(text) for text in order]
    assert places == sorted(places)
    assert 'Traceback' not in tiny_run.process.stderr
    picture = cv2.imread(str(tiny_run.work_dir / 'anonymization' / f'epoch_{EPOCHS}.png'))
    assert picture.shape == (64, 64, 3)
    # Three phases, those that are over when the run ends included.
    height, width, _ = cv2.imread(str(tiny_run.work_dir / 'curves.png')).shape
    assert width > 3 * height
    assert set(tiny_run_curves(tiny_run)) == {'reconstruction', 'adversaries', 'anonymizer'}


def tiny_run_curves(tiny_run):
    """Return what the last checkpoint keeps of the curves, which a resumed run goes on with."""
    return load(tiny_run.work_dir / f'epoch_{EPOCHS}.pth')['message_hub']['runtime_info']['curves']


def part(epochs):
    """Return the options that end a run before its schedule ends."""
    return f'train_cfg.max_epochs={epochs}', 'custom_hooks.0.allow_partial=True'


def test_losses_and_pictures_go_to_tensorboard(tiny_run, tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    options = ('visualizer.vis_backends.0.type=TensorboardVisBackend', *part(1))
    done = run_cli(
        'train', tiny_run.config, '--seed', 3, '--cfg-options', *options, work_dir=tmp_path
    )
    assert done.code == 0, done.stderr
    (folder,) = {path.parent for path in tmp_path.rglob('events.out.tfevents*')}
    events = EventAccumulator(str(folder)).Reload()
    assert len(events.Scalars('reconstruction/loss_l1')) > 1
    assert len(events.Images('anonymization')) == 1


def test_checkpoint_holds_plain_types_and_flat_keys(tiny_run):
    checkpoint = load(tiny_run.work_dir / f'epoch_{EPOCHS}.pth')
    children = {name.split('.')[0] for name in checkpoint['state_dict']}
    assert {'anonymizer', 'recognizer', 'privacy_branch'} <= children
    assert not any('module.' in name for name in checkpoint['state_dict'])
    assert set(checkpoint['optimizer']) == {'anonymizer', 'recognizer', 'privacy_branch'}
    assert checkpoint['meta']['epoch'] == EPOCHS and checkpoint['meta']['seed'] == 3


def test_both_test_tools_give_the_accuracy_of_the_training(tiny_run, tmp_path):
    checkpoint = tiny_run.work_dir / f'epoch_{EPOCHS}.pth'
    measured = []
    for name, tool in (('ours', 'test'), ('theirs', find_tool('test'))):
        done = run_cli(tool, tiny_run.config, checkpoint, work_dir=tmp_path / name)
        assert done.code == 0, done.stderr
        metrics = metrics_of(tmp_path / name)
        measured.append({key: metrics[key] for key in metrics if key.startswith('acc/')})
    assert set(measured[0]) >= {'acc/top1', 'acc/top5'}
    assert measured[0] == measured[1]
    last = log_of(tiny_run.work_dir).splitlines()[-1]
    assert f'acc/top1: {measured[0]["acc/top1"]:.4f}' in last


def test_unmodified_train_tool_gives_the_same_weights(tiny_run, tmp_path):
    once = ('--cfg-options', *part(1), 'train_cfg.val_begin=1')
    theirs = find_tool('train')
    done = run_cli(theirs, tiny_run.config, '--seed', 3, *once, work_dir=tmp_path)
    assert done.code == 0, done.stderr
    expected, actual = load(tiny_run.work_dir / 'epoch_1.pth'), load(tmp_path / 'epoch_1.pth')
    assert differences(expected['state_dict'], actual['state_dict']) == []
    # Learning rates too: schedulers are those of the whole schedule.
    assert differences(expected['optimizer'], actual['optimizer']) == []


def test_unmodified_train_tool_resumes(tiny_run, tmp_path):
    """From the start of minimax, by a path, into another work directory."""
    options = ('--resume', tiny_run.work_dir / 'epoch_3.pth', '--seed', 3)
    fourth = ('--cfg-options', *part(4))
    done = run_cli(find_tool('train'), tiny_run.config, *options, *fourth, work_dir=tmp_path)
    assert done.code == 0, done.stderr
    expected, actual = load(tiny_run.work_dir / 'epoch_4.pth'), load(tmp_path / 'epoch_4.pth')
    assert differences(expected['state_dict'], actual['state_dict']) == []
    assert differences(expected['optimizer'], actual['optimizer']) == []


def test_mixed_precision_goes_through_all_phases(tiny_run, tmp_path):
    options = ('--amp', '--cfg-options', 'train_cfg.val_begin=100')
    done = run_cli('train', tiny_run.config, '--seed', 3, *options, work_dir=tmp_path)
    assert done.code == 0, done.stderr
    full, mixed = (
        load(folder / f'epoch_{EPOCHS}.pth')['state_dict']
        for folder in (tiny_run.work_dir, tmp_path)
    )
    for name, value in mixed.items():
        assert value.dtype == full[name].dtype and torch.isfinite(value).all(), name
    weights = [name for name in full if name.startswith('anonymizer.') and 'weight' in name]
    assert any(not torch.equal(full[name], mixed[name]) for name in weights)
