"""Test a config and a checkpoint: MMAction2's tools/test.py, options and all."""

from ..apis import run_tool


def main() -> None:
    """Test as the command line says; see :func:`~spact_mm.apis.run_tool`."""
    run_tool('test')
