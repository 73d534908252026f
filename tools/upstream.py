"""Run any tool of MMAction2 or MMPretrain with this package imported first.

Most of the tools work with the configs without this script (docs/upstream_tools.md). Tools that
import models or metrics before they read the config need it if only this package makes these
importable (spact_mm/compat). With this script an error of a config is one sentence.

Example:
    python tools/upstream.py mmaction/analysis_tools/confusion_matrix CONFIG CHECKPOINT
    python tools/upstream.py mmpretrain/visualization/browse_dataset CONFIG --not-show
"""

import sys

import spact_mm  # noqa: F401  (before anything of MMAction2)
from spact_mm.apis import refuse_in_one_sentence, run_tool

if __name__ == '__main__':
    if len(sys.argv) < 2 or sys.argv[1] in ('-h', '--help'):
        sys.exit(__doc__)
    # The tool finds its own arguments.
    name = sys.argv.pop(1).removesuffix('.py')
    package, _, tool = name.partition('/')
    with refuse_in_one_sentence():
        run_tool(tool, package)
