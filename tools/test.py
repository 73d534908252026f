"""Test a config and a checkpoint: MMAction2's tools/test.py, options and all. As `spact-test`.

python tools/test.py CONFIG CHECKPOINT [--work-dir DIR] [--dump FILE.pkl]
    [--cfg-options key=value ...] [--launcher none|pytorch|slurm|mpi] ...

A config is a program and runs: use only those that you trust. A checkpoint is read as data.
"""

import sys

from spact_mm.commands.test import main

if __name__ == '__main__':
    sys.exit(main())
