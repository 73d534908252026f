"""The peak speed of this machine, to compare a step with it."""

import time
from collections.abc import Callable

import torch
import torch.nn.functional as F


def measure_peaks(device: str) -> dict[str, float]:
    """Measure the float32 FLOP/s of large matrix products and of a wide 3x3 convolution.

    Args:
        device (str): ``'cpu'`` or ``'cuda'``.

    Returns:
        dict[str, float]: ``matmul``, ``convolution``, ``input_gradient``, ``weight_gradient``; the
        best of several runs.
    """
    size = 8192 if device == 'cuda' else 2048
    a, b = (torch.randn(size, size, device=device) for _ in range(2))
    peaks = dict(matmul=_best(lambda: a @ b, 2 * size**3, device))
    # 256 channels at 28x28: the shape in f_A with the fastest convolutions.
    images, channels, side = (256, 256, 28) if device == 'cuda' else (16, 256, 28)
    x = torch.randn(images, channels, side, side, device=device)
    weight = torch.randn(channels, channels, 3, 3, device=device)
    flops = 2 * 9 * channels**2 * images * side**2
    y = F.conv2d(x, weight, padding=1)
    arguments = (y, x, weight, None, [1, 1], [1, 1], [1, 1], False, [0, 0], 1)
    backward = torch.ops.aten.convolution_backward
    peaks['convolution'] = _best(lambda: F.conv2d(x, weight, padding=1), flops, device)
    for name, mask in (('input_gradient', [True, False, False]),
                       ('weight_gradient', [False, True, False])):  # fmt: skip
        peaks[name] = _best(lambda mask=mask: backward(*arguments, mask), flops, device)
    return peaks


def _best(function: Callable, flops: float, device: str, repeats: int = 7) -> float:
    """Return the FLOP/s of the fastest of several runs."""
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        function()
        if device == 'cuda':
            torch.cuda.synchronize()
        seconds.append(time.perf_counter() - start)
    return flops / min(seconds)
