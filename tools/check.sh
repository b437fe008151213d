#!/usr/bin/env bash
# Checks what needs no build of the tests: layers, format, width of prose, clang-tidy on changed
# files, and the JavaScript of web/. Runs all checks and fails if one does. A check whose program is
# missing is skipped with a message; with CONTINUO_REQUIRE_CHECKS=1 that is an error.
#
#   tools/check.sh          all
#   tools/check.sh format   one of: layers, format, prose, tidy, web
#
# clang-tidy reads the files that differ from the branch `origin/main` or, without one, from the
# commit before; it needs compile_commands.json in build/.
set -uo pipefail
cd "$(dirname "$0")/.."
tools=${HOME:-}/.local/share/continuo/tools/bin
failed=()

missing() {
  echo "check: $1: skipped, $2"
  [ "${CONTINUO_REQUIRE_CHECKS:-}" != 1 ] || return 1
}

layers() { tools/check_layers.py; }

prose() { tools/check_prose.py; }

format() {
  local program=$tools/clang-format
  [ -x "$program" ] || { missing format "run tools/bootstrap.sh --checks"; return; }
  git ls-files --cached --others --exclude-standard '*.cc' '*.h' '*.c' |
    xargs -r "$program" --dry-run --Werror
}

tidy() {
  local program base
  program=$(command -v clang-tidy || ls /usr/bin/clang-tidy-[0-9]* 2>/dev/null | sort -V | tail -1)
  if [ -z "$program" ]; then
    echo "check: tidy: skipped, there is no clang-tidy (apt-get install clang-tidy)"
    return
  fi
  [ -e build/compile_commands.json ] || { echo "check: tidy: skipped, run make build first"; return; }
  base=$(git rev-parse -q --verify origin/main || git rev-parse -q --verify HEAD~1) || return 0
  mkdir -p build/tidy  # GCC's precompiled headers are of no use to clang
  sed -E 's/ -Winvalid-pch//g; s/ -include [^ ]*cmake_pch\.hxx//g' build/compile_commands.json >build/tidy/compile_commands.json
  git diff --name-only --diff-filter=d "$base" -- 'continuo/*.cc' |
    { grep -v -e '^continuo/train/' -e '_test\.cc$' || true; } | xargs -r -P "$(nproc)" -n 4 "$program" -p build/tidy --quiet
}

web() {
  local page faults=0
  for page in web/report web/studio; do
    [ -x $page/node_modules/.bin/eslint ] || { missing web "run tools/bootstrap.sh --page-tests" || faults=1; continue; }
    (cd $page && if [ -e tsconfig.json ]; then node_modules/.bin/tsc; fi &&
      node_modules/.bin/eslint src test build.mjs sources.mjs &&
      node_modules/.bin/prettier --check --log-level warn src test build.mjs sources.mjs) || faults=1
  done
  return $faults
}

checks=("$@")
[ ${#checks[@]} -gt 0 ] || checks=(layers format prose tidy web)
for check in "${checks[@]}"; do
  if "$check"; then
    echo "check: $check: ok"
  else
    failed+=("$check")
    echo "check: $check: failed" >&2
  fi
done
if [ ${#failed[@]} -gt 0 ]; then
  echo "check: failed: ${failed[*]}" >&2
  exit 1
fi
