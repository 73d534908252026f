"""Building anonymizers by their configs, without the models of MMAction2 where none is named."""

from collections.abc import Mapping

from mmaction.registry import MODELS
from torch import nn

from ...startup import register_components


def build_anonymizer(config: Mapping) -> nn.Module:
    """Build an anonymizer as ``MODELS.build`` does.

    Before a registry of MMAction2 looks for a name, it imports all modules of its kind, which takes
    seconds. A class that is registered already is found without that.

    Args:
        config (Mapping): Config with ``type``.
    """
    kind = config['type'] if isinstance(config, Mapping) and 'type' in config else None
    registered = MODELS.module_dict.get(kind) if isinstance(kind, str) else None
    if registered is None:
        register_components()
        return MODELS.build(config)
    return MODELS.build({**config, 'type': registered})


def find_class(kind: str | type) -> type | None:
    """Return the class that a config's ``type`` stands for."""
    if isinstance(kind, type):
        return kind
    return MODELS.module_dict.get(kind) or MODELS.get(kind)
