"""Attack your own clips: what do fresh attackers find before and after? As `spact-attack`."""

import sys

from spact_mm.commands.attack import main

if __name__ == '__main__':
    sys.exit(main())
