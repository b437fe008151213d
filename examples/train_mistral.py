#!/usr/bin/env python3
"""Trains MidiTok's REMI with byte-pair encoding and a small Mistral on MIDI files, as MidiTok's documentation does.

    pip install miditok==3.1.0 symusic==0.6.0 torch transformers
    python3 examples/train_mistral.py examples/corpus -o out/mistral [--minutes 1]

The result is a directory of transformers with MidiTok's tokenizer.json in it: see miditok.md.
"""
import argparse
import pathlib
import tempfile
import time

import torch
from miditok import REMI, TokenizerConfig
from miditok.pytorch_data import DataCollator, DatasetMIDI
from miditok.utils import split_files_for_training
from transformers import MistralConfig, MistralForCausalLM

LENGTH = 512


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("songs", type=pathlib.Path, help="a folder of MIDI files")
    parser.add_argument("-o", "--output", type=pathlib.Path, required=True)
    parser.add_argument("--minutes", type=float, default=1)
    parser.add_argument("--vocab", type=int, default=1000, help="ids of the tokenizer")
    options = parser.parse_args()
    torch.manual_seed(1)
    files = sorted(options.songs.resolve().rglob("*.mid"))

    tokenizer = REMI(TokenizerConfig(num_velocities=16, use_chords=True, use_tempos=True))
    tokenizer.train(vocab_size=options.vocab, files_paths=files)

    with tempfile.TemporaryDirectory() as folder:
        split_files_for_training(files, tokenizer, pathlib.Path(folder), LENGTH)
        data = DatasetMIDI(
            sorted(pathlib.Path(folder).rglob("*.mid")), tokenizer, LENGTH,
            bos_token_id=tokenizer["BOS_None"], eos_token_id=tokenizer["EOS_None"], pre_tokenize=True,
        )
    loader = torch.utils.data.DataLoader(
        data, batch_size=4, shuffle=True, collate_fn=DataCollator(tokenizer.pad_token_id, copy_inputs_as_labels=True)
    )

    config = MistralConfig(
        vocab_size=len(tokenizer), hidden_size=256, intermediate_size=1024, num_hidden_layers=6, num_attention_heads=8,
        num_key_value_heads=4, sliding_window=256, max_position_embeddings=2048,
        pad_token_id=tokenizer["PAD_None"], bos_token_id=tokenizer["BOS_None"], eos_token_id=tokenizer["EOS_None"],
    )
    model = MistralForCausalLM(config)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    begin, step = time.monotonic(), 0
    while time.monotonic() < begin + 60 * options.minutes:
        for batch in loader:
            loss = model(**batch).loss
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad()
            step += 1
            if step % 10 == 0:
                print(f"step {step}: loss {loss.item():.3f}", flush=True)
            if time.monotonic() >= begin + 60 * options.minutes:
                break

    model.save_pretrained(options.output)
    tokenizer.save(options.output / "tokenizer.json")
    print(f"{options.output}: {len(files)} songs, {len(data)} windows, {len(tokenizer)} ids, {step} steps")


if __name__ == "__main__":
    main()
