"""One decorator that makes a component known to configs of MMAction2 and of MMPretrain alike."""

from collections.abc import Callable

from mmengine.registry import Registry


def register(registry: Registry) -> Callable[[type], type]:
    """Register a class in ``registry`` and in MMEngine's root, where all its children look.

    Args:
        registry (Registry): One of ``mmaction.registry``.

    Returns:
        Callable: A class decorator.
    """

    def decorate(cls: type) -> type:
        registry.register_module(module=cls)
        registry.root.register_module(module=cls)
        return cls

    return decorate
