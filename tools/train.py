"""Train a config: MMAction2's tools/train.py, options and all.

python tools/train.py CONFIG [--work-dir DIR] [--resume [CKPT]] [--amp] [--seed N]
    [--cfg-options key=value ...] [--launcher none|pytorch|slurm|mpi] ...
"""

from spact_mm.apis import run_tool

if __name__ == '__main__':
    run_tool('train')
