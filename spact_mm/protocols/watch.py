"""A stage must not outlive the process that started it."""

import os
import signal
import threading
import time


def end_with_parent(parent: int | None = None) -> None:
    """End this process and its data workers as soon as its parent has ended.

    The tool that starts stages ends them itself where it can, but not when it is killed.

    Args:
        parent (int, optional): The parent's process id. Defaults to that of now.
    """
    parent = os.getppid() if parent is None else parent

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os.killpg(0, signal.SIGKILL)

    threading.Thread(target=watch, daemon=True).start()
