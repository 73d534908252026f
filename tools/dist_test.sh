#!/usr/bin/env bash
# Test on several GPUs of this machine (or CPU processes, with
# --cfg-options env_cfg.dist_cfg.backend=gloo):
#   tools/dist_test.sh CONFIG CHECKPOINT PROCESSES [options of tools/test.py]
# Several machines: set NNODES, NODE_RANK, MASTER_ADDR and PORT as for torchrun.
set -euo pipefail
tools=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
config=$1
checkpoint=$2
processes=$3
shift 3
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-1}
exec "$tools/launch.sh" -m torch.distributed.run \
    --nnodes="${NNODES:-1}" --node_rank="${NODE_RANK:-0}" \
    --master_addr="${MASTER_ADDR:-127.0.0.1}" --master_port="${PORT:-29500}" \
    --nproc_per_node="$processes" "$tools/test.py" "$config" "$checkpoint" --launcher pytorch "$@"
