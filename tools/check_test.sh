#!/usr/bin/env bash
# Plants one violation of each kind in a copy of the last commit; tools/check.sh must find each.
set -euo pipefail
source=$(cd "$(dirname "$0")/.." && pwd)
git -C "$source" rev-parse -q --verify HEAD >/dev/null || { echo "check: skipped, not a git repository"; exit 77; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
git clone -q --shared "$source" "$work/copy"
cd "$work/copy"

finds() {  # check, what it must say
  if tools/check.sh "$1" >"$work/log" 2>&1; then
    echo "check.sh $1 did not find the violation"; cat "$work/log"; exit 1
  fi
  grep -q "$2" "$work/log" || { echo "check.sh $1 does not say '$2':"; cat "$work/log"; exit 1; }
  git checkout -q .
}

sed -i '1a #include "continuo/app/command.h"' continuo/core/rng.h
finds layers "continuo/core/rng.h"
sed -i 's/^token: /token: model /' tools/layers.txt
finds layers "model"
echo 'const char* kToken = "Pitch_60";' >>continuo/compose/fill.cc
finds layers "spells the name of a token"
printf '\nA line of many words %.0s' 1 2 3 4 5 6 | tr '\n' ' ' >>docs/metrics.md
finds prose "docs/metrics.md"
if [ -x "${HOME:-}/.local/share/continuo/tools/bin/clang-format" ]; then
  sed -i 's/^}  \/\/ namespace continuo$/}\n  \n   \/\/ namespace continuo/' continuo/core/rng.cc
  finds format "continuo/core/rng.cc"
fi
if [ -x "$source/web/report/node_modules/.bin/eslint" ]; then
  ln -s "$source/web/report/node_modules" web/report/node_modules
  echo 'let unused = 1' >>web/report/src/study.js
  finds web "study.js"
fi
echo "check: ok"
