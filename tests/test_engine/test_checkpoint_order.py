import json
import os
import shutil

import pytest
from e2e import load, log_of
from toy import BATCHES, Stop, make_runner, stop, train

from spact_mm.engine import checkpoint_files
from spact_mm.engine.checkpoint_files import ORDER, is_whole, read_order


def resumed_from(work_dir, **kwargs):
    """Return the name of what ``--resume`` without a path takes."""
    runner = make_runner(work_dir, resume=True, **kwargs)
    runner.call_hook('before_run')
    return runner._load_from and os.path.basename(runner._load_from)


@pytest.fixture
def shorter(tmp_path):
    """Return the work dir of a run that was stopped in its second epoch, after a longer one."""
    train(tmp_path, epochs=4)
    train(tmp_path, BATCHES + 1, epochs=4)
    assert (tmp_path / 'epoch_4.pth').exists()
    return tmp_path


def test_a_new_run_has_an_order_of_its_own(shorter):
    assert read_order(shorter) == ['epoch_1.pth']


def test_a_clock_that_was_set_back_changes_nothing(shorter):
    later = (shorter / 'last_checkpoint').stat().st_mtime + 3600
    for number in (2, 3, 4):
        os.utime(shorter / f'epoch_{number}.pth', (later, later))
    assert resumed_from(shorter) == 'epoch_1.pth'


def test_a_copy_without_dates_goes_on_as_the_original(shorter, tmp_path):
    copy = tmp_path / 'copy'
    ignore = shutil.ignore_patterns('copy')
    shutil.copytree(shorter, copy, copy_function=shutil.copyfile, ignore=ignore)
    # As `cp -r` does, in whatever order it comes upon them.
    (copy / 'epoch_4.pth').touch()
    assert resumed_from(copy) == 'epoch_1.pth'
    train(copy, resume=True)
    assert read_order(copy) == ['epoch_1.pth', 'epoch_2.pth', 'epoch_3.pth']


def test_a_kill_before_the_file_is_there_leaves_no_file_of_another_run(shorter):
    runner = make_runner(shorter, resume=True)
    runner.save_checkpoint = lambda *_, **__: stop(runner)
    with pytest.raises(Stop):
        runner.train()
    assert read_order(shorter) == ['epoch_1.pth', 'epoch_2.pth']
    assert not (shorter / 'epoch_2.pth').exists() and (shorter / 'epoch_3.pth').exists()
    assert resumed_from(shorter) == 'epoch_1.pth'


def test_a_run_that_goes_on_from_an_earlier_checkpoint_orders_what_it_writes_after_it(tmp_path):
    train(tmp_path)
    first = str(tmp_path / 'epoch_1.pth')
    train(tmp_path, 2 * BATCHES + 1, resume=True, load_from=first)
    assert read_order(tmp_path) == ['epoch_1.pth', 'epoch_2.pth']
    assert resumed_from(tmp_path) == 'epoch_2.pth'


def test_a_run_that_goes_on_elsewhere_has_an_order_of_its_own(tmp_path):
    train(tmp_path / 'a', epochs=2)
    path = str(tmp_path / 'a/epoch_1.pth')
    train(tmp_path / 'b', epochs=2, resume=True, load_from=path)
    assert read_order(tmp_path / 'b') == ['epoch_2.pth']


def test_a_new_run_that_saved_nothing_leaves_the_old_order(tmp_path):
    train(tmp_path, epochs=2)
    train(tmp_path, 2)
    assert resumed_from(tmp_path) == 'epoch_2.pth'


def test_a_work_dir_without_an_order_gets_one(tmp_path):
    train(tmp_path, epochs=2)
    (tmp_path / ORDER).unlink()
    assert resumed_from(tmp_path) == 'epoch_2.pth'
    train(tmp_path, resume=True)
    assert read_order(tmp_path) == ['epoch_1.pth', 'epoch_2.pth', 'epoch_3.pth']


@pytest.mark.parametrize('text', ['', '{', '[]', '{"checkpoints": 3}', '{"checkpoints": [1]}'])
def test_a_damaged_order_is_refused_by_name(tmp_path, text):
    (tmp_path / ORDER).write_text(text)
    with pytest.raises(ValueError, match=f'{tmp_path / ORDER} does not hold .* --resume PATH'):
        resumed_from(tmp_path)


def test_names_that_lead_elsewhere_stay_in_the_folder(tmp_path):
    (tmp_path / ORDER).write_text(json.dumps(dict(checkpoints=['../../x.pth', '/etc/epoch_1.pth'])))
    assert read_order(tmp_path) == ['x.pth', 'epoch_1.pth']


def test_outdated_files_go_and_leave_the_order(tmp_path):
    train(tmp_path, epochs=4, hook=dict(max_keep_ckpts=2))
    assert {path.name for path in tmp_path.glob('*.pth')} == {'epoch_3.pth', 'epoch_4.pth'}
    # The names are written before the files are removed.
    assert read_order(tmp_path)[-2:] == ['epoch_3.pth', 'epoch_4.pth']
    listed = checkpoint_files.list_checkpoints(str(tmp_path), 'epoch_{}.pth')
    assert [path.name for path in listed] == ['epoch_4.pth', 'epoch_3.pth']


def test_a_broken_newest_checkpoint_is_written_again(tmp_path):
    train(tmp_path, epochs=2)
    newest = tmp_path / 'epoch_2.pth'
    newest.write_bytes(newest.read_bytes()[:-100])
    assert resumed_from(tmp_path) == 'epoch_1.pth'
    train(tmp_path, epochs=2, resume=True)
    assert is_whole(newest) and read_order(tmp_path) == ['epoch_1.pth', 'epoch_2.pth']


def test_save_best_is_refused_with_the_reason(tmp_path):
    with pytest.raises(ValueError, match=r'save_best is .* before the minimax .* take save_best'):
        make_runner(tmp_path, hook=dict(save_best='auto'))


@pytest.mark.parametrize(
    'setting', [dict(out_dir='elsewhere'), dict(backend_args=dict(backend='local'))]
)
def test_checkpoints_lie_in_the_work_dir(tmp_path, setting):
    (name,) = setting
    with pytest.raises(ValueError, match=f'checkpoint.{name} is .* lie in the work dir.*--work-'):
        make_runner(tmp_path, hook=setting)


def test_partial_files_of_an_earlier_process_are_removed(tmp_path):
    for name in ('.epoch_7.pth.1234.part', '.last_checkpoint.1234.part'):
        (tmp_path / name).write_bytes(b'half')
    train(tmp_path, epochs=1)
    assert list(tmp_path.glob('.*.part')) == []
    assert load(tmp_path / 'epoch_1.pth')['meta']['epoch'] == 1
    assert 'Saving checkpoint at 1 epochs' in log_of(tmp_path)
