#!/usr/bin/env bash
# Starts munged, slurmctld and slurmd on this machine alone, and runs the scripts of tools/slurm on
# them: the grid of experiments/smoke.toml in shards with a report, a job that is cut by its time
# and resumes, and a training by two processes.
#
#   tools/slurm_test.sh build/bin
#
# Needs root and Debian's slurm-wlm and munge; exits with 77 where they are missing.
set -euo pipefail
source=$(cd "$(dirname "$0")/.." && pwd)
export CONTINUO_BIN=$(realpath "$1")
for program in slurmctld slurmd sbatch munged; do
  PATH=$PATH:/usr/sbin command -v $program >/dev/null || { echo "skipped: no $program (apt-get install slurm-wlm munge)"; exit 77; }
done
[ "$(id -u)" = 0 ] || { echo "skipped: slurmd needs root"; exit 77; }
PATH=$PATH:/usr/sbin
folder=$(mktemp -d)
mkdir -p "$folder"/{state,spool,munge,out}
pids=()
finish() {
  kill "${pids[@]}" 2>/dev/null || true
  wait 2>/dev/null || true
  rm -rf "$folder"
}
trap finish EXIT

chmod 755 "$folder"
dd if=/dev/urandom of="$folder/munge/key" bs=1024 count=1 status=none
chmod 700 "$folder/munge"
chmod 600 "$folder/munge/key"
socket=$folder/munge/socket
munged --foreground --force --key-file="$folder/munge/key" --socket="$socket" --pid-file="$folder/munge/pid" \
  --log-file="$folder/munge/log" --seed-file="$folder/munge/seed" > "$folder/munge/out" 2>&1 &
pids+=($!)

cpus=$(nproc)
memory=$(awk '/MemTotal/ {print int($2 / 1024)}' /proc/meminfo)
cat > "$folder/slurm.conf" <<CONF
ClusterName=one
SlurmctldHost=$(hostname -s)(127.0.0.1)
SlurmctldPort=16817
SlurmdPort=16818
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket=$socket
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
ReturnToService=2
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool
SlurmctldPidFile=$folder/slurmctld.pid
SlurmdPidFile=$folder/slurmd.pid
SlurmctldLogFile=$folder/slurmctld.log
SlurmdLogFile=$folder/slurmd.log
SchedulerParameters=sched_interval=1,batch_sched_delay=0
MinJobAge=300
NodeName=$(hostname -s) NodeAddr=127.0.0.1 CPUs=$cpus RealMemory=$memory State=UNKNOWN
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP
CONF
# Debian builds Slurm with cgroups, which containers may not offer.
printf "CgroupPlugin=cgroup/v1\nCgroupAutomount=no\n" > "$folder/cgroup.conf"
export SLURM_CONF=$folder/slurm.conf
slurmctld -D > "$folder/slurmctld.txt" 2>&1 &
pids+=($!)
slurmd -D -N "$(hostname -s)" > "$folder/slurmd.txt" 2>&1 &
pids+=($!)
for _ in $(seq 60); do
  sinfo --noheader --format=%t 2>/dev/null | grep -q idle && break
  sleep 1
done
sinfo --noheader --format=%t | grep -q idle || { tail -n 20 "$folder"/slurm*.log; echo "skipped: Slurm does not start here"; exit 77; }
echo "ok: Slurm runs, $(sinfo --version)"

wait_for() {  # until no job is left
  for _ in $(seq "${2:-300}"); do
    [ -z "$(squeue --noheader)" ] && return
    sleep 1
  done
  squeue
  echo "FAILED: $1 did not end"
  exit 1
}

"$source/tools/slurm/submit.sh" "$source/experiments/smoke.toml" "$source/examples" "$folder/out/smoke" --cpus-per-task=1
wait_for "the experiment" 600
# `best` needs the whole grid, so shards have no continuations.
python3 - "$folder/out/smoke/all/results.db" <<'PY'
import sqlite3, sys
rows = sqlite3.connect(sys.argv[1]).execute("SELECT status, count(*) FROM runs GROUP BY status").fetchall()
sets = sqlite3.connect(sys.argv[1]).execute("SELECT kind, status, count(*) FROM sets GROUP BY kind, status").fetchall()
assert rows == [("done", 2)], rows
assert ("grid", "done", 4) in sets and ("real", "done", 1) in sets, sets
PY
grep -q '<html' "$folder/out/smoke/report.html"
[ "$(wc -l < "$folder/out/smoke/results.tsv")" = 6 ]
echo "ok: an array of two shards, merged, with a report"

"$CONTINUO_BIN/continuo" corpus build "$source/examples/corpus" --tokenizer remi -o "$folder/corpus" -q
shape="--layers 1 --heads 2 --width 32 --context 128 --batch 4 --steps 40 --threads 1 --device cpu --precision f32 -q"
types=$(srun --mpi=list 2>&1 | tr '\n' ' ')
for type in pmix pmi2; do
  case "$types" in *"$type"*) ;; *) continue ;; esac
  # shellcheck disable=SC2086
  MPI_TYPE=$type OMPI_MCA_btl=self,vader OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 sbatch --wait --ntasks=2 --oversubscribe \
    --output="$folder/out/train-$type.txt" "$source/tools/slurm/train.sbatch" --corpus "$folder/corpus" -o "$folder/run-$type" $shape ||
    { cat "$folder/out/train-$type.txt"; echo "not with --mpi=$type"; continue; }
  [ -e "$folder/run-$type/final/model.safetensors" ] && trained=$type && break
done
[ -n "${trained:-}" ] || { echo "FAILED: no two processes trained a model; srun offers: $types"; exit 1; }
echo "ok: two processes train one model (srun --mpi=$trained)"
