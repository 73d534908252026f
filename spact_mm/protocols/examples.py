"""Example frames of test videos, as input of a protocol's fresh models."""

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from mmaction.registry import DATASETS, MODELS
from mmengine.registry import init_default_scope
from torch import Tensor, nn

from ..figures import write_figure
from ..models.anonymizers import rewrite_clips, takes_clips
from ..models.frames import fold_frames
from .spec import BEHIND
from .stage import Stage

_VIDEO_PREPROCESSOR = 'AnonymizedActionPreprocessor'
#: Pixels between frames.
_GAP = 2
#: Width of a strip, least margin and width of a letter in :func:`draw_grid`, in inches.
_WIDTH, _MARGIN, _LETTER = 9, 1.3, 0.09


def find_example_stages(stages: Iterable[Stage], behind: str = '') -> dict[str, Stage]:
    """Return for each method the first finished stage that shows its anonymizer's output.

    Stages whose data or weights do not exist are left out, as a report may be written elsewhere.

    Args:
        stages (Iterable[Stage]): The protocol's stages.
        behind (str): ``'renderer'`` or ``'inverter'`` for stages with this network behind the
            anonymizer. Defaults to stages with none, which test on videos.
    """
    found: dict[str, Stage] = {}
    for stage in stages:
        slot = stage.config.get('model', {}).get('data_preprocessor') or {}
        needed = [*stage.files, *(other.weights for other in stage.needs)]
        last = _find_last(slot)
        is_wanted = last == behind and (behind or slot.get('type') == _VIDEO_PREPROCESSOR)
        if is_wanted and stage.read_result() and all(map(os.path.exists, needed)):
            found.setdefault(stage.method, stage)
    return found


def _find_last(slot: Mapping) -> str:
    """Return the kind of network that a protocol has put behind the anonymizer; empty if none."""
    last = ((slot.get('anonymizer') or {}).get('stages') or [{}])[-1]
    prefix = (last.get('init_cfg') or {}).get('prefix', '').removesuffix('.')
    return prefix if prefix in BEHIND else ''


def read_preprocessor(stage: Stage) -> nn.Module:
    """Return a stage's data preprocessor, with the anonymizer and its weights."""
    init_default_scope('mmaction')
    return MODELS.build(stage.config.model.data_preprocessor)


def read_clips(stage: Stage, preprocessor: nn.Module, count: int = 8) -> list[Tensor]:
    """Return raw clips of test videos, as the anonymizer of an action target gets them.

    Args:
        stage (Stage): From :func:`find_example_stages`.
        preprocessor (nn.Module): The data preprocessor of this stage.
        count (int): Number of videos, evenly spaced in the list. Defaults to 8.

    Returns:
        list[Tensor]: A clip (T, 3, H, W) of each video, RGB in [0, 1].
    """
    dataset = DATASETS.build(stage.config.test_dataloader.dataset)
    clips = []
    for index in np.linspace(0, len(dataset) - 1, min(count, len(dataset))).round().astype(int):
        inputs = dataset[int(index)]['inputs']
        clip = fold_frames(inputs[None, :1], preprocessor.format_shape).float() / 255
        clips.append(clip.flip(1) if preprocessor.to_rgb else clip)
    return clips


def draw_examples(anonymizer: nn.Module, clips: Sequence[Tensor]) -> bytes:
    """Draw the middle frames of clips behind an anonymizer.

    Args:
        anonymizer (nn.Module): The anonymizer.
        clips (Sequence[Tensor]): From :func:`read_clips`.

    Returns:
        bytes: A PNG file with the frames side by side.
    """
    if not takes_clips(anonymizer):
        clips = [clip[len(clip) // 2][None] for clip in clips]
    with torch.no_grad():
        x = rewrite_clips(anonymizer, torch.stack(list(clips)))
    pictures = (x[:, x.shape[1] // 2] * 255).round().clamp(0, 255).to(torch.uint8)
    pictures = np.pad(
        pictures.permute(0, 2, 3, 1).numpy(),
        ((0, 0), (0, 0), (0, _GAP), (0, 0)),
        constant_values=255,
    )
    strip = np.concatenate(list(pictures), axis=1)[:, :-_GAP]
    return cv2.imencode('.png', strip[..., ::-1])[1].tobytes()


def draw_grid(strips: Mapping[str, bytes], path: Path) -> None:
    """Draw the strips of :func:`draw_examples` below one another, with the methods' names.

    Args:
        strips (Mapping[str, bytes]): PNG files by method.
        path (Path): The PNG file to write.
    """
    images = {
        name: cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
        for name, data in strips.items()
    }
    heights = [_WIDTH * image.shape[0] / image.shape[1] for image in images.values()]
    margin = max(_MARGIN, _LETTER * (max(map(len, images)) + 2))
    figure = Figure((_WIDTH + margin, 1.03 * sum(heights)))
    FigureCanvasAgg(figure)
    rows = figure.subplots(
        len(images),
        squeeze=False,
        gridspec_kw=dict(
            height_ratios=heights,
            hspace=0.03,
            left=margin / (_WIDTH + margin),
            right=1,
            bottom=0,
            top=1,
        ),
    )
    for axes, (name, image) in zip(rows[:, 0], images.items(), strict=True):
        axes.imshow(image, interpolation='nearest', aspect='auto')
        axes.set_ylabel(name, rotation=0, ha='right', va='center', labelpad=6)
        axes.set(xticks=[], yticks=[], frame_on=False)
    write_figure(figure, path, dpi=100)
