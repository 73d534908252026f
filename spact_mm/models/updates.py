"""Updates of several networks in one iteration, on top of MMEngine's optimizer wrappers."""

from mmengine.optim import OptimWrapper
from torch import Tensor


def partial_backward(wrapper: OptimWrapper, loss: Tensor) -> None:
    """Add the gradients of a part of the loss; ``update_params`` of the last part steps.

    ``OptimWrapper.backward`` counts each call as one accumulated batch, which a part is not.
    """
    wrapper.backward(wrapper.scale_loss(loss))
    wrapper._inner_count -= 1


def backward(wrapper: OptimWrapper, loss: Tensor) -> None:
    """Do the first half of ``OptimWrapper.update_params``: the gradients."""
    wrapper.backward(wrapper.scale_loss(loss))


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
