#!/usr/bin/env python3
"""Continues a prompt with the same model through `transformers` and through Continuo, in turns.

    out/peers/bin/pip install miditok==3.1.0 symusic==0.6.0 torch transformers
    out/peers/bin/python bench/peers/mistral.py out/mistral examples/prompt.mid [--pieces 10]

The model is one of examples/train_mistral.py. Both take the first --prompt-bars bars and one thread; `transformers`
computes in f32, writes --tokens ids or stops at EOS, and samples as MidiTok's example does; Continuo computes in int8
and in f32 and writes --bars bars. Printed are ids per second of processor time, of `transformers` within generate() and
of Continuo of the whole process, the best of the pieces; and how many continuations decode completely: each note that
the ids name is a note of MidiTok's decode.
"""
import argparse
import json
import os
import pathlib
import resource
import subprocess
import sys
import tempfile
import time

os.environ.setdefault("OMP_NUM_THREADS", "1")

import miditok
import symusic
import torch
from transformers import AutoModelForCausalLM, GenerationConfig

SOURCE = pathlib.Path(__file__).resolve().parent.parent.parent


def is_complete(tokenizer, ids):
    """Whether every note that the ids name is in the score that they decode to."""
    sequence = miditok.TokSequence(ids=list(ids), are_ids_encoded=True)
    tokenizer.decode_token_ids(sequence)
    named = sum(token.startswith("Pitch_") for token in sequence.tokens)
    score = tokenizer.decode([miditok.TokSequence(ids=list(ids), are_ids_encoded=True)])
    return named == sum(len(track.notes) for track in score.tracks)


def run_transformers(model, tokenizer, prompt, options, seed):
    torch.manual_seed(seed)
    settings = GenerationConfig(
        max_new_tokens=options.tokens, num_beams=1, do_sample=True, temperature=0.9, top_k=15, top_p=0.95,
        epsilon_cutoff=3e-4, eta_cutoff=1e-3, pad_token_id=tokenizer["PAD_None"], bos_token_id=tokenizer["BOS_None"],
        eos_token_id=tokenizer["EOS_None"],
    )
    ids = torch.tensor([[tokenizer["BOS_None"], *prompt]])
    begin = time.process_time()
    written = model.generate(ids, attention_mask=torch.ones_like(ids), generation_config=settings)[0].tolist()
    seconds = time.process_time() - begin
    new = written[ids.shape[1] :]
    specials = {tokenizer["PAD_None"], tokenizer["BOS_None"], tokenizer["EOS_None"]}
    return len(new), seconds, [*prompt, *(i for i in new if i not in specials)]


def children_seconds():
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def run_continuo(model, precision, options, seed, folder):
    out = folder / f"{precision}-{seed}"
    command = [options.continuo, "-q", "continue", "--model", model, "--prompt", options.prompt, "--prompt-bars",
               options.prompt_bars, "--bars", options.bars, "--threads", 1, "--batch", 1, "--seed", seed, "--precision",
               precision, "--temperature", 0.9, "--top-k", 15, "--top-p", 0.95, "-o", out]
    begin = children_seconds()
    subprocess.run(list(map(str, command)), check=True, stdout=subprocess.DEVNULL)
    return json.loads((out / "piece-001.tokens.json").read_text())["tracks"][0], children_seconds() - begin


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("model", type=pathlib.Path)
    parser.add_argument("prompt", type=pathlib.Path)
    parser.add_argument("--continuo", type=pathlib.Path, default=SOURCE / "build" / "bin" / "continuo")
    parser.add_argument("--prompt-bars", type=int, default=4)
    parser.add_argument("--bars", type=int, default=32)
    parser.add_argument("--tokens", type=int, default=500)
    parser.add_argument("--pieces", type=int, default=10)
    options = parser.parse_args()
    torch.set_num_threads(1)
    tokenizer = miditok.REMI(params=options.model / "tokenizer.json")
    model = AutoModelForCausalLM.from_pretrained(options.model).eval()
    rows = {name: {"rate": 0.0, "complete": 0, "pieces": 0} for name in ("transformers f32", "continuo f32", "continuo int8")}

    def note(name, ids, count, seconds):
        row = rows[name]
        row["rate"] = max(row["rate"], count / seconds)
        row["complete"] += is_complete(tokenizer, ids)
        row["pieces"] += 1

    with tempfile.TemporaryDirectory(prefix="continuo-mistral-") as temporary:
        folder = pathlib.Path(temporary)
        int8 = folder / "int8"
        quantize = [options.continuo, "-q", "quantize", options.model, "--precision", "int8", "-o", int8]
        subprocess.run(quantize, check=True, stdout=subprocess.DEVNULL)
        # The prompt's ids, as Continuo reads them: those that all of its continuations begin with.
        first, _ = run_continuo(options.model, "f32", options, 0, folder)
        second, _ = run_continuo(options.model, "f32", options, 1000000, folder)
        common = next((i for i, (a, b) in enumerate(zip(first, second)) if a != b), min(len(first), len(second)))
        prompt = first[:common]
        for seed in range(1, options.pieces + 1):
            count, seconds, ids = run_transformers(model, tokenizer, prompt, options, seed)
            note("transformers f32", ids, count, seconds)
            for name, directory, precision in (("continuo f32", options.model, "f32"), ("continuo int8", int8, "int8")):
                ids, seconds = run_continuo(directory, precision, options, seed, folder)
                note(name, ids, len(ids) - len(prompt), seconds)
    base = rows["transformers f32"]["rate"]
    print(f"prompt of {len(prompt)} ids")
    for name, row in rows.items():
        print(f"{name:17} {row['rate']:8.1f} ids per second ({row['rate'] / base:.1f} x), "
              f"{row['complete']} of {row['pieces']} decode completely")


if __name__ == "__main__":
    sys.exit(main())
