"""Run one stage that a protocol prepared, or be the process that is forked for each.

python -m spact_mm.protocols FOLDER
python -m spact_mm.protocols --serve
"""

import os
import sys

import spact_mm  # noqa: F401  (before anything of MMAction2)
from spact_mm.protocols.schedule import TOOL
from spact_mm.protocols.stage import run_stage
from spact_mm.protocols.watch import end_with_parent
from spact_mm.protocols.zygote import serve

if __name__ == '__main__':
    if sys.argv[1:] == ['--serve']:
        # What stages need beyond the above.
        import mmpretrain.datasets
        import mmpretrain.evaluation  # noqa: F401

        serve()
        sys.exit()
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    if TOOL in os.environ:
        end_with_parent(int(os.environ[TOOL]))
    run_stage(sys.argv[1])
