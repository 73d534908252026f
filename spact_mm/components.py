"""Importing this module registers all components with MMEngine."""

from . import compat

# Called before anything of MMAction2 or MMPretrain is imported.
compat.apply()

from . import datasets, engine, evaluation  # noqa: E402, F401
from .models import *  # noqa: E402, F403  (its names are imported when they are first used)
