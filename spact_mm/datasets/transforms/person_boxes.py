"""Boxes of persons, for anonymizers that cover them."""

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import PurePath

import numpy as np
from mmaction.registry import TRANSFORMS
from mmcv.transforms import BaseTransform

from ...registration import register
from ..annotation_files import read_json
from ..list_entries import shorten
from .frames import get_frames

_VERSION = 1
_ABSENT_FRAMES = ('no_person', 'earlier')
#: Bound on coordinates; larger numbers, infinity and NaN are no pixels.
_MAX_NUMBER = 1e9
_NO_BOXES = np.zeros((0, 4), np.float32)


@register(TRANSFORMS)
class LoadPersonBoxes(BaseTransform):
    """Look up the boxes of the persons in the frames of a clip, or in an image.

    ``docs/person_boxes.md`` describes the file. A video is found in it by the longest matching end
    of its path. This transform must follow directly after the frames are decoded or the image is
    loaded. After it, ``SquareCrop``, ``FlipOrErase`` and transforms that move no pixels within the
    frame (``Resize``, colours, erasing) keep the boxes correct; the crops and flips of MMAction2
    and MMPretrain do not. The packing transform passes the boxes on by ``meta_keys``.

    Required Keys:

    - imgs (list[np.ndarray]) and frame_inds, or img (np.ndarray), which is frame 0, or frame_index
      after ``LoadVideoFrame``.
    - filename, frame_dir or img_path

    Added Keys:

    - person_boxes (list[np.ndarray]): For each frame (K, 4) float32, x1, y1, x2, y2 as fractions of
      width and height in [0, 1].

    Args:
        box_file (str): The JSON file.
        min_score (float): Boxes with a lower score are left out. Defaults to 0.
        missing (str): Handling of videos that the file lacks: ``'error'``, the default, or
            ``'none'``, for no persons.

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: If the file is no box file, or ``missing`` is unknown.
    """

    def __init__(self, box_file: str, min_score: float = 0.0, missing: str = 'error') -> None:
        if missing not in ('error', 'none'):
            raise ValueError(
                f"missing of LoadPersonBoxes is {missing!r}; choose 'error' or 'none'."
            )
        self.box_file = os.fspath(box_file)
        self.min_score = min_score
        self.missing = missing
        self._carries_on, self._videos = _read_box_file(self.box_file, min_score)

    def transform(self, results: dict) -> dict:
        """Add the boxes.

        Raises:
            ValueError: If the file lacks the video, or the frames have changed after decoding.
        """
        path = results.get('filename') or results.get('frame_dir') or results['img_path']
        num_frames = len(get_frames(results))
        indices = np.full(num_frames, results.get('frame_index', 0))
        if 'frame_inds' in results:
            indices = np.ravel(results['frame_inds']) - results.get('start_index', 0)
        if len(indices) != num_frames:
            raise ValueError(
                f'{path} has {num_frames} frames, but {len(indices)} were decoded; put '
                'LoadPersonBoxes right after the decoding transform.'
            )
        video = self._find(path)
        results['person_boxes'] = [self._boxes_at(video, index) for index in indices]
        return results

    def _find(self, path: str) -> Mapping[int, np.ndarray]:
        """Return the boxes of a video by frame index."""
        parts = PurePath(path).as_posix().split('/')
        for start in range(len(parts)):
            video = self._videos.get('/'.join(parts[start:]))
            if video is not None:
                return video
        if self.missing == 'error':
            raise ValueError(
                f'{self.box_file} has no boxes for {path}; add the video to it, or set '
                "missing='none' of LoadPersonBoxes where it shows no person."
            )
        return {}

    def _boxes_at(self, video: Mapping[int, np.ndarray], index: int) -> np.ndarray:
        if index not in video and self._carries_on:
            index = max((known for known in video if known < index), default=index)
        return video.get(index, _NO_BOXES)

    def __repr__(self) -> str:
        return (
            f'{type(self).__name__}(box_file={self.box_file!r}, min_score={self.min_score}, '
            f'missing={self.missing!r})'
        )


