"""``data``: the cost of a training sample, compared with a reader of whole files."""

from pathlib import Path

import cv2
import numpy as np
import torch
from mmaction.registry import TRANSFORMS
from mmengine.config import Config
from mmengine.dataset import Compose
from mmengine.registry import init_default_scope
from torchvision.transforms.functional import resize

from benchmarks.compare import Variant
from benchmarks.media import CLIP_LENGTH, LONG_LENGTH, make_image, make_video
from benchmarks.step import CONFIG

#: Number of samples of a round, by kind of file.
COUNTS = {'clips': 24, 'long videos': 4, 'images': 48}


class Samples:
    """Training samples of a recipe; :meth:`run` makes each of them once.

    Args:
        reader (str): ``'recipe'``, or ``'sequential'``: OpenCV reads a video to its end and an
            image at full size, and the recipe's own augmentation follows. ``'official'``, for
            images, also resizes as the official code does.
        files (list[str]): Files to read.
        config (str): The recipe.
    """

    def __init__(self, reader: str, files: list[str], config: str) -> None:
        cfg = Config.fromfile(config)
        init_default_scope('mmaction')
        # One thread, as in a worker of a data loader.
        cv2.setNumThreads(0)
        torch.set_num_threads(1)
        self.files = files
        is_video = files[0].endswith('.avi')
        steps = cfg.train_pipeline if is_video else cfg.privacy_pipeline
        transforms = [TRANSFORMS.build(step) for step in steps]
        # Number of transforms for opening, sampling and decoding.
        count = 3 if is_video else 1
        self.size = cfg.size
        self.read, self.augment = Compose(transforms[:count]), Compose(transforms[count:])
        if reader != 'recipe':
            self.read = SequentialReader(transforms[1]) if is_video else read_whole_image
        if reader == 'official':
            view = transforms[1].pipeline.transforms
            view[1] = OfficialResize(self.size)

    def run(self) -> None:
        """Make the samples."""
        for index in range(len(self.files)):
            self.augment(self._read(index))

    def _read(self, index: int) -> dict:
        """Read a file; the frames are drawn from the same random numbers for each reader."""
        np.random.seed(index)
        path = self.files[index]
        return self.read(dict(filename=path, img_path=path, start_index=0, modality='RGB', label=0))

    def save(self, file: str) -> dict:
        """Write the frames of the first files, in the size of the network, to a file."""
        frames = []
        for index in range(min(4, len(self.files))):
            results = self._read(index)
            for frame in results.get('imgs', [results.get('img')]):
                scale = self.size / min(frame.shape[:2])
                size = [round(side * scale) for side in frame.shape[1::-1]]
                frames.append(cv2.resize(frame, size, interpolation=cv2.INTER_AREA))
        np.savez(file, *frames)
        return {}


class SequentialReader:
    """Read a video from its first to its last frame and keep the requested frames."""

    def __init__(self, sampler) -> None:
        self.sampler = sampler

    def __call__(self, results: dict) -> dict:
        """Read ``results['filename']``."""
        capture = cv2.VideoCapture(results['filename'])
        results['total_frames'] = int(capture.get(cv2.CAP_PROP_FRAME_COUNT))
        results['avg_fps'] = capture.get(cv2.CAP_PROP_FPS)
        results = self.sampler(results)
        wanted, frames, index = set(results['frame_inds'].tolist()), {}, 0
        while True:
            ok, frame = capture.read()
            if not ok:
                break
            if index in wanted:
                frames[index] = cv2.cvtColor(frame, cv2.COLOR_BGR2RGB)
            index += 1
        results['imgs'] = [frames[index] for index in results['frame_inds']]
        results['original_shape'] = results['img_shape'] = results['imgs'][0].shape[:2]
        return results


class OfficialResize:
    """Resize the crop of an image with torchvision, which converts the whole image to floats.

    Args:
        size (int): Height and width of the output.
    """

    def __init__(self, size: int) -> None:
        self.size = [size, size]

    def __call__(self, results: dict) -> dict:
        """Replace the frame."""
        image = resize(torch.from_numpy(results['imgs'][0]).permute(2, 0, 1), self.size)
        results['imgs'] = [image.permute(1, 2, 0).contiguous().numpy()]
        return results


def read_whole_image(results: dict) -> dict:
    """Read ``results['img_path']`` at full size."""
    results['img'] = cv2.cvtColor(cv2.imread(results['img_path']), cv2.COLOR_BGR2RGB)
    results['img_shape'] = results['ori_shape'] = results['img'].shape[:2]
    return results


def make_files(folder: Path, kind: str, count: int) -> list[str]:
    """Make files of a kind of :data:`COUNTS`, unless they exist, and return their paths."""
    if kind == 'images':
        return [str(make_image(folder / f'image_{i}.jpg', i)) for i in range(count)]
    length = CLIP_LENGTH if kind == 'clips' else LONG_LENGTH
    return [str(make_video(folder / f'video_{length}_{i}.avi', length, i)) for i in range(count)]


def variants(files: list[str], config: str = str(CONFIG)) -> list[Variant]:
    """Return the variants: the sequential reader, the official code's for images, the recipe's."""
    official = ['official'] if files[0].endswith('.jpg') else []
    return [
        Variant(reader, 'data', dict(reader=reader, files=files, config=config))
        for reader in ('sequential', *official, 'recipe')
    ]


def mean_difference(first: str, second: str) -> float:
    """Return the mean absolute difference of two files of :meth:`Samples.save`, in 255 levels."""
    a, b = np.load(first), np.load(second)
    differences = [np.abs(a[key].astype(int) - b[key].astype(int)).mean() for key in a.files]
    return float(np.mean(differences))
