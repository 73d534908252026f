"""``anonymize``: frames per second of f_A, against the network as it was trained."""

import numpy as np
import torch
from mmaction.registry import MODELS
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.runner import set_random_seed

from benchmarks.compare import Variant
from spact_mm.apis import FrameAnonymizer


class Frames:
    """Frames to anonymize; :meth:`run` anonymizes them once.

    Args:
        loop (str): ``'eager'``, the trained network alone, or ``'spact_mm'``.
        config (str): A minimax config with the anonymizer.
        size (int): Height and width.
        count (int): Number of frames.
        batch_size (int): Number of frames at a time.
        device (str): ``'cpu'`` or ``'cuda'``.
    """

    def __init__(
        self, loop: str, config: str, size: int, count: int, batch_size: int, device: str
    ) -> None:
        init_default_scope('mmaction')
        set_random_seed(0)
        network = MODELS.build(Config.fromfile(config).model.anonymizer).to(device)
        # Running statistics as after a training, so that folding BatchNorm has an effect.
        with torch.no_grad():
            network.train()(torch.rand(4, 3, 64, 64, device=device))
        network.eval()
        self.frames = np.random.default_rng(0).integers(0, 256, (count, size, size, 3), np.uint8)
        self.network, self.device, self.batch_size = network, device, batch_size
        self.anonymize = self._eager
        if loop == 'spact_mm':
            self.anonymize = FrameAnonymizer(network, device, batch_size)

    def run(self) -> None:
        """Anonymize all frames."""
        self.anonymize(self.frames)

    @torch.no_grad()
    def _eager(self, frames: np.ndarray) -> np.ndarray:
        parts = []
        for start in range(0, len(frames), self.batch_size):
            part = torch.from_numpy(frames[start : start + self.batch_size]).to(self.device)
            x = part.permute(0, 3, 1, 2).contiguous().float() / 255
            y = (self.network(x) * 255).round().to(torch.uint8)
            parts.append(y.permute(0, 2, 3, 1).cpu().numpy())
        return np.concatenate(parts)

    def save(self, file: str) -> dict:
        """Write the anonymized frames to a file."""
        np.savez(file, frames=self.anonymize(self.frames))
        return {}


def variants(options: dict) -> list[Variant]:
    """Return the variants: the network as it was trained, and this package's.

    Args:
        options (dict): Arguments of :class:`Frames` for both, without ``loop``.
    """
    return [
        Variant(loop, 'anonymize', dict(options, loop=loop), pages='kept')
        for loop in ('eager', 'spact_mm')
    ]
