"""``SyncBatchNorm`` on CPUs, to compare processes with parts of a batch to one with the whole."""

import torch
from mmengine.dist import get_world_size
from torch.distributed.nn.functional import all_reduce
from torch.nn import SyncBatchNorm
from torch.nn.parallel import DistributedDataParallel


def synchronize_on_cpus():
    """Let ``SyncBatchNorm`` train where torch refuses it: ``gloo`` can reduce its sums."""
    upstream = SyncBatchNorm.forward
    # It does nothing but refuse.
    DistributedDataParallel._passing_sync_batchnorm_handle = lambda self, module: None

    def forward(self, input):
        if not self.training or get_world_size() == 1:
            return upstream(self, input)
        return _normalize_over_processes(self, input)

    SyncBatchNorm.forward = forward


def _normalize_over_processes(norm: SyncBatchNorm, x: torch.Tensor) -> torch.Tensor:
    """Normalise by the statistics of all processes' ``x``, (N, C, ...), and track them."""
    axes = [0, *range(2, x.ndim)]
    shape = [1, -1] + [1] * (x.ndim - 2)
    sums = torch.cat([x.sum(axes), x.new_tensor([x.numel() / x.shape[1]])])
    *sums, count = all_reduce(sums).split([x.shape[1], 1])
    mean = sums[0] / count
    centred = x - mean.view(shape)
    variance = all_reduce(centred.square().sum(axes)) / count
    if norm.track_running_stats:
        norm.num_batches_tracked.add_(1)
        momentum = norm.momentum
        if momentum is None:
            momentum = 1 / norm.num_batches_tracked.item()
        with torch.no_grad():
            norm.running_mean.lerp_(mean.to(norm.running_mean.dtype), momentum)
            unbiased = variance * count / (count - 1)
            norm.running_var.lerp_(unbiased.to(norm.running_var.dtype), momentum)
    y = centred * (variance + norm.eps).rsqrt().view(shape)
    if norm.affine:
        y = y * norm.weight.view(shape) + norm.bias.view(shape)
    return y
