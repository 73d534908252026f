"""An anonymizer in an ONNX file of this package, run without PyTorch."""

import os
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from .refusals import NonFiniteError
from .video_noise import VideoNoise


def start_onnxruntime(model: str | bytes, num_threads: int):
    """Return a session of ONNX Runtime on the CPU.

    Args:
        model (str | bytes): Path or content of an ONNX file.
        num_threads (int): Number of threads that share an operation.

    Raises:
        RuntimeError: If ``onnxruntime`` is not installed.
    """
    if find_spec('onnxruntime') is None:
        raise RuntimeError(
            'The backend onnxruntime is not installed: pip install '
            "'spact_mm[onnx]', or choose the backend torch."
        )
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = num_threads
    return onnxruntime.InferenceSession(model, options, providers=['CPUExecutionProvider'])


class OnnxFile:
    """Anonymize decoded frames by a graph of ``tools/ship_model.py``.

    Its anonymizer does not mix frames, so it gets them one by one, with the noise of their video.

    Args:
        path (Path): The file.

    Attributes:
        weights (str): Hash of the anonymizer, as of the checkpoint from which the file was made.
        batch_size (int): Frames that pass the graph at a time.

    Raises:
        RuntimeError: If ``onnxruntime`` is not installed.
    """

    def __init__(self, path: Path) -> None:
        self._session = start_onnxruntime(str(path), len(os.sched_getaffinity(0)))
        self.weights = self._session.get_modelmeta().custom_metadata_map['weights']
        self.batch_size = 16
        self._inputs = {value.name for value in self._session.get_inputs()}

    def __call__(self, frames: np.ndarray, noise: VideoNoise | None = None) -> np.ndarray:
        """Anonymize frames.

        Args:
            frames (np.ndarray): RGB, uint8, (N, H, W, 3).
            noise (VideoNoise, optional): Noise of the video. Defaults to new noise.

        Returns:
            np.ndarray: Same shape and type.

        Raises:
            NonFiniteError: If the anonymizer gives NaN or an infinite number.
        """
        noise = noise or VideoNoise()
        parts = range(0, len(frames), self.batch_size)
        done = [self._anonymize(frames[i : i + self.batch_size], noise) for i in parts]
        return np.concatenate(done)

    def _anonymize(self, frames: np.ndarray, noise: VideoNoise) -> np.ndarray:
        clips = np.ascontiguousarray(frames.transpose(0, 3, 1, 2))[:, None]
        clips = clips.astype(np.float32) / 255
        drawn = noise.draw_arrays(clips.shape[:2], clips.shape[2:])
        given = dict(drawn, clips=clips, frames=clips[:, 0])
        given = {name: np.ascontiguousarray(given[name]) for name in self._inputs}
        y = self._session.run(None, given)[0].reshape(clips.shape)[:, 0]
        if not np.isfinite(y.sum()):
            raise NonFiniteError('the anonymizer gives numbers that are not finite (NaN or Inf).')
        return np.rint(y * 255).clip(0, 255).astype(np.uint8).transpose(0, 2, 3, 1)
