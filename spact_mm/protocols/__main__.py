"""``python -m spact_mm.protocols FOLDER``: run one stage that a protocol prepared."""

import sys

import spact_mm  # noqa: F401  (before anything of MMAction2)
from spact_mm.protocols.stage import run_stage

if __name__ == '__main__':
    run_stage(sys.argv[1])
