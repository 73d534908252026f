"""``python -m spact_mm.protocols FOLDER``: run one stage that a protocol prepared."""

import os
import signal
import sys
import threading
import time

import spact_mm  # noqa: F401  (before anything of MMAction2)
from spact_mm.protocols.schedule import TOOL
from spact_mm.protocols.stage import run_stage


def end_with(tool: int) -> None:
    """End this process and its data workers as soon as the tool that started it has ended.

    The tool does so itself where it can, but not when it is killed.
    """
    while os.getppid() == tool:
        time.sleep(0.5)
    os.killpg(0, signal.SIGKILL)


if __name__ == '__main__':
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    if TOOL in os.environ:
        threading.Thread(target=end_with, args=(int(os.environ[TOOL]),), daemon=True).start()
    run_stage(sys.argv[1])
