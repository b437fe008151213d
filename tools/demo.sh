#!/usr/bin/env bash
# The main job with the shipped model. Steps that are done are not repeated; remove out/demo to
# start over.
#
#   tools/demo.sh write    new pieces, a continuation, and how they compare with real music: needs `continuo` alone
#   tools/demo.sh train    a small model of your own, and the list of files to listen to
set -euo pipefail
cd "$(dirname "$0")/.."
continuo=build/bin/continuo
out=out/demo

step() { printf '\n== %s\n' "$1"; }

write() {
  step "4 new pieces of 32 bars"
  "$continuo" generate --bars 32 --count 4 --seed 1 -o "$out/pieces"

  step "24 new bars after the 8 of examples/prompt.mid"
  "$continuo" continue --prompt examples/prompt.mid --prompt-bars 8 --bars 24 --seed 1 -o "$out/continued"

  step "how the new pieces compare with real music"
  "$continuo" eval "$out/pieces" "$out/continued" --bars 32 --reference models/pop1k7.eval.json
}

train() {
  step "a small model of your own, trained for a minute on examples/corpus"
  if [ ! -x build/bin/continuo-train ]; then
    echo "continuo-train was not built (no LibTorch): training left out"
  elif [ -d "$out/run/final" ]; then
    echo "$out/run exists already (remove it to train again)"
  else
    "$continuo" corpus build examples/corpus --tokenizer remi -o "$out/corpus"
    "$continuo" train --corpus "$out/corpus" -o "$out/run" --layers 4 --heads 4 --width 128 --context 512 \
      --batch 8 --lr 2e-3 --minutes 1
  fi
  if [ -d "$out/run/final" ]; then
    "$continuo" generate --model "$out/run/final" --bars 16 --count 2 --seed 1 -o "$out/own-model"
  fi

  step "listen"
  find "$out" -name '*.mid' | sort
}

"${1:?write or train}"
