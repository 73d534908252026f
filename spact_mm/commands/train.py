"""Train a config: MMAction2's tools/train.py, options and all."""

from ..apis import run_tool


def main() -> None:
    """Train as the command line says; see :func:`~spact_mm.apis.run_tool`."""
    run_tool('train')
