#!/usr/bin/env bash
# Submits an experiment to Slurm: an array with a job for each training, then a job that merges and
# reports.
#
#   tools/slurm/submit.sh SPEC DATA OUTPUT [SBATCH OPTION...]
#   tools/slurm/submit.sh experiments/study.toml data runs/study --partition=gpu --gpus-per-task=1 --time=2:00:00
#
# Options go to the jobs of the array. Each job has a folder of its own, OUTPUT/shard-I, so that the
# file system need not lock files across nodes; all nodes must see SPEC, DATA, OUTPUT and the
# programs (CONTINUO_BIN, or build/bin beside this script). Submit again to resume: finished cells
# are not repeated. SHARDS=N makes fewer jobs with several trainings each.
set -euo pipefail
[ $# -ge 3 ] || { sed -n '2,9p' "$0" | sed 's/^# \{0,1\}//' >&2; exit 2; }
here=$(cd "$(dirname "$0")" && pwd)
spec=$(realpath "$1") data=$(realpath "$2") output=$(realpath -m "$3")
shift 3
export CONTINUO_BIN=${CONTINUO_BIN:-$(realpath "$here/../../build/bin")}
runs=$("$CONTINUO_BIN/continuo" experiment run "$spec" --data "$data" -o "$output/all" --dry-run --json |
  python3 -c 'import json, sys; print(len(json.load(sys.stdin)["runs"]))')
shards=${SHARDS:-$runs}
mkdir -p "$output/logs"
export STUDY_SPEC=$spec STUDY_DATA=$data STUDY_OUTPUT=$output STUDY_SHARDS=$shards
array=$(sbatch --parsable --array="0-$((shards - 1))" --output="$output/logs/cells-%A-%a.txt" "$@" "$here/cells.sbatch")
report=$(sbatch --parsable --dependency="afterany:$array" --output="$output/logs/report-%j.txt" "$here/report.sbatch")
echo "array $array of $shards jobs, then report $report: $output/report.html"
