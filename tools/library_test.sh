#!/usr/bin/env bash
# Builds the library without the programs, with the packages that only programs need hidden, and
# runs examples/ against it. Without the packages that it needs, their names are reported.
#
#   tools/library_test.sh BUILD TYPE [CMAKE ARGUMENT ...]
set -euo pipefail
build=$1
type=$2
shift 2
source=$(cd "$(dirname "$0")/.." && pwd)
hidden=()
for package in CLI11 SQLite3 ZLIB MPI OpenMP Torch GTest; do
  hidden+=("-DCMAKE_DISABLE_FIND_PACKAGE_$package=ON")
done
cmake -S "$source" -B "$build" -G Ninja -DCMAKE_BUILD_TYPE="$type" -DCONTINUO_PROGRAMS=OFF \
  -DCMAKE_IGNORE_PATH=/usr/include/toml++ "${hidden[@]}" "$@" --log-level=NOTICE
without=$build/without-packages
if cmake -S "$source" -B "$without" -G Ninja -DCONTINUO_PROGRAMS=OFF -DCMAKE_DISABLE_FIND_PACKAGE_fmt=ON \
  -DCMAKE_DISABLE_FIND_PACKAGE_nlohmann_json=ON "$@" >"$build/without.log" 2>&1; then
  echo "library: configured without fmt" >&2
  exit 1
fi
grep -q 'libfmt-dev' "$build/without.log" && grep -q 'nlohmann-json3-dev' "$build/without.log"
cmake --build "$build"
cmake --install "$build" --prefix "$build/prefix" >"$build/install.log"
cmake -S "$source/examples" -B "$build/examples" -G Ninja -DCMAKE_BUILD_TYPE=Debug -DCMAKE_PREFIX_PATH="$build/prefix" \
  --log-level=NOTICE
cmake --build "$build/examples"
cd "$build"
examples/generate prefix/share/continuo/models/pop-piano piece.mid
head -c 4 piece.mid | grep -q MThd
echo "library: ok"
