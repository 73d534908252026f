"""The contrastive loss L_B of SPAct."""

import math

import torch
import torch.nn.functional as F
from mmaction.registry import MODELS
from mmengine.dist import all_gather, get_rank, get_world_size
from torch import Tensor, nn

from ...registration import register


class _ScaleGradient(torch.autograd.Function):
    """Identity whose gradient is multiplied by a factor."""

    @staticmethod
    def forward(ctx, x: Tensor, factor: int) -> Tensor:
        ctx.factor = factor
        return x.view_as(x)

    @staticmethod
    def backward(ctx, gradient: Tensor):
        return gradient * ctx.factor, None


def _gather_views(z: Tensor) -> Tensor:
    """Concatenate every process's ``(N, D)`` rows; gradients reach the rows of this process.

    Each process computes the whole loss, so the gradient of its own rows is already complete and
    the backward pass needs no communication. Distributed data parallel then *averages* parameter
    gradients over the processes, but the contributions of the rows have to be *summed*: the factor
    corrects for this.
    """
    rows = all_gather(z.detach())
    rows[get_rank()] = _ScaleGradient.apply(z, get_world_size())
    return torch.cat(rows)


@register(MODELS)
class NTXentLoss(nn.Module):
    """Normalized temperature-scaled cross entropy of two views (SPAct Section 3.3, SimCLR Eq. 1).

    For anchor i of N pairs (z, z'), with h(u, v) = exp(cos(u, v) / temperature):
    -log h(z_i, z'_i) / sum_j [1(j != i) h(z_i, z_j) + h(z_i, z'_j)], averaged over the 2N anchors.

    Args:
        temperature (float): Softmax temperature. Defaults to 0.1.
        gather (bool): With several processes, take the negatives of all of them, so that loss and
            parameter gradients are those of one process with the whole batch; every process must
            hold equally many pairs. Defaults to True.

    Raises:
        ValueError: If the temperature is not positive.

    Example:
        >>> NTXentLoss(temperature=0.1)(torch.randn(4, 128), torch.randn(4, 128)).shape
        torch.Size([])
    """

    def __init__(self, temperature: float = 0.1, gather: bool = True) -> None:
        super().__init__()
        if temperature <= 0:
            raise ValueError(f'NTXentLoss needs temperature > 0, but got {temperature}.')
        self.temperature = temperature
        self.gather = gather

    def forward(self, z0: Tensor, z1: Tensor) -> Tensor:
        """Compute the loss of two views.

        Args:
            z0 (Tensor): Embeddings of the first views, (N, D), normalised here.
            z1 (Tensor): Embeddings of the second views in the same order, (N, D).

        Returns:
            Tensor: Scalar loss.

        Raises:
            ValueError: If the shapes differ or there is one pair only, which has no negatives.
        """
        if z0.shape != z1.shape or z0.ndim != 2:
            raise ValueError(
                'NTXentLoss needs two views of one shape (N, D), '
                f'but got {tuple(z0.shape)} and {tuple(z1.shape)}.'
            )
        # Cosines divided by a temperature of 0.1 need more digits than half precision has.
        with torch.autocast(z0.device.type, enabled=False):
            return self._loss(*(z.float() if z.itemsize < 4 else z for z in (z0, z1)))

    def bounds(self, pairs: int) -> tuple[float, float]:
        """Return the losses of a perfect embedding and of one that maps all images to one point.

        Args:
            pairs (int): Pairs in a batch of this process.

        Returns:
            tuple[float, float]: The loss where both views of an image are equal and the images are
            as far apart as possible, near 0 at low temperatures; and log(2N - 1).
        """
        pairs *= get_world_size() if self.gather else 1
        # The corners of a simplex have cosines of -1 / (N - 1).
        distance = 1 + 1 / (pairs - 1)
        low = math.log1p((2 * pairs - 2) * math.exp(-distance / self.temperature))
        return low, math.log(2 * pairs - 1)

    def _loss(self, z0: Tensor, z1: Tensor) -> Tensor:
        z0, z1 = F.normalize(z0, dim=1), F.normalize(z1, dim=1)
        if self.gather and get_world_size() > 1:
            z0, z1 = _gather_views(z0), _gather_views(z1)
        pairs = len(z0)
        if pairs < 2:
            raise ValueError(
                'NTXentLoss got one pair, which has no negatives; use a batch size of 2 or more.'
            )
        z = torch.cat([z0, z1])
        logits = z @ z.t() / self.temperature
        logits.fill_diagonal_(float('-inf'))
        positives = torch.arange(2 * pairs, device=z.device).roll(pairs)
        return F.cross_entropy(logits, positives)
