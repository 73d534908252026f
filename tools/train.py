"""Train a config: MMAction2's tools/train.py, options and all. The same as `spact-train`.

python tools/train.py CONFIG [--work-dir DIR] [--resume [CKPT]] [--amp] [--seed N]
    [--cfg-options key=value ...] [--launcher none|pytorch|slurm|mpi] ...

A config is a program and runs: use only those that you trust. A checkpoint is read as data, also
with --resume: nothing in it is run.
"""

import sys

from spact_mm.commands.train import main

if __name__ == '__main__':
    sys.exit(main())
