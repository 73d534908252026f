"""Detection and recognition of faces in anonymized frames by pretrained networks."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torchvision.ops import box_iou

from .face_models import FaceEmbedder, FaceFinder, GenderReader

#: Least IoU with the box in the raw frame for a face to count as found (as in PASCAL VOC).
_MIN_IOU = 0.5
#: With fewer (readable) faces shares mean next to nothing: one face is a tenth or more.
FEW_FACES = 10


@dataclass
class Faces:
    """The F faces of a file's raw frames, and the measurements on the anonymized frames.

    Attributes:
        num_frames (int): Number of examined frames.
        frames (np.ndarray): (F,) int, index of the frame of each face.
        is_found (np.ndarray): (F,) bool, whether a face is found at the same place in the
            anonymized frame.
        is_readable (np.ndarray): (F,) bool, whether the raw face's embedding differs from that of a
            blank picture. Embeddings of other faces identify nobody, before or after.
        raw (np.ndarray): (F, 128), embeddings.
        anonymized (np.ndarray): (F, 128), embeddings of the same places in the anonymized frames.
        raw_genders (np.ndarray | None): (F,) str; None if genders were not read.
        anonymized_genders (np.ndarray | None): (F,) str, of the same places.
    """

    num_frames: int
    frames: np.ndarray
    is_found: np.ndarray
    is_readable: np.ndarray
    raw: np.ndarray
    anonymized: np.ndarray
    raw_genders: np.ndarray | None = None
    anonymized_genders: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.frames)


class FaceAttack:
    """An attacker with the raw frame: it knows place and pose of each face.

    It compares each anonymized face with the raw face of the same frame. An attacker who anonymizes
    known faces in the same way, or trains on anonymized frames, can be far stronger.

    Args:
        find (Callable): Function from a frame (H, W, 3) to boxes (F, 4). Defaults to None: a
            :class:`FaceFinder`.
        embedder (FaceEmbedder, optional): Defaults to None: a new one.
        read_gender (Callable, optional): Function from a frame and boxes to (F,) genders. Defaults
            to None: a :class:`GenderReader` if its package is installed, else genders are not read.

    Raises:
        RuntimeError: If the extra ``attackers`` is not installed.

    Example:
        >>> faces = FaceAttack()(zip(raw, anonymized))  # each (T, H, W, 3), uint8 RGB
        >>> score_faces({'walk.mp4': faces})['all']['found']
        0.25
    """

    def __init__(
        self,
        find: Callable[[np.ndarray], np.ndarray] | None = None,
        embedder: FaceEmbedder | None = None,
        read_gender: Callable[[np.ndarray, np.ndarray], np.ndarray] | None = None,
    ) -> None:
        self.find = find or FaceFinder()
        self.embedder = embedder or FaceEmbedder()
        if read_gender is None and GenderReader.is_installed():
            read_gender = GenderReader()
        self.read_gender = read_gender

    def __call__(self, pairs: Iterable[tuple[np.ndarray, np.ndarray]]) -> Faces:
        """Attack the frames of one file.

        Args:
            pairs (Iterable): Pairs of raw and anonymized frame, RGB uint8 (H, W, 3), of one size.

        Returns:
            Faces: All faces found in the raw frames.

        Raises:
            ValueError: If frames of a pair differ in size, or are not RGB uint8.
        """
        found = [self._attack(raw, anonymized) for raw, anonymized in pairs]
        counts = [len(values[0]) for values in found]
        columns = [np.concatenate(column) for column in zip(*found, strict=True)]
        if not columns:
            columns = [np.zeros(0, bool)] * 2 + [np.zeros((0, 128))] * 2
        return Faces(len(found), np.repeat(np.arange(len(found)), counts), *columns)

    def _attack(self, raw: np.ndarray, anonymized: np.ndarray) -> list[np.ndarray]:
        for frame in (raw, anonymized):
            if frame.dtype != np.uint8 or frame.ndim != 3 or frame.shape[-1] != 3:
                raise ValueError(
                    f'A frame must be RGB uint8, (H, W, 3), but is {frame.dtype} {frame.shape}.'
                )
        if raw.shape != anonymized.shape:
            raise ValueError(
                'A raw and an anonymized frame must be of one size, but are '
                f'{raw.shape[1]} x {raw.shape[0]} and {anonymized.shape[1]} x '
                f'{anonymized.shape[0]}.'
            )
        raw, anonymized = np.ascontiguousarray(raw), np.ascontiguousarray(anonymized)
        boxes = self.find(raw)
        left = self.find(anonymized) if len(boxes) else boxes
        overlap = box_iou(torch.from_numpy(boxes), torch.from_numpy(left)).numpy()
        landmarks = self.embedder.align(raw, boxes)
        embeddings = self.embedder.embed(raw, landmarks)
        values = [
            (overlap >= _MIN_IOU).any(1),
            ~_match(embeddings[:, None], self.embedder.blanks).any(1),
            embeddings,
            self.embedder.embed(anonymized, landmarks),
        ]
        if self.read_gender is not None:
            values += [self.read_gender(raw, boxes), self.read_gender(anonymized, boxes)]
        return values


def score_faces(files: Mapping[str, Faces]) -> dict[str, dict]:
    """Return shares, for each file and for ``'all'`` faces.

    Faces of different files, and faces of one frame, count as different persons. Pairs of different
    persons give the chance level: an anonymizer that makes all faces alike matches all pairs.

    Args:
        files (Mapping): :class:`Faces` by name.

    Returns:
        dict[str, dict]: For each: ``frames``, ``faces`` and ``readable`` (int); ``found``, the
        share of faces that are found at the same place. For readable faces: ``match``, the share
        whose distance between raw and anonymized embedding is below
        :attr:`FaceEmbedder.max_distance`; ``chance``, the same for raw and anonymized faces of
        different persons; ``distance``, the mean distance to the person's own raw face; ``gender``,
        the share with the same gender as in the raw frame; ``gender_chance``, the same for
        different persons. None if there is nothing to count.
    """
    rows = {name: _tell(files, name) for name in files}
    total = {key: np.concatenate([row[key] for row in rows.values()]) for key in _KEYS}
    numbers = {name: _numbers(faces) for name, faces in files.items()}
    sums = {key: sum(row[key] for row in numbers.values()) for key in _NUMBERS}
    return {name: {**numbers[name], **_means(rows[name])} for name in files} | {
        'all': {**sums, **_means(total)}
    }


#: Keys of the counts (first line) and of the averages (second line).
_NUMBERS = ('frames', 'faces', 'readable')
_KEYS = ('found', 'match', 'chance', 'distance', 'gender', 'gender_chance')


def _numbers(faces: Faces) -> dict[str, int]:
    return dict(frames=faces.num_frames, faces=len(faces), readable=int(faces.is_readable.sum()))


def _tell(files: Mapping[str, Faces], name: str) -> dict[str, np.ndarray]:
    """Return the values of a file that are averaged, by key."""
    faces = files[name]
    kept = faces.is_readable
    raw, done = faces.raw[kept], faces.anonymized[kept]
    values = {key: [np.zeros(0)] for key in _KEYS}
    values['found'].append(faces.is_found)
    values['match'].append(_match(raw, done))
    values['distance'].append(np.linalg.norm(raw - done, axis=-1))
    if faces.raw_genders is not None:
        values['gender'].append((faces.raw_genders == faces.anonymized_genders)[kept])
    for other, others in files.items():
        is_pair = kept[:, None] & others.is_readable
        if other == name:
            is_pair &= faces.frames[:, None] == faces.frames
            np.fill_diagonal(is_pair, False)
        one, two = is_pair.nonzero()
        values['chance'].append(_match(faces.raw[one], others.anonymized[two]))
        if faces.raw_genders is not None and others.anonymized_genders is not None:
            agrees = faces.raw_genders[one] == others.anonymized_genders[two]
            values['gender_chance'].append(agrees)
    return {key: np.concatenate(parts) for key, parts in values.items()}


def _match(raw: np.ndarray, anonymized: np.ndarray) -> np.ndarray:
    """Tell which embeddings are of one person, by the published threshold."""
    return np.linalg.norm(raw - anonymized, axis=-1) < FaceEmbedder.max_distance


def _means(values: Mapping[str, np.ndarray]) -> dict[str, float | None]:
    return {key: float(values[key].mean()) if len(values[key]) else None for key in _KEYS}
