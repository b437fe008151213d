#!/usr/bin/env python3
"""Writes testdata/train: what PyTorch and transformers compute, for the tests of continuo/train.

    pip install torch==2.13.0 transformers==5.23.0
    tools/make_train_golden.py

onecycle.json      learning rates and beta1 of torch.optim.lr_scheduler.OneCycleLR over whole runs
steps/             a small GPT2LMHeadModel trained for 20 steps in f32 without dropout by torch.optim.AdamW
                   and OneCycleLR, gradients clipped to 1.0:
  initial/         the model directory before the first step
  final.safetensors  its weights after the last
  steps.json       ids [20][batch][time], the loss before each update, the logits of the first batch
  options.json, options.safetensors  the same model and ids with label smoothing 0.1, and a weight decay of 0.1 for
                   matrices and embeddings alone: the losses without smoothing, and the weights after the last step
llama_steps/       initial/, final.safetensors and steps.json of a small LlamaForCausalLM, tied, with fewer heads of keys
                   and values than of queries
"""
import json
from pathlib import Path

import torch
from safetensors.torch import save_file
from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM

OUT = Path(__file__).resolve().parent.parent / "testdata" / "train"


def onecycle(max_lr, total_steps, pct_start, div_factor, final_div_factor):
    parameter = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.AdamW([parameter], lr=1.0, betas=(0.9, 0.999))
    scheduler = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, max_lr=max_lr, total_steps=total_steps, pct_start=pct_start,
        anneal_strategy="cos", div_factor=div_factor, final_div_factor=final_div_factor)
    lrs, betas = [], []
    for step in range(total_steps):
        lrs.append(optimizer.param_groups[0]["lr"])
        betas.append(optimizer.param_groups[0]["betas"][0])
        if step + 1 < total_steps:
            optimizer.step()
            scheduler.step()
    return dict(max_lr=max_lr, total_steps=total_steps, pct_start=pct_start, div_factor=div_factor,
                final_div_factor=final_div_factor, lr=lrs, beta1=betas)


def gpt2():
    return GPT2LMHeadModel(GPT2Config(vocab_size=37, n_positions=24, n_embd=16, n_layer=2, n_head=2,
                                      resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0))


def llama():
    return LlamaForCausalLM(LlamaConfig(vocab_size=37, max_position_embeddings=24, hidden_size=16, num_hidden_layers=2,
                                        num_attention_heads=4, num_key_value_heads=2, intermediate_size=24,
                                        rms_norm_eps=1e-5, rope_theta=500.0, tie_word_embeddings=True))


def steps(folder, make):
    torch.manual_seed(0)
    folder.mkdir(parents=True, exist_ok=True)
    model = make()
    config = model.config
    with torch.no_grad():  # biases and norms that matter
        for parameter in model.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    model.save_pretrained(folder / "initial")
    for extra in (folder / "initial").glob("*"):
        if extra.name not in ("config.json", "model.safetensors"):
            extra.unlink()
    model.train()
    batches = torch.randint(0, config.vocab_size, (20, 3, 20))
    with torch.no_grad():
        logits = model(batches[0]).logits
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2, weight_decay=1e-2)
    scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=1e-2, total_steps=20)
    losses = []
    for ids in batches:
        loss = model(ids, labels=ids).loss
        losses.append(loss.item())
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        if len(losses) < 20:
            scheduler.step()
    weights = {name: value.contiguous() for name, value in model.state_dict().items() if name != "lm_head.weight"}
    save_file(weights, folder / "final.safetensors")
    (folder / "steps.json").write_text(json.dumps(
        dict(ids=batches.tolist(), losses=losses, first_logits=logits.flatten().tolist())) + "\n")


def options():
    folder = OUT / "steps"
    model = GPT2LMHeadModel.from_pretrained(folder / "initial")
    model.train()
    batches = torch.tensor(json.loads((folder / "steps.json").read_text())["ids"])
    matrices = [p for p in model.parameters() if p.dim() >= 2]
    vectors = [p for p in model.parameters() if p.dim() < 2]
    optimizer = torch.optim.AdamW([dict(params=matrices, weight_decay=0.1), dict(params=vectors, weight_decay=0.0)],
                                  lr=1e-2)
    losses = []
    for ids in batches:
        logits = model(ids).logits[:, :-1].flatten(0, 1)
        targets = ids[:, 1:].flatten()
        losses.append(torch.nn.functional.cross_entropy(logits, targets).item())
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(logits, targets, label_smoothing=0.1).backward()
        optimizer.step()
    weights = {name: value.contiguous() for name, value in model.state_dict().items() if name != "lm_head.weight"}
    save_file(weights, folder / "options.safetensors")
    (folder / "options.json").write_text(json.dumps(dict(losses=losses)) + "\n")


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    cases = [onecycle(4e-4, 200, 0.3, 25.0, 1e4), onecycle(3e-3, 77, 0.05, 10.0, 100.0),
             onecycle(1.0, 13, 0.5, 2.0, 1e3), onecycle(1e-2, 31, 0.9, 25.0, 1e4)]
    (OUT / "onecycle.json").write_text(json.dumps(cases) + "\n")
    steps(OUT / "steps", gpt2)
    options()
    steps(OUT / "llama_steps", llama)


if __name__ == "__main__":
    main()
