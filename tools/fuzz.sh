#!/usr/bin/env bash
# Builds the fuzz targets with clang and runs each for SECONDS (600 if not given), as many at a time
# as there are processors. Inputs that reach new code are kept in out/fuzz/TARGET, those that fail
# in out/fuzz. Fails if a target does. `tools/bootstrap.sh --sanitizers` installs what it needs.
#
#   tools/fuzz.sh [SECONDS] [TARGET...]
set -euo pipefail
cd "$(dirname "$0")/.."

seconds=${1:-600}
shift || true
targets=("$@")
[ ${#targets[@]} -gt 0 ] || targets=(midi midi_edit beats tokenizer_json decode round_trip safetensors musicxml compose model_config)

cmake --preset asan --log-level=WARNING -DCMAKE_C_COMPILER=clang -DCMAKE_CXX_COMPILER=clang++
cmake --build --preset asan --target fuzzers

fuzz() {
  local target=$1
  mkdir -p "out/fuzz/$target"
  # Long inputs are slow and reach nothing that short ones don't.
  if "build-asan/bin/${target}_fuzz" -max_total_time="$seconds" -max_len=4096 -timeout=20 -rss_limit_mb=2048 \
    -artifact_prefix="out/fuzz/$target-" "out/fuzz/$target" "testdata/fuzz/$target" >"out/fuzz/$target.log" 2>&1; then
    echo "fuzz: $target: $(tail -1 "out/fuzz/$target.log")"
  else
    tail -40 "out/fuzz/$target.log" >&2
    echo "fuzz: $target failed; see out/fuzz/$target.log" >&2
    return 1
  fi
}
export -f fuzz
export seconds
printf '%s\n' "${targets[@]}" | xargs -P "$(nproc)" -I{} bash -c 'fuzz {}'
