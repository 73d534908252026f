"""A decorator that registers a component for configs of MMAction2 and of MMPretrain."""

from collections.abc import Callable

from mmengine.registry import Registry


def register(registry: Registry) -> Callable[[type], type]:
    """Register a class in ``registry`` and in MMEngine's root, where all child registries look.

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
