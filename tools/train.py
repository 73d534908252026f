"""Train a config: MMAction2's tools/train.py, options and all.

python tools/train.py CONFIG [--work-dir DIR] [--resume [CKPT]] [--amp] [--seed N]
    [--cfg-options key=value ...] [--launcher none|pytorch|slurm|mpi] ...

A config is a program and runs: use only those that you trust. A checkpoint is read as data, also
with --resume: nothing in it is run.
"""

from spact_mm.apis import run_tool

if __name__ == '__main__':
    run_tool('train')
