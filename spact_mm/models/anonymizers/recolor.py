"""A control: other colours, and nothing hidden."""

import torch
from mmaction.registry import MODELS
from mmengine.model import BaseModule
from torch import Tensor

from ...registration import register

#: All orders of the channels except the original one.
_ORDERS = ((0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0))
#: Range of the binary logarithm of a curve's slope at its steeper end.
_LEAST_BEND, _MOST_BEND = 1.5, 2.5
#: Largest number that is accepted from a checkpoint's config.
_MAX_SEED = 4096


@register(MODELS)
class RecolorAnonymizer(BaseModule):
    r"""Swap the colour channels and bend each of them, in a way that can be undone.

    It hides nothing: all frames of all videos are recoloured alike, and :meth:`inverse` restores
    them. It is a control. Its output looks different and has a large pixel error. Attackers should
    find nearly as much in its output as in raw frames; otherwise the protocol mistakes a changed
    look for hidden information.

    The channels are put in another order, then each goes through its curve on [0, 1]

    .. math:: c(x) = \frac{x}{x + k (1 - x)}

    or :math:`1 - c(x)`, with :math:`k` or :math:`1 / k` from 2.8 to 5.7; at least one curve falls.
    Slopes are :math:`1 / k` to :math:`k`, so where a curve is flattest up to six neighbouring grey
    levels of 8 bits become one. From 8-bit output :meth:`inverse` restores every value within 3
    grey levels, and within 0.6 on average over all values.

    Args:
        seed (int): Seed of the order and the curves, from 0 to 4096. Defaults to 0.

    Raises:
        ValueError: If ``seed`` is out of range.
    """

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        if type(seed) is not int or not 0 <= seed <= _MAX_SEED:
            raise ValueError(
                f'seed of RecolorAnonymizer must be a whole number from 0 to {_MAX_SEED}, but is '
                f'{seed!r}.'
            )
        self.seed = seed
        # A separate generator on the CPU, also where modules are built on another device.
        generator = torch.Generator('cpu').manual_seed(seed)
        draws = torch.rand(8, generator=generator, device='cpu').tolist()
        self.order = _ORDERS[int(draws[0] * len(_ORDERS))]
        # Three bits choose the curves that fall; at least one does.
        falling = 1 + int(draws[1] * 7)
        bends = [_LEAST_BEND + (_MOST_BEND - _LEAST_BEND) * draw for draw in draws[2:5]]
        signs = [1 if draw < 0.5 else -1 for draw in draws[5:]]
        curves = [2 ** (sign * bend) for sign, bend in zip(signs, bends, strict=True)]
        falls = [falling >> channel & 1 == 1 for channel in range(3)]
        # Order and curves follow from the seed, so they are no state.
        self.register_buffer('curves', torch.tensor(curves).view(3, 1, 1), persistent=False)
        self.register_buffer('falls', torch.tensor(falls).view(3, 1, 1), persistent=False)

    def forward(self, frames: Tensor) -> Tensor:
        """Recolour frames.

        Args:
            frames (Tensor): RGB in [0, 1], shape (N, 3, H, W).

        Returns:
            Tensor: RGB in [0, 1], same shape.
        """
        bent = _bend(frames[:, self.order], self.curves.to(frames.dtype))
        return torch.where(self.falls, 1 - bent, bent)

    def inverse(self, frames: Tensor) -> Tensor:
        """Undo :meth:`forward`.

        Args:
            frames (Tensor): Recoloured frames in [0, 1], shape (N, 3, H, W).

        Returns:
            Tensor: The original frames, up to rounding.
        """
        bent = torch.where(self.falls, 1 - frames, frames)
        original = _bend(bent, 1 / self.curves.to(frames.dtype))
        return original[:, [self.order.index(channel) for channel in range(3)]]

    def extra_repr(self) -> str:
        """Return the settings for ``print``."""
        return f'seed={self.seed}'


def _bend(x: Tensor, k: Tensor) -> Tensor:
    """Bend [0, 1] onto itself with slope 1 / k at 0 and slope k at 1; 1 / k as ``k`` undoes it."""
    return x / (x + k * (1 - x))
