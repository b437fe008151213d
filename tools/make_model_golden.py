#!/usr/bin/env python3
"""Writes testdata/model: two small GPT-2 directories as Hugging Face saves them, and the logits that it computes.

Needs `pip install torch==2.13.0 transformers==5.23.0`. Sizes are odd on purpose: no vector length divides them.
"""
import json
import shutil
from pathlib import Path

import torch
from transformers import GPT2Config, GPT2LMHeadModel

OUT = Path(__file__).resolve().parent.parent / "testdata" / "model"
MODELS = {
    "tied": dict(vocab_size=53, n_positions=40, n_embd=30, n_layer=2, n_head=3),
    "untied": dict(vocab_size=17, n_positions=12, n_embd=20, n_layer=1, n_head=4, n_inner=27, tie_word_embeddings=False),
}


def main():
    for name, sizes in MODELS.items():
        torch.manual_seed(11)
        model = GPT2LMHeadModel(GPT2Config(bos_token_id=1, eos_token_id=2, **sizes)).eval()
        with torch.no_grad():
            for parameter in model.parameters():  # larger than at the start of training: every term counts
                parameter.add_(torch.randn_like(parameter) * 0.2)
            folder = OUT / name
            shutil.rmtree(folder, ignore_errors=True)
            model.save_pretrained(folder)
            ids = torch.randint(0, sizes["vocab_size"], (1, sizes["n_positions"]))
            logits = model(ids).logits[0]
        (folder / "logits.json").write_text(json.dumps(
            {"ids": ids[0].tolist(), "logits": [[round(v, 6) for v in row] for row in logits.tolist()]}) + "\n")
        (folder / "generation_config.json").unlink(missing_ok=True)


main()
