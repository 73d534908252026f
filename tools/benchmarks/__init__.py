"""What tools/benchmark.py compares."""
