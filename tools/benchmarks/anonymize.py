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
    """Anonymize frames; :meth:`run` does it once.

    Args:
        loop (str): ``'eager'``, the trained network and nothing else, or ``'spact_mm'``.
        config (str): A minimax config, for its anonymizer.
        size (int): Height and width.
        count (int): How many frames.
        batch_size (int): How many at a time.
        device (str): ``'cpu'`` or ``'cuda'``.
    """

    def __init__(
        self, loop: str, config: str, size: int, count: int, batch_size: int, device: str
    ) -> None:
        init_default_scope('mmaction')
        set_random_seed(0)
        network = MODELS.build(Config.fromfile(config).model.anonymizer).to(device)
        # Running statistics as after a training, so that folding has something to fold.
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
        """Write what comes out to a file."""
        np.savez(file, frames=self.anonymize(self.frames))
        return {}


def variants(options: dict) -> list[Variant]:
    """Return the network as it was trained, and ours.

    Args:
        options (dict): What they have in common, the arguments of :class:`Frames` but ``loop``.
    """
    return [
        Variant(loop, 'anonymize', dict(options, loop=loop), pages='kept')
        for loop in ('eager', 'spact_mm')
    ]
