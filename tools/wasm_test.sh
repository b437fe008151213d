#!/usr/bin/env bash
# Compiles the library for WebAssembly and tests it in node: modules by their own tests, then the
# npm package, whose pieces are compared with those of the native library. Then packs the studio,
# and opens it in Chromium from a file.
#
#   tools/wasm_test.sh BUILD
#
# BUILD has the native programs. Exits with 77 where Emscripten or node is missing, with 1 where
# CONTINUO_REQUIRE_WASM is set.
set -euo pipefail
build=$(realpath "$1")
source=$(cd "$(dirname "$0")/.." && pwd)
wasm=$build/wasm

if ! command -v em++ >/dev/null || ! command -v node >/dev/null || [ ! -d /usr/src/googletest ]; then
  echo "wasm_test: skipped: no Emscripten, node or googletest (tools/bootstrap.sh --wasm installs them)"
  [ -z "${CONTINUO_REQUIRE_WASM:-}" ] || exit 1
  exit 77
fi

lap() {
  echo "wasm_test: $1: ok, $((SECONDS - begin)) s"
  begin=$SECONDS
}
begin=$SECONDS
(cd "$source" && cmake --preset wasm -B "$wasm" -DCONTINUO_TESTS=ON --log-level=WARNING >/dev/null)
# pieces_test has some of token's and compose's (continuo/bindings/wasm). Not those of os, whose
# files and processes node has in part; nor of what isn't for WebAssembly.
modules=(core_test midi_test score_test metrics_test notation_test model_test engine_cpu_test pieces_test)
cmake --build "$wasm" --target continuo_wasm "${modules[@]}" >"$wasm/build.log" || { tail -50 "$wasm/build.log"; exit 1; }
lap "build"
pattern=$(IFS='|'; echo "${modules[*]}")
ctest --test-dir "$wasm" --output-on-failure -R "^($pattern)\$"
lap "tests of the modules"

"$source/tools/studio.sh" "$build" "$wasm" "$wasm/out" package
four_lanes=$wasm/four-lanes
rm -rf "$four_lanes" && mkdir -p "$four_lanes"
for seed in 1 2 3 4; do
  "$build/bin/continuo" -q generate --lanes 4 --bars 8 --seed $seed -o "$four_lanes/$seed"
done
CONTINUO_PACKAGE=$wasm/out/npm CONTINUO_FOUR_LANES=$four_lanes node --test "$source"/continuo/bindings/wasm/tests/*.test.mjs
lap "npm package"

if [ ! -e "$source/web/studio/node_modules/.package-lock.json" ]; then
  echo "wasm_test: studio.html: skipped: no npm packages of web/studio (tools/bootstrap.sh --wasm installs them)"
  [ -z "${CONTINUO_REQUIRE_WASM:-}" ] || exit 1
  exit 0
fi
"$source/tools/studio.sh" "$build" "$wasm" "$wasm/out"
# Without a browser the tests say so.
node "$source/web/studio/test/one_file.mjs" "$wasm/out/studio.html" || [ $? -eq 77 ]
lap "engine of studio.html"
node "$source/web/studio/test/browser.mjs" "$build/bin/continuo" "$wasm/out/studio.html" || [ $? -eq 77 ]
lap "studio.html"