def crop_person_boxes(results: dict, x1: float, y1: float, x2: float, y2: float) -> None:
    """Convert ``person_boxes`` to the crop x1, y1, x2, y2, given as fractions of the frame.

    Parts outside the crop are cut off, and boxes wholly outside are left out. Without boxes nothing
    changes.
    """
    if 'person_boxes' not in results:
        return
    origin = np.array([x1, y1, x1, y1])
    size = np.array([x2 - x1, y2 - y1, x2 - x1, y2 - y1])
    results['person_boxes'] = [
        _drop_empty(((boxes - origin) / size).clip(0, 1)) for boxes in results['person_boxes']
    ]


def flip_person_boxes(results: dict) -> None:
    """Mirror ``person_boxes`` from left to right, if there are any."""
    if 'person_boxes' in results:
        results['person_boxes'] = [
            np.stack([1 - boxes[:, 2], boxes[:, 1], 1 - boxes[:, 0], boxes[:, 3]], 1)
            for boxes in results['person_boxes']
        ]


def _drop_empty(boxes: np.ndarray) -> np.ndarray:
    return boxes[(boxes[:, 2:] > boxes[:, :2]).all(1)].astype(np.float32)


def _read_box_file(path: str, min_score: float) -> tuple[bool, dict[str, dict[int, np.ndarray]]]:
    """Read a box file.

    Returns:
        tuple: Whether the boxes of a frame also hold for the following frames without an entry; and
        the boxes of each video and frame index as fractions, (K, 4) float32.
    """
    content = read_json(path, 'box file')
    header = content if isinstance(content, dict) else {}
    absent = header.get('absent_frames', 'no_person')
    if (
        header.get('version') != _VERSION
        or not isinstance(header.get('videos'), dict)
        or absent not in _ABSENT_FRAMES
    ):
        raise ValueError(
            f'{path} is no box file: it needs version={_VERSION}, videos={{...}} and, if given, '
            f'absent_frames one of {list(_ABSENT_FRAMES)} (docs/person_boxes.md).'
        )
    videos = header['videos']
    # Converted to arrays: the JSON of a large data set takes many times their memory.
    return absent == 'earlier', {
        name: _read_video(path, name, videos.pop(name), min_score) for name in list(videos)
    }


def _read_video(path: str, name: str, video: dict, min_score: float) -> dict[int, np.ndarray]:
    try:
        sides = video['width'], video['height']
        if not all(map(_is_number, sides)) or min(sides) <= 0:
            raise ValueError('width and height must be positive numbers')
        size = np.array(sides * 2, float)
        return {
            _read_index(index): _read_boxes(boxes, size, min_score)
            for index, boxes in video['frames'].items()
        }
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ValueError(
            f'{path} is wrong at the video {shorten(name)} ({type(error).__name__}: {error}); it '
            'needs width, height and frames={index: [[x1, y1, x2, y2, score], ...]} '
            '(docs/person_boxes.md).'
        ) from error


def _read_index(text: str) -> int:
    # int() would also accept signs, blanks, underscores and digits of other scripts.
    if not re.fullmatch('[0-9]{1,9}', text):
        raise ValueError(f'{shorten(text)} is no index of a frame')
    return int(text)


def _is_number(value) -> bool:
    is_real = isinstance(value, (int, float)) and not isinstance(value, bool)
    return is_real and abs(value) < _MAX_NUMBER


def _read_boxes(boxes: Sequence, size: np.ndarray, min_score: float) -> np.ndarray:
    """Return the boxes (K, 4) as fractions, without boxes of a low score or outside the frame."""
    if not isinstance(boxes, list):
        raise ValueError(f'{shorten(boxes)} is no list of boxes')
    if not boxes:
        return _NO_BOXES
    for box in boxes:
        if not (isinstance(box, list) and len(box) == 5 and all(map(_is_number, box))):
            raise ValueError(f'a box must be five numbers, but is {shorten(box)}')
        if box[0] > box[2] or box[1] > box[3]:
            raise ValueError(f'a box must have x1 <= x2 and y1 <= y2, but is {shorten(box)}')
    boxes = np.array(boxes, float)
    kept = boxes[boxes[:, 4] >= min_score, :4]
    return _drop_empty((kept / size).clip(0, 1))
