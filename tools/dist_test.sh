#!/usr/bin/env bash
# Test on several GPUs of this machine (or CPU processes, with
# --cfg-options env_cfg.dist_cfg.backend=gloo), or of several machines: see dist_run.sh.
#   tools/dist_test.sh CONFIG CHECKPOINT PROCESSES [options of tools/test.py]
set -euo pipefail
exec "$(dirname "${BASH_SOURCE[0]}")/dist_run.sh" "$3" test.py "$1" "$2" --launcher pytorch "${@:4}"
