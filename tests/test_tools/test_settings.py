"""What a user changes in a recipe has an effect, or is refused, before anything is trained."""

import runpy
import sys

import pytest
from e2e import (
    BATCH,
    DEMO_CONFIG,
    build_runner,
    call_tool,
    load,
    log_of,
    workerless,
    write_config,
)

from spact_mm.apis import find_tool, run_tool

BRIEF = [dict(phase='reconstruction', epochs=1)]


def refusal(monkeypatch, tool, config, *options, work_dir):
    with pytest.raises(SystemExit) as stop:
        call_tool(monkeypatch, tool, config, *options, work_dir=work_dir)
    message = stop.value.code
    assert isinstance(message, str) and '\n' not in message and message.endswith('.')
    return message


@pytest.mark.slow
def test_hooks_are_turned_off_by_none(tiny_data, tmp_path, monkeypatch):
    config = write_config(
        tmp_path,
        tiny_data,
        BRIEF,
        **workerless(
            default_hooks__pictures=None,
            default_hooks__curves=None,
            default_hooks__bad_samples=None,
            param_scheduler=dict(anonymizer=[], recognizer=[], privacy_branch=[]),
        ),
    )
    work_dir = tmp_path / 'work'
    call_tool(monkeypatch, 'train', config, work_dir=work_dir)
    assert not (work_dir / 'anonymization').exists() and not (work_dir / 'curves.png').exists()
    assert 'BadSampleHook is off' in log_of(work_dir)


def test_rates_are_scaled(tiny_data, tmp_path, monkeypatch):
    """A recipe knows what batch its rates are for; the user gives the option alone."""
    unscheduled = dict(anonymizer=[], recognizer=[], privacy_branch=[])
    config = write_config(
        tmp_path,
        tiny_data,
        BRIEF,
        **workerless(
            param_scheduler=unscheduled,
            val_dataloader=None,
            val_evaluator=None,
            val_cfg=None,
        ),
    )
    work_dir = tmp_path / 'work'
    call_tool(monkeypatch, 'train', config, '--auto-scale-lr', work_dir=work_dir)
    optimizers = load(work_dir / 'epoch_1.pth')['optimizer']
    rates = {name: state['param_groups'][0]['lr'] for name, state in optimizers.items()}
    # Half of the demo's, which are for batches of 8.
    assert BATCH == 4
    assert rates == dict(anonymizer=7.5e-3, recognizer=2e-3, privacy_branch=5e-4)


def test_scaling_without_a_base_is_refused(tiny_data, tmp_path, monkeypatch):
    config = write_config(tmp_path, tiny_data, BRIEF, auto_scale_lr=None)
    message = refusal(monkeypatch, 'train', config, '--auto-scale-lr', work_dir=tmp_path / 'work')
    assert 'needs auto_scale_lr in' in message and 'base_batch_size=N' in message


def test_a_shorter_run_does_not_end_within_a_warm_up(tmp_path, monkeypatch):
    """MMEngine's own error names neither scheduler nor key, if it is one."""
    config = DEMO_CONFIG.parent / 'eval' / 'action_r3d_demo.py'
    shorter = ('--cfg-options', 'train_cfg.max_epochs=2')
    message = refusal(monkeypatch, 'train', config, *shorter, work_dir=tmp_path / 'work')
    assert message.startswith('ValueError: param_scheduler.1.begin (CosineAnnealingLR) reaches to')
    assert 'train_cfg.max_epochs is 2' in message


def test_a_seed_that_the_config_overrules_is_refused(tiny_data, tmp_path, monkeypatch):
    config = write_config(tmp_path, tiny_data, BRIEF, randomness=dict(seed=1))
    message = refusal(monkeypatch, 'train', config, '--seed', 2, work_dir=tmp_path / 'work')
    assert message.endswith('which comes first; give --cfg-options randomness.seed=2.')


def test_options_are_found_wherever_they_stand(tiny_data, tmp_path, monkeypatch):
    config = write_config(tmp_path, tiny_data, BRIEF, randomness=dict(seed=1))
    monkeypatch.setenv('LOCAL_RANK', '0')
    options = ['--work-dir', str(tmp_path / 'work'), '--launcher', 'none', '--seed', '0']
    options += ['--local-rank=0', str(config), '--amp']
    monkeypatch.setattr(sys, 'argv', ['train', *options])
    with pytest.raises(SystemExit, match='give --cfg-options randomness.seed=0'):
        run_tool('train')


def test_variables_of_a_recipe_are_options(tmp_path, monkeypatch):
    options = ('--cfg-options', f'demo_root={tmp_path}/absent')
    message = refusal(monkeypatch, 'train', DEMO_CONFIG, *options, work_dir=tmp_path / 'work')
    assert f'{tmp_path}/absent/train_videos.txt of VideoDataset does not exist' in message


def test_the_data_root_is_an_environment_variable(tmp_path, monkeypatch):
    monkeypatch.setenv('DEMO_ROOT', f'{tmp_path}/absent')
    message = refusal(monkeypatch, 'train', DEMO_CONFIG, work_dir=tmp_path / 'work')
    assert f'{tmp_path}/absent/train_videos.txt of VideoDataset does not exist' in message


@pytest.mark.slow
@pytest.mark.parametrize('tool', ['train', 'test'])
def test_unmodified_tools_refuse_variables(tool, tiny_data, tmp_path, monkeypatch):
    config = write_config(tmp_path, tiny_data, BRIEF, **workerless())
    checkpoint = [str(tmp_path / 'absent.pth')] if tool == 'test' else []
    options = ['--cfg-options', 'size=64', f'experiment_name={tool}variables']
    argv = [tool, str(config), *checkpoint, *options, '--work-dir', str(tmp_path / 'work')]
    monkeypatch.setattr(sys, 'argv', argv)
    monkeypatch.setenv('LOCAL_RANK', '0')
    with pytest.raises(ValueError, match="'size' is a variable of .*tiny.py, of which other"):
        runpy.run_path(str(find_tool(tool)), run_name='__main__')


def test_a_test_reads_no_training_data(tiny_data, tmp_path):
    absent = {'train_dataloader.dataset.ann_file': '/absent/list.txt'}
    config = write_config(tmp_path, tiny_data, BRIEF, **workerless())
    runner = build_runner(config, tmp_path / 'work', **absent)
    assert 'acc/top1' in runner.test()


@pytest.mark.slow
def test_a_part_of_a_schedule_trains_as_the_whole_does(tiny_data, tmp_path):
    """The schedulers are those of the whole, of which the part is resumed."""
    schedule = [dict(phase='adversaries', epochs=2)]
    ramp = dict(type='LinearLR', by_epoch=True, convert_to_iter_based=True)
    schedulers = dict(anonymizer=[], recognizer=[ramp], privacy_branch=[])
    config = write_config(tmp_path, tiny_data, schedule, **workerless(param_scheduler=schedulers))
    part = {'train_cfg.max_epochs': 1, 'custom_hooks.0.allow_partial': True}
    rates = {}
    for name, changes in (('part', part), ('whole', {})):
        build_runner(config, tmp_path / name, **{'randomness.seed': 0}, **changes).train()
        (group,) = load(tmp_path / name / 'epoch_1.pth')['optimizer']['recognizer']['param_groups']
        rates[name] = group['lr']
    assert rates['part'] == rates['whole'] < 4e-3
