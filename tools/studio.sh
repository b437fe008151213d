#!/usr/bin/env bash
# Makes out/studio.html, the studio with engine and model inside, and out/npm, the npm package.
# `make studio` installs and builds what this needs.
#
#   tools/studio.sh BUILD WASM_BUILD OUT [package]    with `package`, the npm package alone
set -euo pipefail
build=$1
wasm=$(realpath "$2")
out=$(realpath -m "$3")
what=${4:-all}
source=$(cd "$(dirname "$0")/.." && pwd)

mkdir -p "$out"
rm -rf "$wasm/model"
"$build/bin/continuo" quantize "$source/models/pop-piano" --precision int8 -o "$wasm/model"

package=$out/npm
rm -rf "$package"
mkdir -p "$package/model"
cp "$source"/continuo/bindings/wasm/package/*.{js,ts,json,md} "$source/LICENSE" "$package"
cp "$wasm/bin/continuo.wasm" "$package"
cp "$wasm"/model/* "$package/model"
echo "$package: $(du -sh --apparent-size "$package" | cut -f1), the npm package"
[ "$what" = all ] || exit 0

node "$source/web/studio/build_engine.mjs" "$source/web/studio/dist/studio.html" "$wasm/bin/continuo.wasm" "$wasm/model" \
  -o "$out/studio.html"
