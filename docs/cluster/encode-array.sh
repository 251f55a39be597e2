#!/bin/bash
# Encodes what a suite needs, shared out among the tasks of a Slurm array.
#
#   export ROBUST_STORE=/shared/robust       # a folder that every node sees
#   array=$(sbatch --parsable encode-array.sh gate/)
#   sbatch --dependency=afterok:"$array" judge.sh gate/
#
# What follows the script's name is what pytest is given for the suite.
#SBATCH --job-name=robust-encode
#SBATCH --array=1-8
#SBATCH --gpus=1
#SBATCH --cpus-per-task=8
#SBATCH --mem=32G
#SBATCH --time=04:00:00
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --output=robust-encode-%A-%a.log
#SBATCH --signal=B:USR1@120
set -uo pipefail

python -m pytest_retrieval_robust encode "$@" \
  --robust-cache-dir "${ROBUST_STORE:?a folder that every node sees}" \
  --part "$SLURM_ARRAY_TASK_ID/$SLURM_ARRAY_TASK_COUNT" --steal &
encoding=$!

# Two minutes before the time limit: end in good order, and queue again for the rest.
must_requeue=
trap 'must_requeue=yes; kill -TERM "$encoding"' USR1
# A preempted task is queued again by Slurm itself.
trap 'kill -TERM "$encoding"' TERM INT

# A signal ends `wait` before the process has ended.
status=0
while true; do
  wait "$encoding"
  status=$?
  kill -0 "$encoding" 2> /dev/null || break
done

if [ -n "$must_requeue" ]; then
  scontrol requeue "$SLURM_JOB_ID"
fi
exit "$status"
