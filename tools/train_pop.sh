#!/usr/bin/env bash
# Trains the next shipped model, or resumes the training: from docs/results/models.md.
#
#   tools/train_pop.sh POP1K7 POP909 [THREADS]
#
# POP1K7 and POP909 are folders of MIDI files; POP909's have beat_midi.txt beside each. On another
# machine a copy of the run continues, or its weights with --init-from (experiments/pop-plan).
set -euo pipefail
cd "$(dirname "$0")/.."
pop1k7=$1
pop909=$2
threads=${3:-0}
bin=build/bin
run=out/train/long

mkdir -p out/train
if [ ! -d out/train/corpus ]; then
  $bin/continuo align "$pop909" --beats beat_midi.txt -o out/train/pop909
  $bin/continuo corpus build "$pop1k7" out/train/pop909:merge --tokenizer remiplan -o out/train/corpus
fi
resume=()
[ ! -d "$run" ] || resume=(--resume)
exec nice -n 19 $bin/continuo train --corpus out/train/corpus -o "$run" "${resume[@]}" --threads "$threads" \
  --architecture llama --layers 8 --heads 4 --width 256 --feed-width 576 --context 2048 --dropout 0 \
  --optimizer muon --lr 2e-3 --schedule constant --warmup 0.01 --weight-decay 0.02 --batch 2 --steps 25000 \
  --short-share 0.16 --short-context 512 --augment-transpose --plan-dropout 0.2 --gap-share 0.2 --ema 0.998 \
  --precision bf16 --valid-every 1500 --keep 1 --export-bf16 --seed 1
