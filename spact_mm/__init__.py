"""SPAct, self-supervised privacy preservation for action recognition, for MMAction2.

Importing the package registers its components with MMEngine; configs do so by
``custom_imports = dict(imports=['spact_mm'])``.
"""

from . import compat

# Called before anything of MMAction2 or MMPretrain is imported.
compat.apply()

from . import datasets, engine, evaluation, models  # noqa: E402

__version__ = '0.1.0'

__all__ = ['__version__', 'datasets', 'engine', 'evaluation', 'models']
