"""Anonymize videos and images, given as paths, arrays or tensors, in memory or into files."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from rich.progress import track

from ..packaged import find_graph
from .anonymize_file import read_anonymized
from .anonymize_job import anonymize_job, lock_outputs
from .byte_obfuscations import find_byte_function
from .choices import METHODS
from .image_file import MAX_PIXELS
from .leftover import NUM_FRAMES, LeftoverCheck
from .manifest import Manifest
from .onnx_file import OnnxFile
from .output_files import remove_leftovers
from .outputs import find_jobs
from .sources import find_sources
from .video_noise import VideoNoise

# Imports of PyTorch and MMEngine, which take seconds, stand in the functions for networks: an
# obfuscation on a CPU needs neither.
if TYPE_CHECKING:
    from mmengine.config import Config
    from torch import Tensor

    from .frame_anonymizer import FrameAnonymizer

#: Pixels that pass the network at a time if no batch size is given.
_PIXELS_PER_PASS = 32 * 112 * 112


class AnonymizeInferencer:
    """Anonymize videos and images by a trained anonymizer or an obfuscation.

    Args:
        model (str | Config | dict, optional): Config that names the anonymizer: of a minimax
            training, or of a model behind an anonymizing preprocessor. Defaults to None: the config
            in the checkpoint.
        weights (str, optional): Checkpoint with the anonymizer's weights. Defaults to None.
        device (str, optional): Where to compute. Defaults to None: for a network a GPU if there is
            one, for an obfuscation the CPU.
        method (str, optional): An obfuscation instead of a trained anonymizer, of :data:`METHODS`.
            Defaults to None.
        batch_size (int, optional): Frames that pass the network at a time, which bounds the memory.
            Defaults to None: as many as have together the pixels of 32 frames of 112 x 112, at
            least one.
        show_progress (bool): Whether to show a bar over several inputs. Defaults to True.
        force (bool): Whether to warn instead of raising an error if the checkpoint's anonymizer
            hides nothing, or if too much of an input is left in its output. Defaults to False.
        backend (str, optional): Library that computes a trained anonymizer: ``'torch'``, or
            ``'onnxruntime'``, which is faster at small sizes on CPUs (docs/anonymize.md). Defaults
            to None: for the weights in this package ONNX Runtime if it is installed, which takes no
            PyTorch, else PyTorch.

    Raises:
        ValueError: If neither or both of weights and method are given, the weights do not fit, or
            the checkpoint's anonymizer hides nothing.
        FileNotFoundError: If there is no such checkpoint.

    Example:
        >>> anonymize = AnonymizeInferencer(weights='work_dirs/spact_r3d_demo/epoch_23.pth')
        >>> anonymize('walk.avi', out_dir='anonymized')['predictions']
        ['anonymized/walk.mp4']
        >>> anonymize(frames)['predictions'][0].shape  # an array (T, H, W, 3)
        (16, 112, 112, 3)
    """

    def __init__(
        self,
        model: str | Config | dict | None = None,
        weights: str | None = None,
        device: str | None = None,
        method: str | None = None,
        batch_size: int | None = None,
        show_progress: bool = True,
        force: bool = False,
        backend: str | None = None,
    ) -> None:
        if (weights is None) == (method is None):
            raise ValueError(
                'An anonymizer needs either weights (a checkpoint) or a method, one of '
                f'{", ".join(METHODS)}; got '
                f'{"neither" if weights is None else "both"}.'
            )
        if method is not None and method not in METHODS:
            raise ValueError(f'There is no method {method}; there are {", ".join(METHODS)}.')
        if method is not None and model is not None:
            raise ValueError(
                f'The config names a trained anonymizer, and {method} is none: leave the config '
                'out.'
            )
        if batch_size is not None and batch_size < 1:
            raise ValueError(f'batch_size must be 1 or more, but is {batch_size}.')
        if method is not None and backend not in (None, 'torch'):
            raise ValueError(
                f'The backend {backend} is for trained anonymizers; {method} does without one: '
                'leave it out.'
            )
        self.method, self.force, self.backend = method, force, backend or 'torch'
        self.device = device
        self.show_progress = show_progress
        self.frames_per_pass = batch_size
        self._functions: dict[int, Callable[[np.ndarray], np.ndarray]] = {}
        self._networks: dict[int, FrameAnonymizer] = {}
        self.model, self._clip_length = None, 1
        self._weights, self._graph = weights, None
        takes_graph = backend == 'onnxruntime' or (backend is None and find_spec('onnxruntime'))
        if method is None and model is None and takes_graph:
            self._graph = self._open_graph()
        if method is None and self._graph is None:
            from .frame_anonymizer import clip_length
            from .load_anonymizer import load_for_use

            self.model = load_for_use(model, weights, force)
            self._clip_length = clip_length(self.model)

    def _open_graph(self) -> OnnxFile | None:
        """Return the graph of a checkpoint of this package, which takes no PyTorch."""
        path = find_graph(self._weights) if self.device in (None, 'cpu') else None
        return path and OnnxFile(path)

    @property
    def settings(self) -> dict:
        """Identity of the anonymizer: the hash of its weights, or the method."""
        if self.method is not None:
            return dict(method=self.method)
        if self._graph is not None:
            return dict(weights=self._graph.weights)
        from .load_anonymizer import hash_anonymizer

        return dict(weights=hash_anonymizer(self.model))

    def check(self, name: str, noise: VideoNoise | None = None) -> LeftoverCheck:
        """Return :meth:`anonymize_frames` for one file, with a measurement of its output.

        Args:
            name (str): Name of the file in an error.
            noise (VideoNoise, optional): Noise of its video. Defaults to new noise.
        """
        is_trained = self._graph is not None or (
            self.model is not None and any(True for _ in self.model.parameters())
        )
        anonymize = partial(self.anonymize_frames, noise=noise or VideoNoise())
        return LeftoverCheck(anonymize, name, is_trained, self.force, self._clip_length)

    def anonymize_frames(self, frames: np.ndarray, noise: VideoNoise | None = None) -> np.ndarray:
        """Anonymize frames of one size.

        Args:
            frames (np.ndarray): RGB uint8, (N, H, W, 3).
            noise (VideoNoise, optional): Noise of their video. Defaults to new noise.

        Returns:
            np.ndarray: Same shape and type.
        """
        frames = np.ascontiguousarray(frames)
        height, width = frames.shape[1:3]
        if self._graph is not None:
            self._graph.batch_size = self.frames_per_pass or _frames_per_pass(height, width)
            return self._graph(frames, noise)
        if self.model is None and self.device in (None, 'cpu'):
            side = min(height, width)
            if side not in self._functions:
                self._functions[side] = find_byte_function(METHODS[self.method](side))
            return self._functions[side](frames)
        return self._network(height, width)(frames, noise)

    def _network(self, height: int, width: int) -> FrameAnonymizer:
        from mmengine.device import get_device

        from ..models.anonymizers.build import build_anonymizer
        from .frame_anonymizer import FrameAnonymizer
        from .load_anonymizer import load_for_use

        is_method = self.method is not None
        side = min(height, width) if is_method else 0
        if side not in self._networks:
            if not is_method and self.model is None:
                self.model = load_for_use(None, self._weights, self.force)
            network = build_anonymizer(METHODS[self.method](side)) if is_method else self.model
            device = self.device or ('cpu' if is_method else get_device())
            self._networks[side] = FrameAnonymizer(network, device, backend=self.backend)
        anonymizer = self._networks[side]
        anonymizer.batch_size = self.frames_per_pass or _frames_per_pass(height, width)
        return anonymizer

    def __call__(
        self,
        inputs,
        out_dir: str | None = None,
        size: int | None = None,
        side_by_side: bool = False,
        images: bool = False,
        keep_audio: bool = False,
        max_pixels: int = MAX_PIXELS,
    ) -> dict:
        """Anonymize one input or several.

        Args:
            inputs (str | Path | np.ndarray | Tensor | Sequence): A path, folder or pattern; an
                array of RGB uint8 (H, W, 3) or (T, H, W, 3); or a tensor (3, H, W) or (N, 3, H, W),
                float in [0, 1] or uint8; or a list or tuple of these.
            out_dir (str, optional): For paths: folder of the written files, which are recorded in
                its ``manifest.jsonl`` as by ``tools/anonymize.py``. Only recorded files are
                replaced. Defaults to None: arrays are returned, (T, H, W, 3) for a video, which
                must fit into memory.
            size (int, optional): For paths: length to which the shorter side is resized first.
                Defaults to None: no resizing.
            side_by_side (bool): Whether files show the source to the left. Defaults to False.
            images (bool): Whether a video becomes a folder of PNG images. Defaults to False.
            keep_audio (bool): Whether the sound is copied. Defaults to False.
            max_pixels (int): For paths: pictures and frames with more pixels are refused. Defaults
                to :data:`~spact_mm.media.media_probe.MAX_PIXELS`.

        Returns:
            dict: ``predictions``, a list in the order of the inputs: output paths (str) for paths
            with ``out_dir``, else the anonymized arrays or tensors.

        Raises:
            TypeError: If an input is none of these.
            ValueError: If ``images`` or ``keep_audio`` is given without ``out_dir``, an input
                cannot be read, an output would be, hold or hide an input, or too much of an input
                is left in its output (see :class:`~.leftover.LeftoverCheck`).
            FileExistsError: If an output's name is taken by a file that is not recorded.
            RuntimeError: If another process writes to ``out_dir``.
        """
        items = list(inputs) if isinstance(inputs, (list, tuple)) else [inputs]
        for item in items:
            if not (isinstance(item, (str, Path, np.ndarray)) or _is_tensor(item)):
                raise TypeError(
                    f'An input must be a path, an array or a tensor, but is a '
                    f'{type(item).__name__}.'
                )
        if out_dir is None and (images or keep_audio):
            raise ValueError('images and keep_audio are about files: give out_dir, or leave them.')
        options = dict(size=size, side_by_side=side_by_side, max_pixels=max_pixels)
        found = []
        for item in track(items, 'Anonymizing', disable=not self.show_progress):
            if _is_tensor(item):
                found.append(self._anonymize_tensor(item))
            elif isinstance(item, np.ndarray):
                found.append(self._anonymize_array(item))
            elif out_dir is None:
                for source in find_sources([str(item)]):
                    check = self.check(str(source))
                    found.append(_told(check, read_anonymized(source, check, **options)))
            else:
                found += self._write_files(
                    item, out_dir, images=images, keep_audio=keep_audio, **options
                )
        return dict(predictions=found)

    def _write_files(
        self, path: str | Path, out_dir: str, images: bool, max_pixels: int, **options
    ) -> list[str]:
        """Anonymize the files at a path into a folder, as ``tools/anonymize.py`` does."""
        options['images'] = images
        jobs = find_jobs([str(path)], out_dir, images)
        with lock_outputs(out_dir):
            remove_leftovers(job.output for job in jobs)
            manifest = Manifest(out_dir, {**self.settings, **options})
            return [
                _told(
                    check := self.check(str(job.source)),
                    anonymize_job(job, manifest, check, max_pixels=max_pixels, **options).output,
                )
                for job in jobs
            ]

    def _anonymize_array(self, frames: np.ndarray) -> np.ndarray:
        if frames.dtype != np.uint8 or frames.ndim not in (3, 4) or frames.shape[-1] != 3:
            raise ValueError(
                'An array must be RGB uint8, (H, W, 3) or (T, H, W, 3), but is '
                f'{frames.dtype} {frames.shape}.'
            )
        check = self.check('The array')
        return _told(check, check(frames.reshape(-1, *frames.shape[-3:])).reshape(frames.shape))

    def _anonymize_tensor(self, frames: Tensor) -> Tensor:
        import torch

        is_known = frames.dtype == torch.uint8 or frames.is_floating_point()
        if not is_known or frames.ndim not in (3, 4) or frames.shape[-3] != 3:
            raise ValueError(
                'A tensor must be RGB, uint8 or floating point in [0, 1], (3, H, W) or '
                f'(N, 3, H, W), but is {frames.dtype} {tuple(frames.shape)}.'
            )
        batch = frames.reshape(-1, *frames.shape[-3:])
        done = self._network(*frames.shape[-2:]).anonymize_tensor(batch)
        check = self.check('The tensor')
        check.observe(_frames_of(batch), _frames_of(done))
        return _told(check, done.reshape(frames.shape))


def _is_tensor(item) -> bool:
    torch = sys.modules.get('torch')
    return torch is not None and isinstance(item, torch.Tensor)


def _warn(message: str) -> None:
    from mmengine.logging import print_log

    print_log(message, logger='current', level=logging.WARNING)


def _told(check: LeftoverCheck, result):
    """Print the check's warning, if any, and return the result."""
    if check.warning:
        _warn(f'{check.name}: {check.warning}.')
    return result


def _frames_of(batch: Tensor) -> np.ndarray:
    """Return the first frames of (N, 3, H, W) as uint8, (n, H, W, 3)."""
    first = batch[: 4 * NUM_FRAMES].detach()
    if first.is_floating_point():
        first = (first.float() * 255).round().clamp(0, 255).byte()
    return first.permute(0, 2, 3, 1).cpu().numpy()


def _frames_per_pass(height: int, width: int) -> int:
    return max(1, _PIXELS_PER_PASS // (height * width))
