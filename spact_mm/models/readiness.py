"""Measures of the networks that a minimax training starts from."""

import torch
import torch.nn.functional as F


@torch.no_grad()
def measure_readiness(model, data: dict) -> dict[str, float]:
    """Measure f_A and f_T before the minimax training, in eval mode and without changing anything.

    Args:
        model (MinimaxAnonymization): The model.
        data (dict): A training batch.

    Returns:
        dict[str, float]: ``l1`` (sum of the mean L1 of each frame) and ``frames``; ``correct``
        (Top-1 hits of f_T(f_A(x))), ``clips`` and ``classes``.
    """
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    batch = model.data_preprocessor(data, False)
    l1 = frames = 0.0
    for x in model._plain_clips(batch):
        count = len(x) * x.shape[1]
        l1 += F.l1_loss(model._reproduce(x), x).item() * count
        frames += count
    action = batch['action']
    predictions = model.forward(action['inputs'], action['data_samples'], mode='predict')
    hits = [int(p.pred_score.argmax()) == int(p.gt_label) for p in predictions]
    for module, training in modes:
        module.training = training
    classes = float(predictions[0].pred_score.numel())
    return dict(l1=l1, frames=frames, correct=sum(hits), clips=len(hits), classes=classes)
