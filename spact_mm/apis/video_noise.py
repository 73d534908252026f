"""The noise of a video, which cannot be drawn again."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from torch import Tensor


class VideoNoise:
    """Standard normal noise for one video, from the operating system's entropy.

    An attacker who knows the noise of a video can subtract it. So the noise is drawn for each video
    from 128 random bits, and neither these bits nor the noise are ever written anywhere. A video
    that is processed again gets new noise. (PyTorch's own generator on CPUs has 32 bits of seed,
    few enough to try all of them.)
    """

    def __init__(self) -> None:
        self._generator = np.random.Generator(np.random.Philox(key=secrets.randbits(128)))
        self._shared: dict[tuple[int, ...], np.ndarray] = {}

    def draw(self, clips: Tensor, size: tuple[int, int] | None = None) -> dict[str, Tensor]:
        """Draw the noise inputs of an anonymizer for clips of the video.

        Args:
            clips (Tensor): (N, T, 3, H, W).
            size (tuple[int, int], optional): Height and width of the noise if it is smaller than
                the frames (:meth:`GaussianChannel.noise_size`). Defaults to that of the frames.

        Returns:
            dict[str, Tensor]: ``shared``, (N, 3, H, W), the same in each call for noise of this
            size, and ``fresh``, (N, T, 3, H, W).
        """
        import torch  # takes seconds, and an obfuscation draws none

        shape = (clips.shape[2], *(size or clips.shape[3:]))
        drawn = self.draw_arrays(tuple(clips.shape[:2]), shape)
        return {name: torch.from_numpy(value).to(clips) for name, value in drawn.items()}

    def draw_arrays(self, batch: tuple[int, int], shape: tuple[int, ...]) -> dict[str, np.ndarray]:
        """Return the noise of :meth:`draw` as arrays.

        Args:
            batch (tuple[int, int]): N and T.
            shape (tuple[int, ...]): (3, H, W).

        Returns:
            dict[str, np.ndarray]: ``shared``, (N, 3, H, W), and ``fresh``, (N, T, 3, H, W).
        """
        if shape not in self._shared:
            self._shared[shape] = self.normal(shape)
        shared = np.repeat(self._shared[shape][None], batch[0], 0)
        return dict(shared=shared, fresh=self.normal((*batch, *shape)))

    def normal(self, shape: tuple[int, ...]) -> np.ndarray:
        """Draw standard normal noise of a shape, float32, different in each call."""
        return self._generator.standard_normal(shape, dtype=np.float32)
