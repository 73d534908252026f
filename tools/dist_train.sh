#!/usr/bin/env bash
# Train on several GPUs of this machine (or CPU processes, with
# --cfg-options env_cfg.dist_cfg.backend=gloo):
#   tools/dist_train.sh CONFIG PROCESSES [options of tools/train.py]
# Several machines: set NNODES, NODE_RANK, MASTER_ADDR and PORT as for torchrun.
set -euo pipefail
tools=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
config=$1
processes=$2
shift 2
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-1}
exec "$tools/launch.sh" -m torch.distributed.run \
    --nnodes="${NNODES:-1}" --node_rank="${NODE_RANK:-0}" \
    --master_addr="${MASTER_ADDR:-127.0.0.1}" --master_port="${PORT:-29500}" \
    --nproc_per_node="$processes" "$tools/train.py" "$config" --launcher pytorch "$@"
