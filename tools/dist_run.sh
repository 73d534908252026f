#!/usr/bin/env bash
# Run a tool in several processes, as dist_train.sh and dist_test.sh do:
#   tools/dist_run.sh PROCESSES TOOL [arguments of the tool]
# Several machines: set NNODES, NODE_RANK, MASTER_ADDR and PORT as for torchrun.
set -euo pipefail
tools=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-1}
exec "$tools/launch.sh" -m torch.distributed.run \
    --nnodes="${NNODES:-1}" --node_rank="${NODE_RANK:-0}" \
    --master_addr="${MASTER_ADDR:-127.0.0.1}" --master_port="${PORT:-29500}" \
    --nproc_per_node="$1" "$tools/$2" "${@:3}"
