"""An anonymizer that ONNX Runtime computes."""

import torch
from torch import Tensor, nn

from ..models.anonymizers import shares_noise, takes_clips
from .export import build_onnx
from .onnx_file import start_onnxruntime
from .video_noise import VideoNoise


class OnnxNetwork(nn.Module):
    """Compute an anonymizer by ONNX Runtime on the CPU, with as many threads as PyTorch.

    Args:
        anonymizer (nn.Module): f_A, whose weights are copied.

    Raises:
        RuntimeError: If ``onnx`` or ``onnxruntime`` is not installed.
        ValueError: If there is no graph for its class.
    """

    def __init__(self, anonymizer: nn.Module) -> None:
        super().__init__()
        model, self._noise = build_onnx(anonymizer)
        self._session = start_onnxruntime(model.SerializeToString(), torch.get_num_threads())
        self._input = self._session.get_inputs()[0].name
        self.takes_clips, self.shares_noise = takes_clips(anonymizer), shares_noise(anonymizer)

    def forward(self, frames: Tensor, **noise: Tensor) -> Tensor:
        """Anonymize frames.

        Args:
            frames (Tensor): RGB in [0, 1], (N, 3, H, W), or clips (N, T, 3, H, W).
            **noise (Tensor): Noise of their video. Missing noise is drawn from the operating
                system's entropy.

        Returns:
            Tensor: Same shape and range.
        """
        shapes = dict(shared=frames[:, 0].shape, fresh=frames.shape)
        flat = frames.shape if frames.dim() == 4 else frames.flatten(0, 1).shape
        drawn = VideoNoise()
        given = {self._input: frames.contiguous().numpy()}
        for name in self._noise:
            shape = shapes.get(name.rstrip('0123456789'), flat)
            if name in noise:
                given[name] = noise[name].contiguous().numpy()
            else:
                given[name] = drawn.normal(tuple(shape))
        return torch.from_numpy(self._session.run(None, given)[0])
