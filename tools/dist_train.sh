#!/usr/bin/env bash
# Train on several GPUs of this machine (or CPU processes, with
# --cfg-options env_cfg.dist_cfg.backend=gloo), or of several machines: see dist_run.sh.
#   tools/dist_train.sh CONFIG PROCESSES [options of tools/train.py]
set -euo pipefail
exec "$(dirname "${BASH_SOURCE[0]}")/dist_run.sh" "$2" train.py "$1" --launcher pytorch "${@:3}"
