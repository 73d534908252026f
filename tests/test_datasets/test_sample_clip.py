import numpy as np
import pytest

from spact_mm.datasets import UnreadableFileError
from spact_mm.datasets.transforms import SampleClip


def frames(total, **keys):
    return SampleClip(4, frame_interval=2)(dict(total_frames=total, **keys))['frame_inds'].tolist()


def test_clips_lie_where_the_data_set_says():
    # Seven possible first frames of thirteen, as a clip reaches over seven.
    assert frames(13, frame_position=0.0) == [0, 2, 4, 6]
    assert frames(13, frame_position=0.5) == [3, 5, 7, 9]
    assert frames(13, frame_position=0.99) == [6, 8, 10, 12]
    assert frames(13, frame_position=0.0, start_index=1) == [1, 3, 5, 7]


def test_short_videos_go_on_by_reflection():
    assert frames(4, frame_position=0.5) == [0, 2, 2, 0]


def test_training_clips_are_anywhere():
    np.random.seed(0)
    assert {frames(13, frame_position=None)[0] for _ in range(200)} == set(range(7))


def test_wrong_lengths_and_empty_videos_are_refused():
    with pytest.raises(ValueError, match='at least 1, but got 0 and 1'):
        SampleClip(0)
    with pytest.raises(UnreadableFileError, match='a.mp4 has no frame'):
        frames(0, filename='a.mp4')
