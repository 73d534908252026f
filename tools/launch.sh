#!/usr/bin/env bash
# Run one of the tools in the environment that makes it fast on CPUs:
#   tools/launch.sh tools/train.py CONFIG ...
# The interpreter is SPACT_PYTHON, else that of .venv, else python.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
python=${SPACT_PYTHON:-$([ -x "$root/.venv/bin/python" ] && echo "$root/.venv/bin/python" || echo python)}
# By default glibc returns large blocks to the system after each tensor and needs new pages for the next;
# with these settings it keeps them.
export MALLOC_MMAP_THRESHOLD_=${MALLOC_MMAP_THRESHOLD_:-4294967296}
export MALLOC_TRIM_THRESHOLD_=${MALLOC_TRIM_THRESHOLD_:-4294967296}
export MALLOC_TOP_PAD_=${MALLOC_TOP_PAD_:-268435456}
# Waiting threads should not occupy a core that data workers need.
export OMP_WAIT_POLICY=${OMP_WAIT_POLICY:-PASSIVE}
exec "$python" "$@"
