"""SPAct, self-supervised privacy preservation for action recognition, for MMAction2.

Importing the package registers its components with MMEngine, at the latest when MMEngine is
imported; configs do so by ``custom_imports = dict(imports=['spact_mm'])``.
"""

import lazy_loader

from .compat import keep_garbage_in_forks
from .startup import register_when_needed

__version__ = '0.1.0'

__getattr__, _, _ = lazy_loader.attach(__name__, ['datasets', 'engine', 'evaluation', 'models'])
__all__ = ['__version__', 'datasets', 'engine', 'evaluation', 'models']

keep_garbage_in_forks()
register_when_needed()
