"""Pictures of anonymized frames during a training."""

from pathlib import Path

import cv2
import numpy as np
import torch
from mmaction.registry import HOOKS
from mmengine.dataset import pseudo_collate
from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import Tensor

from ..files import write_whole
from ..models.frames import fold_frames
from ..models.unwrapped import unwrapped
from ..registration import register
from .evaluated_weights import evaluated_weights


@register(HOOKS)
class AnonymizationVisualizationHook(Hook):
    """Draw raw frames above anonymized ones for a fixed set of validation clips.

    The anonymizer has the weights of validations; with an ``EMAHook`` these are averaged. The
    picture goes to ``<work_dir>/<out_dir>/epoch_<n>.png`` and to all backends of the visualizer
    (local, TensorBoard, ...).

    Args:
        interval (int): Draw after each ``interval`` epochs, and after the last. Defaults to 1.
        num_clips (int): Number of clips, spread evenly over the validation data. Defaults to 4.
        num_frames (int): Number of frames of each clip, evenly spaced. Defaults to 6.
        out_dir (str): Folder in the work directory. Defaults to ``'anonymization'``.

    Raises:
        ValueError: If a number is below 1.
    """

    priority = 'LOW'

    def __init__(
        self,
        interval: int = 1,
        num_clips: int = 4,
        num_frames: int = 6,
        out_dir: str = 'anonymization',
    ) -> None:
        if min(interval, num_clips, num_frames) < 1:
            raise ValueError(
                'AnonymizationVisualizationHook needs interval, num_clips and num_frames of at '
                f'least 1, but got {interval}, {num_clips} and {num_frames}.'
            )
        self.interval = interval
        self.num_clips = num_clips
        self.num_frames = num_frames
        self.out_dir = out_dir
        self._batch: dict | None = None

    def before_train(self, runner: Runner) -> None:
        """Load the clips once, so that all pictures show the same clips."""
        if not is_main_process():
            return
        if runner.val_loop is None:
            runner.logger.warning(
                'AnonymizationVisualizationHook draws validation clips, but val_dataloader is '
                'not set; no pictures are made.'
            )
            return
        dataset = runner.val_loop.dataloader.dataset
        count = min(self.num_clips, len(dataset))
        indices = np.linspace(0, len(dataset) - 1, count).round().astype(int)
        self._batch = pseudo_collate([dataset[int(index)] for index in indices])

    def after_train_epoch(self, runner: Runner) -> None:
        """Draw the picture if it is due."""
        epoch = runner.epoch + 1
        due = self.every_n_epochs(runner, self.interval) or epoch == runner.max_epochs
        if self._batch is None or not due:
            return
        with evaluated_weights(runner):
            picture = self.draw(runner)
        path = Path(runner.work_dir) / self.out_dir / f'epoch_{epoch}.png'
        # OpenCV's own function would not report a full disk.
        write_whole(path, cv2.imencode('.png', picture[..., ::-1])[1].tobytes())
        runner.visualizer.add_image('anonymization', picture, step=epoch)

    @torch.no_grad()
    def draw(self, runner: Runner) -> np.ndarray:
        """Draw the grid: for each clip a row of raw frames above a row of anonymized ones.

        Returns:
            np.ndarray: RGB uint8, (2 * clips * H, frames * W, 3).
        """
        model = unwrapped(runner.model)
        model.eval()
        clips = model.data_preprocessor(dict(self._batch), False)['inputs']
        rows = []
        for clip in clips.split(1):
            for version in (clip, model.anonymize(clip)):
                # A 2D recognizer's input has frames on the axis of clips in a 3D recognizer's
                # input.
                shown = version if model.format_shape == 'NCHW' else version[:, :1]
                rows.append(self._row(fold_frames(shown, model.format_shape)))
        return np.concatenate(rows)

    def _row(self, frames: Tensor) -> np.ndarray:
        picks = np.linspace(0, len(frames) - 1, self.num_frames).round().astype(int)
        images = (frames[picks].clamp(0, 1) * 255).round().byte().cpu().numpy()
        return np.concatenate(list(images.transpose(0, 2, 3, 1)), axis=1)
