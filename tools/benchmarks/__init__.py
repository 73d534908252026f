"""The comparisons of tools/benchmark.py."""
