#!/usr/bin/env python3
"""Writes testdata/model: small model directories as Hugging Face saves them, and the logits that it computes.

    pip install torch==2.13.0 transformers==5.23.0
    tools/make_model_golden.py [NAMES]

Sizes are odd on purpose: no vector length divides them.
"""
import json
import shutil
import sys
from pathlib import Path

import torch
from transformers import AutoConfig, AutoModelForCausalLM

OUT = Path(__file__).resolve().parent.parent / "testdata" / "model"
MODELS = {
    "tied": dict(model_type="gpt2", vocab_size=53, n_positions=40, n_embd=30, n_layer=2, n_head=3),
    "untied": dict(model_type="gpt2", vocab_size=17, n_positions=12, n_embd=20, n_layer=1, n_head=4, n_inner=27,
                   tie_word_embeddings=False),
    "llama": dict(model_type="llama", vocab_size=53, max_position_embeddings=40, hidden_size=36, num_hidden_layers=2,
                  num_attention_heads=6, num_key_value_heads=2, intermediate_size=41, tie_word_embeddings=True,
                  rope_theta=500.0),
    "llama3": dict(model_type="llama", vocab_size=17, max_position_embeddings=40, hidden_size=20, num_hidden_layers=1,
                   num_attention_heads=4, num_key_value_heads=4, head_dim=14, intermediate_size=70,
                   tie_word_embeddings=False, attention_bias=True, mlp_bias=True, rms_norm_eps=1e-5,
                   rope_scaling=dict(rope_type="llama3", rope_theta=100.0, factor=4.0, low_freq_factor=1.0,
                                     high_freq_factor=4.0, original_max_position_embeddings=24)),
    "linear": dict(model_type="llama", vocab_size=17, max_position_embeddings=24, hidden_size=20, num_hidden_layers=1,
                   num_attention_heads=2, num_key_value_heads=1, intermediate_size=27, tie_word_embeddings=True,
                   rope_scaling=dict(rope_type="linear", rope_theta=10000.0, factor=2.0)),
    "mistral": dict(model_type="mistral", vocab_size=17, max_position_embeddings=60, hidden_size=20,
                    num_hidden_layers=2, num_attention_heads=2, num_key_value_heads=1, intermediate_size=27,
                    tie_word_embeddings=False, sliding_window=21),
    "qwen2": dict(model_type="qwen2", vocab_size=17, max_position_embeddings=24, hidden_size=20, num_hidden_layers=1,
                  num_attention_heads=2, num_key_value_heads=1, intermediate_size=27, tie_word_embeddings=True),
    "qwen3": dict(model_type="qwen3", vocab_size=17, max_position_embeddings=24, hidden_size=20, num_hidden_layers=1,
                  num_attention_heads=2, num_key_value_heads=1, head_dim=18, intermediate_size=27,
                  tie_word_embeddings=False),
    "gpt_neox": dict(model_type="gpt_neox", vocab_size=53, max_position_embeddings=40, hidden_size=36,
                     num_hidden_layers=2, num_attention_heads=3, intermediate_size=41, rotary_emb_base=500,
                     rotary_pct=0.5),
    "gpt_neox_serial": dict(model_type="gpt_neox", vocab_size=17, max_position_embeddings=24, hidden_size=20,
                            num_hidden_layers=2, num_attention_heads=2, intermediate_size=27, hidden_act="gelu_new",
                            rotary_pct=1.0, use_parallel_residual=False, attention_bias=False,
                            tie_word_embeddings=True),
}


def main():
    for name in sys.argv[1:] or MODELS:
        sizes = MODELS[name]
        torch.manual_seed(11)
        config = AutoConfig.for_model(bos_token_id=1, eos_token_id=2, **sizes)
        model = AutoModelForCausalLM.from_config(config, attn_implementation="eager").eval()
        with torch.no_grad():
            for parameter in model.parameters():  # larger than at the start of training: every term counts
                parameter.add_(torch.randn_like(parameter) * 0.2)
            folder = OUT / name
            shutil.rmtree(folder, ignore_errors=True)
            model.save_pretrained(folder)
            ids = torch.randint(0, sizes["vocab_size"], (1, config.max_position_embeddings))
            logits = model(ids).logits[0]
        (folder / "logits.json").write_text(json.dumps(
            {"ids": ids[0].tolist(), "logits": [[round(v, 6) for v in row] for row in logits.tolist()]}) + "\n")
        (folder / "generation_config.json").unlink(missing_ok=True)


main()
