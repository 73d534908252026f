from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch
from mmaction.structures import ActionDataSample
from tiny import build_model

from spact_mm.engine.visualization_hook import AnonymizationVisualizationHook


class Clips:
    """Clip i is red i * 20 everywhere, and greener with each of its 4 frames."""

    def __len__(self):
        return 10

    def __getitem__(self, index):
        clip = torch.zeros(2, 3, 4, 16, 20, dtype=torch.uint8)
        clip[:, 0] = index * 20
        clip[:, 1] = torch.arange(4).reshape(4, 1, 1) * 50
        return dict(inputs=clip, data_samples=ActionDataSample())


def runner(tmp_path, model=None, epoch=0, dataset=None):
    shown = []
    return SimpleNamespace(
        model=model or build_model(anonymizer=dict(type='IdentityAnonymizer')),
        val_loop=SimpleNamespace(dataloader=SimpleNamespace(dataset=dataset or Clips())),
        epoch=epoch,
        max_epochs=7,
        work_dir=str(tmp_path),
        visualizer=SimpleNamespace(add_image=lambda *args, **kwargs: shown.append((args, kwargs))),
        logger=SimpleNamespace(warning=shown.append),
        shown=shown,
        hooks=[],
    )


def test_picture_has_raw_over_anonymized_rows_of_clips_spread_over_the_data(tmp_path):
    state = runner(tmp_path)
    hook = AnonymizationVisualizationHook(num_clips=3, num_frames=2)
    hook.before_train(state)
    hook.after_train_epoch(state)
    picture = cv2.imread(str(tmp_path / 'anonymization' / 'epoch_1.png'))[..., ::-1]
    assert picture.shape == (3 * 2 * 16, 2 * 20, 3)
    assert picture[::16, 0, 0].tolist() == [0, 0, 80, 80, 180, 180]  # clips 0, 4 and 9
    assert picture[0, ::20, 1].tolist() == [0, 150]  # first and last frame
    (name, image), kwargs = state.shown[0]
    assert name == 'anonymization' and kwargs == dict(step=1)
    assert np.array_equal(image, picture)


def test_second_row_is_what_the_anonymizer_gives(tmp_path):
    model = build_model()
    state = runner(tmp_path, model)
    hook = AnonymizationVisualizationHook(num_clips=1, num_frames=1)
    hook.before_train(state)
    picture = hook.draw(state)
    with torch.no_grad():
        raw = torch.from_numpy(picture[:16].copy()).permute(2, 0, 1)[None] / 255
        expected = model.anonymizer.eval()(raw)[0].permute(1, 2, 0) * 255
    assert np.abs(picture[16:] - expected.numpy()).max() <= 0.51


def test_pictures_come_each_interval_and_at_the_end(tmp_path):
    hook = AnonymizationVisualizationHook(interval=3, num_clips=1, num_frames=1)
    hook.before_train(runner(tmp_path))
    for epoch in range(7):
        hook.after_train_epoch(runner(tmp_path, epoch=epoch))
    names = sorted(path.name for path in (tmp_path / 'anonymization').iterdir())
    assert names == ['epoch_3.png', 'epoch_6.png', 'epoch_7.png']


def test_without_validation_data_it_warns_and_draws_nothing(tmp_path):
    state = runner(tmp_path)
    state.val_loop = None
    hook = AnonymizationVisualizationHook()
    hook.before_train(state)
    hook.after_train_epoch(state)
    assert 'val_dataloader is not set' in state.shown[0]
    assert not (tmp_path / 'anonymization').exists()


def test_numbers_below_one_are_refused():
    with pytest.raises(ValueError, match='at least 1, but got 0, 4 and 6'):
        AnonymizationVisualizationHook(interval=0)
