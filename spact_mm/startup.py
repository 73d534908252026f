"""Registering the components when MMEngine is first needed, and not before.

Importing MMAction2, MMPretrain and PyTorch takes seconds and hundreds of megabytes. A program that
only rewrites files needs none of them, or few parts.
"""

import importlib
import sys
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_loader

#: Imports before which the components have to be registered: of MMEngine and what is built on it,
#: and of this package's own folders with components.
_TRIGGERS = {
    *(upstream := ('mmengine', 'mmcv', 'mmaction', 'mmpretrain')),
    *(f'{__package__}.{name}' for name in ('datasets', 'engine', 'evaluation', 'models')),
}


class _Loaded(Loader):
    """Give a module that was loaded while it was searched for."""

    def __init__(self, module) -> None:
        self._module, self._spec = module, module.__spec__

    def create_module(self, spec):
        return self._module

    def exec_module(self, module) -> None:
        module.__spec__ = self._spec


class _Starter(MetaPathFinder):
    """Register the components before the first import of :data:`_TRIGGERS`; find no module."""

    is_postponed = False

    def find_spec(self, name: str, path=None, target=None) -> ModuleSpec | None:
        if name not in _TRIGGERS:
            return None
        self.start()
        module = sys.modules.get(name)
        return module and spec_from_loader(name, _Loaded(module))

    def start(self) -> None:
        if self not in sys.meta_path:
            return
        sys.meta_path.remove(self)
        try:
            if self.is_postponed:
                from . import compat

                compat.apply_to_checkpoints()
            else:
                register_components()
        except BaseException:
            sys.meta_path.insert(0, self)  # the next import fails in the same way
            raise


_starter = _Starter()


def register_when_needed() -> None:
    """Register the components now if MMEngine is imported already, else before it is imported."""
    sys.meta_path.insert(0, _starter)
    if any(name in sys.modules for name in upstream):
        _starter.start()


def postpone_components() -> None:
    """Leave the components out of this process, which builds only anonymizers of this package.

    What guards the loading of checkpoints is in place nevertheless. It has no effect in a process
    in which the components are registered.
    """
    _starter.is_postponed = True


def register_components() -> None:
    """Register the components, if they are not yet registered."""
    importlib.import_module(f'{__package__}.components')
