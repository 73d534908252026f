#!/usr/bin/env bash
# Train on a Slurm cluster:
#   [GPUS=8] [GPUS_PER_NODE=8] [CPUS_PER_TASK=12] [SRUN_ARGS="..."] \
#       tools/slurm_train.sh PARTITION JOB_NAME CONFIG [options of tools/train.py]
set -euo pipefail
tools=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
partition=$1
job=$2
config=$3
shift 3
gpus=${GPUS:-8}
per_node=${GPUS_PER_NODE:-$((gpus < 8 ? gpus : 8))}
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-1}
# What torchrun would tell each process. MMEngine's launcher for Slurm needs a GPU, and gives all jobs
# of a node one port.
# shellcheck disable=SC2016
task='
export RANK=$SLURM_PROCID LOCAL_RANK=$SLURM_LOCALID WORLD_SIZE=$SLURM_NTASKS
export MASTER_ADDR=${MASTER_ADDR:-127.0.0.1} MASTER_PORT=${MASTER_PORT:-$((20000 + SLURM_JOB_ID % 10000))}
if [ "$SLURM_NNODES" -gt 1 ] && [ "$MASTER_ADDR" = 127.0.0.1 ]; then
  MASTER_ADDR=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)
fi
exec "$@"'
# SRUN_ARGS holds several words.
# shellcheck disable=SC2086
exec srun --partition="$partition" --job-name="$job" \
    --gres=gpu:"$per_node" --ntasks="$gpus" --ntasks-per-node="$per_node" \
    --cpus-per-task="${CPUS_PER_TASK:-12}" --kill-on-bad-exit=1 ${SRUN_ARGS:-} \
    bash -c "$task" task "$tools/launch.sh" -u "$tools/train.py" "$config" --launcher pytorch "$@"
