#!/usr/bin/env bash
# Run one of the tools in the environment that makes it fast on CPUs:
#   tools/launch.sh tools/train.py CONFIG ...
# The interpreter is SPACT_PYTHON, else that of .venv, else python.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
python=${SPACT_PYTHON:-$([ -x "$root/.venv/bin/python" ] && echo "$root/.venv/bin/python" || echo python)}
# glibc gives large blocks back to the system after each tensor and pays for fresh pages at the next;
# these keep them.
export MALLOC_MMAP_THRESHOLD_=${MALLOC_MMAP_THRESHOLD_:-4294967296}
export MALLOC_TRIM_THRESHOLD_=${MALLOC_TRIM_THRESHOLD_:-4294967296}
export MALLOC_TOP_PAD_=${MALLOC_TOP_PAD_:-268435456}
# Threads that wait should not keep a core from the data workers.
export OMP_WAIT_POLICY=${OMP_WAIT_POLICY:-PASSIVE}
exec "$python" "$@"
