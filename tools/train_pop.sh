#!/usr/bin/env bash
# Continues the training of the shipped model for a while: docs/results/models.md. Stops and resumes
# at any time.
#
#   tools/train_pop.sh POP1K7 POP909 MINUTES [LEARNING_RATE]
#
# POP1K7 and POP909 are folders of MIDI files; POP909's have beat_midi.txt beside each. The learning
# rate falls to 0 within MINUTES of wall clock. out/train/leg/final then has the weights;
# remove out/train/leg before the next time.
set -euo pipefail
cd "$(dirname "$0")/.."
pop1k7=$1
pop909=$2
minutes=$3
rate=${4:-1.8e-3}
continuo=build/bin/continuo
run=out/train/leg

mkdir -p out/train
[ -d out/train/pop909 ] || "$continuo" align "$pop909" --beats beat_midi.txt -o out/train/pop909
# Real music's figures are those of Pop1K7: each of its songs counts eight times. They include the
# silence at its songs' start.
[ -d out/train/corpus ] ||
  "$continuo" corpus build "$pop1k7:8" out/train/pop909:merge --tokenizer remiplan -o out/train/corpus
from=(--init-from models/pop-piano)
[ ! -d "$run" ] || from=(--resume)
exec nice -n 19 "$continuo" train --corpus out/train/corpus -o "$run" "${from[@]}" --threads 1 \
  --architecture llama --layers 8 --heads 4 --width 256 --feed-width 576 --context 2048 --dropout 0 \
  --short-share 0.5 --short-context 1024 \
  --optimizer muon --lr "$rate" --schedule linear --warmup 0.02 --weight-decay 0.02 --batch 2 --minutes "$minutes" \
  --augment-transpose --plan-dropout 0.2 --gap-share 0.5 --ema 0.998 --precision bf16 --valid-every 2400 --keep 1 \
  --export-bf16
