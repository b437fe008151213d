#!/usr/bin/env bash
# Packs a build's Python extension and programs as a wheel, with the shared libraries that they need
# and no system is sure to have. FluidSynth and its libsndfile are not packed, as they take dozens
# of others: `continuo render` takes those of the system. Nor is LibTorch, which `continuo train`
# takes from pip's torch. Compiles nothing. The environment of `tools/bootstrap.sh --python` does
# the work.
#
#   tools/wheel.sh BUILD OUT     writes OUT/continuo-*.whl in place of any that are there
set -euo pipefail
build=$(cd "$1" && pwd)
mkdir -p "$2"
out=$(cd "$2" && pwd)
source=$(cd "$(dirname "$0")/.." && pwd)
tools=${HOME:-}/.local/share/continuo/python/bin
most_bytes=25000000
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

fail() { echo "wheel: $1" >&2; exit 1; }
[ -x "$tools/auditwheel" ] || fail "$tools has no auditwheel (tools/bootstrap.sh --python)"

# scikit-build-core reads the source's folder only; pip would copy it.
(cd "$source" && "$tools/python" -c '
import sys
from scikit_build_core.build import build_wheel
build_wheel(sys.argv[1], {"build-dir": sys.argv[2], "cmake.define.CONTINUO_PREBUILT": sys.argv[3],
                          "cmake.args": "-GNinja"})' "$work/plain" "$work/build" "$build") >"$work/log" 2>&1 || {
  cat "$work/log" >&2
  fail "scikit-build-core failed"
}
# torch has a libgomp.so.1 of its own, and a second one would be a second pool of threads.
not_packed=(libfluidsynth.so.3 libsndfile.so.1 libtorch.so libtorch_cpu.so libc10.so libgomp.so.1)
PATH=$tools:$PATH "$tools/auditwheel" repair --strip "${not_packed[@]/#/--exclude=}" -w "$work/repaired" "$work"/plain/*.whl >"$work/log" 2>&1 || {
  cat "$work/log" >&2
  fail "auditwheel failed"
}
wheel=$(echo "$work"/repaired/*.whl)
bytes=$(stat -c %s "$wheel")
[ "$bytes" -le "$most_bytes" ] || fail "$(basename "$wheel") has $bytes bytes, expected at most $most_bytes"
rm -f "$out"/continuo-*.whl
mv "$wheel" "$out"
echo "wheel: $out/$(basename "$wheel") ($((bytes / 1000)) kB)"
