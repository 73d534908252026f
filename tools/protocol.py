"""Run a protocol: train, attack and measure every method. The same as `spact-protocol`."""

import sys

from spact_mm.commands.protocol import main

if __name__ == '__main__':
    sys.exit(main())
