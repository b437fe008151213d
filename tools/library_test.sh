#!/usr/bin/env bash
# Builds the library without the programs, with the packages that only programs need hidden, and
# runs examples/ against it.
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
cmake --build "$build"
cmake --install "$build" --prefix "$build/prefix" >"$build/install.log"
cmake -S "$source/examples" -B "$build/examples" -G Ninja -DCMAKE_BUILD_TYPE=Debug -DCMAKE_PREFIX_PATH="$build/prefix" \
  --log-level=NOTICE
cmake --build "$build/examples"
cd "$build"
examples/generate prefix/share/continuo/models/pop-piano piece.mid
head -c 4 piece.mid | grep -q MThd
echo "library: ok"
