from types import SimpleNamespace

import cv2
import pytest
from mmengine.logging import HistoryBuffer

from spact_mm.engine import TrainingCurvesHook, curves_hook


class Hub:
    """As much of a message hub as the hook uses."""

    def __init__(self):
        self.log_scalars, self.runtime_info = {}, {}

    def update_info(self, key, value):
        self.runtime_info[key] = value

    def log(self, name, *values):
        for value in values:
            self.log_scalars.setdefault(name, HistoryBuffer()).update(value)


@pytest.fixture
def runner(tmp_path):
    loop = SimpleNamespace(batches_done=0)
    return SimpleNamespace(
        message_hub=Hub(), work_dir=str(tmp_path), epoch=0, max_epochs=12, train_loop=loop
    )


def run_epoch(hook, runner, epoch, **losses):
    runner.epoch = epoch
    hook.before_train_epoch(runner)
    for name, values in losses.items():
        runner.message_hub.log(f'train/{name.replace("__", "/")}', *values)
    hook.after_train_epoch(runner)


def test_means_of_the_epochs_are_kept_by_phase(runner):
    hook = TrainingCurvesHook()
    run_epoch(hook, runner, 0, reconstruction__loss_l1=[4.0, 2.0], reconstruction__top1_acc=[1.0])
    # The phase hook forgets what is over.
    runner.message_hub.log_scalars.clear()
    run_epoch(hook, runner, 1, anonymizer__loss=[1.0], adversaries__loss_action=[3.0, 5.0])
    # A resumed run has the hub of the checkpoint and a new hook.
    run_epoch(TrainingCurvesHook(), runner, 2, anonymizer__loss=[7.0, 9.0])
    assert runner.message_hub.runtime_info['curves'] == {
        'reconstruction': {'loss_l1': [[1, 3.0]]},
        'anonymizer': {'loss': [[2, 1.0], [3, 8.0]]},
        'adversaries': {'loss_action': [[2, 4.0]]},
    }


def test_other_loops_have_one_phase(runner):
    run_epoch(TrainingCurvesHook(), runner, 0, loss=[2.0])
    assert runner.message_hub.runtime_info['curves'] == {'train': {'loss': [[1, 2.0]]}}


@pytest.mark.parametrize('epoch, is_drawn', [(0, False), (3, False), (4, True), (11, True)])
def test_picture_is_drawn_each_interval_and_at_the_end(runner, tmp_path, epoch, is_drawn):
    run_epoch(TrainingCurvesHook(interval=5), runner, epoch, a__loss=[1.0], b__loss=[2.0])
    assert (tmp_path / 'curves.png').exists() == is_drawn
    if is_drawn:
        height, width, _ = cv2.imread(str(tmp_path / 'curves.png')).shape
        assert width > 2 * height


def test_equal_losses_are_one_line_and_the_minimax_is_marked(monkeypatch, tmp_path):
    figures = []
    monkeypatch.setattr(
        curves_hook, 'write_figure', lambda figure, *_, **__: figures.append(figure)
    )
    action = [[1, 2.0], [3, 1.0]]
    curves = dict(
        adversaries=dict(loss_cls=action, loss_action=action, loss_privacy=[[1, 3.0], [3, 2.5]]),
        anonymizer=dict(loss=[[3, 0.5]]),
    )
    curves_hook.draw_curves(curves, tmp_path / 'curves.png')
    first, second = figures[0].axes
    names = [text.get_text() for text in first.get_legend().get_texts()]
    assert names == ['loss_cls = loss_action', 'loss_privacy', 'minimax begins']
    assert first.lines[-1].get_xdata() == [2.5, 2.5]
    assert [text.get_text() for text in second.get_legend().get_texts()] == ['loss']


def test_interval_below_one_is_refused():
    with pytest.raises(ValueError, match='must be 1 or more, not 0'):
        TrainingCurvesHook(interval=0)
