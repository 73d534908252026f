"""The noise of a video, which nobody can draw again."""

import secrets

import numpy as np
import torch
from torch import Tensor


class VideoNoise:
    """Standard normal noise for one video, from the operating system's entropy.

    Whoever knows the noise of a video subtracts it. So it is drawn for each video, from 128 random
    bits, and neither these nor the noise are ever written anywhere. A video that is begun again has
    another. (PyTorch's own generator on CPUs has 32 bits of seed, few enough to be tried.)
    """

    def __init__(self) -> None:
        self._generator = np.random.Generator(np.random.Philox(key=secrets.randbits(128)))
        self._shared: dict[tuple[int, ...], Tensor] = {}

    def draw(self, clips: Tensor) -> dict[str, Tensor]:
        """Draw what an anonymizer that shares noise takes beside clips of the video.

        Args:
            clips (Tensor): (N, T, 3, H, W).

        Returns:
            dict[str, Tensor]: ``shared``, (N, 3, H, W), the same in each call for frames of this
            size, and ``fresh``, (N, T, 3, H, W).
        """
        shape = tuple(clips.shape[2:])
        if shape not in self._shared:
            self._shared[shape] = self.normal(shape)
        shared = self._shared[shape].to(clips).expand(len(clips), *shape)
        return dict(shared=shared, fresh=self.normal(tuple(clips.shape)).to(clips))

    def normal(self, shape: tuple[int, ...]) -> Tensor:
        """Draw standard normal noise of a shape that no other call has."""
        return torch.from_numpy(self._generator.standard_normal(shape, dtype=np.float32))
