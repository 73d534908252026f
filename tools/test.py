"""Test a config and a checkpoint: MMAction2's tools/test.py, options and all.

python tools/test.py CONFIG CHECKPOINT [--work-dir DIR] [--dump FILE.pkl]
    [--cfg-options key=value ...] [--launcher none|pytorch|slurm|mpi] ...

A config is a program and runs: use only those that you trust. A checkpoint is read as data.
"""

from spact_mm.apis import run_tool

if __name__ == '__main__':
    run_tool('test')
