"""One optimizer for each player of the minimax."""

from mmaction.registry import OPTIM_WRAPPER_CONSTRUCTORS
from mmengine.optim import OptimWrapperDict, build_optim_wrapper
from torch import nn

from ..models.unwrapped import unwrapped
from ..registration import register

#: Settings that are allowed beside the children, as defaults for children that do not set them.
#: MMAction2's ``tools/train.py --amp`` sets ``type`` and ``loss_scale`` there.
_SHARED = ('type', 'loss_scale', 'dtype', 'clip_grad', 'accumulative_counts')


@register(OPTIM_WRAPPER_CONSTRUCTORS)
class MinimaxOptimWrapperConstructor:
    """Build an ``OptimWrapperDict`` with one optimizer wrapper per child of the model.

    Args:
        optim_wrapper_cfg (dict): Config of the optimizer wrapper by name of the child, each with
            its own ``optimizer`` and any other setting of MMEngine. ``type``, ``loss_scale``,
            ``dtype``, ``clip_grad`` and ``accumulative_counts`` beside the children are defaults
            for all children.
        paramwise_cfg (dict, optional): Default ``paramwise_cfg`` of all children.

    Raises:
        ValueError: If the names are not exactly the names of the children with parameters.

    Example:
        >>> optim_wrapper = dict(
        ...     constructor='MinimaxOptimWrapperConstructor',
        ...     anonymizer=dict(optimizer=dict(type='Adam', lr=1e-3)),
        ...     recognizer=dict(optimizer=dict(type='Adam', lr=1e-4)),
        ...     privacy_branch=dict(optimizer=dict(type='Adam', lr=1e-4)))
    """

    def __init__(self, optim_wrapper_cfg: dict, paramwise_cfg: dict | None = None) -> None:
        self.shared = {k: v for k, v in optim_wrapper_cfg.items() if k in _SHARED}
        self.children = {k: v for k, v in optim_wrapper_cfg.items() if k not in _SHARED}
        if paramwise_cfg is not None:
            self.shared['paramwise_cfg'] = paramwise_cfg

    def __call__(self, model: nn.Module) -> OptimWrapperDict:
        """Build the optimizers of ``model``, which may be wrapped for distributed training."""
        model = unwrapped(model)
        learning = {
            name: child
            for name, child in model.named_children()
            if any(p.requires_grad for p in child.parameters())
        }
        if set(learning) != set(self.children):
            raise ValueError(
                f'optim_wrapper names {sorted(self.children)}, but the children of '
                f'{type(model).__name__} that have parameters to train are {sorted(learning)}; '
                'give exactly these an entry.'
            )
        return OptimWrapperDict(
            **{
                name: build_optim_wrapper(learning[name], {**self.shared, **cfg})
                for name, cfg in self.children.items()
            }
        )
