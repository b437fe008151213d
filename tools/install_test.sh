#!/usr/bin/env bash
# Installs a build into an empty folder, builds examples/ against it from there, and runs them: what
# find_package(continuo) gives.
#
#   tools/install_test.sh BUILD
set -euo pipefail
build=$(cd "$1" && pwd)
source=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

cmake --install "$build" --prefix "$work/prefix" >"$work/log"
cp -r "$source/examples" "$work/examples"
cmake -S "$work/examples" -B "$work/build" -G Ninja -DCMAKE_BUILD_TYPE=Debug -DCMAKE_PREFIX_PATH="$work/prefix" >>"$work/log" 2>&1 || {
  cat "$work/log"; exit 1; }
cmake --build "$work/build"

model=$work/prefix/share/continuo/models/pop-piano
cd "$work"
bars() { prefix/bin/continuo eval "$1" --si no --json | python3 -c 'import json, sys; print(json.load(sys.stdin)["files"][0]["bars"])'; }
build/generate "$model" piece.mid
prefix/bin/continuo -q generate --bars 32 -o pieces
cmp piece.mid pieces/piece-001.mid
[ "$(bars piece.mid)" = 32 ]
build/generate_c "$model" examples/prompt.mid continued.mid
[ "$(bars continued.mid)" = 8 ]
build/octave_up examples/prompt.mid higher.mid
[ "$(bars higher.mid)" = 8 ]
# The C interface says why it fails.
if build/generate_c "$model/none" examples/prompt.mid no.mid 2>error; then exit 1; fi
grep -q "none" error
[ ! -e no.mid ]
# And exports nothing but itself.
if nm -D --defined-only prefix/lib*/libcontinuo.so prefix/lib*/*/libcontinuo.so 2>/dev/null | grep " T " | grep -v " continuo_"; then
  echo "the C library exports other names"
  exit 1
fi
echo "install: ok"
