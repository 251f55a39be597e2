#!/bin/bash
# Ranks and judges what the tasks of encode-array.sh have encoded. It needs no GPU where a
# store may be read on another kind of device; see docs/cluster.md.
#SBATCH --job-name=robust-judge
#SBATCH --gpus=1
#SBATCH --cpus-per-task=8
#SBATCH --mem=32G
#SBATCH --time=01:00:00
#SBATCH --output=robust-judge-%j.log
set -euo pipefail

exec pytest "$@" \
  --robust-cache-dir "${ROBUST_STORE:?a folder that every node sees}" \
  --robust-results "${ROBUST_RESULTS:-results}"
