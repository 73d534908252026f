"""Updates of several networks in one iteration, on top of MMEngine's optimizer wrappers."""

from mmengine.optim import OptimWrapper
from torch import Tensor


def partial_backward(wrapper: OptimWrapper, loss: Tensor) -> None:
    """Add the gradients of a part of the loss; ``update_params`` of the last part steps.

    ``OptimWrapper.backward`` counts each call as one accumulated batch, which a part is not.
    """
    wrapper.backward(wrapper.scale_loss(loss))
    wrapper._inner_count -= 1


def backward(wrapper: OptimWrapper, loss: Tensor, *others: OptimWrapper) -> None:
    """Do the first half of ``OptimWrapper.update_params``: the gradients.

    Args:
        wrapper (OptimWrapper): The wrapper of a network.
        loss (Tensor): Its loss, unscaled.
        others (OptimWrapper): Wrappers of further networks that learn from this loss. Each of them
            has the gradients of a backward pass of its own, though there is only one.
    """
    hooks = []
    for other in others:
        # They may accumulate other numbers of batches, and scale by another loss scale.
        one = loss.new_ones(())
        ratio = _scaled(other, one) / _scaled(wrapper, one)
        if ratio.is_cuda or ratio != 1:  # asking the GPU would wait for it
            parameters = [p for group in other.optimizer.param_groups for p in group['params']]
            hooks += [p.register_hook(ratio.mul) for p in parameters if p.requires_grad]
    wrapper.backward(wrapper.scale_loss(loss))
    for hook in hooks:
        hook.remove()
    for other in others:
        other._inner_count += 1


def _scaled(wrapper: OptimWrapper, loss: Tensor) -> Tensor:
    """Return a loss as ``OptimWrapper.update_params`` passes it back."""
    loss = wrapper.scale_loss(loss)
    scaler = getattr(wrapper, 'loss_scaler', None)
    return loss if scaler is None else scaler.scale(loss)


def update(*wrappers: OptimWrapper) -> None:
    """Do the second half of ``OptimWrapper.update_params`` for each, where it is due."""
    for wrapper in wrappers:
        if wrapper.should_update():
            wrapper.step()
            wrapper.zero_grad()


def log_values(action: dict, *others: dict) -> dict:
    """Merge parsed losses under names that do not collide; L_T's sum is ``loss_action``."""
    values = dict(action)
    for other in others:
        values.update({name: value for name, value in other.items() if name != 'loss'})
    values['loss_action'] = values.pop('loss')
    return {name: value.detach() for name, value in values.items()}
