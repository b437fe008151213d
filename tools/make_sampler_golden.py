#!/usr/bin/env python3
"""Writes testdata/sample/distributions.json: what Hugging Face's logits processors make of some logits.

Needs `pip install torch==2.13.0 transformers==5.23.0`. Each case: logits, the ids seen so far, the options,
and the probabilities after repetition penalty, temperature, top-k, top-p and min-p, in that order.
"""
import json
from pathlib import Path

import torch
from transformers import (
    LogitsProcessorList,
    MinPLogitsWarper,
    RepetitionPenaltyLogitsProcessor,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

OUT = Path(__file__).resolve().parent.parent / "testdata" / "sample" / "distributions.json"
OPTIONS = [  # temperature, top_k, top_p, min_p, repetition_penalty
    (1.0, 0, 1.0, 0.0, 1.0), (1.2, 5, 1.0, 0.0, 1.2), (1.0, 50, 1.0, 0.0, 1.2), (1.5, 100, 1.0, 0.0, 1.1),
    (0.8, 20, 1.0, 0.0, 1.3), (1.0, 0, 0.9, 0.0, 1.0), (1.3, 0, 0.5, 0.0, 1.5), (0.7, 12, 0.8, 0.0, 1.2),
    (1.0, 0, 1.0, 0.1, 1.0), (1.7, 30, 0.95, 0.05, 0.9), (0.1, 1, 1.0, 0.0, 1.0), (2.0, 0, 0.01, 0.0, 1.0),
]


def main():
    generator = torch.Generator().manual_seed(5)
    cases = []
    for number, (temperature, top_k, top_p, min_p, penalty) in enumerate(OPTIONS):
        logits = torch.randn(1, 48, generator=generator) * 2.5
        logits = torch.round(logits * 64) / 64  # short in JSON, exact in float
        if number == 3:
            logits[0, 7] = logits[0, 9] = logits[0, 11]  # ties
        seen = torch.randint(0, 48, (1, 10), generator=generator)
        steps = LogitsProcessorList()
        if penalty != 1.0:
            steps.append(RepetitionPenaltyLogitsProcessor(penalty))
        steps.append(TemperatureLogitsWarper(temperature))
        if top_k:
            steps.append(TopKLogitsWarper(top_k))
        if top_p < 1.0:
            steps.append(TopPLogitsWarper(top_p))
        if min_p:
            steps.append(MinPLogitsWarper(min_p))
        probabilities = torch.softmax(steps(seen, logits.clone()).double(), dim=-1)[0]
        cases.append({
            "temperature": temperature, "top_k": top_k, "top_p": top_p, "min_p": min_p, "repetition_penalty": penalty,
            "logits": logits[0].tolist(), "seen": sorted(set(seen[0].tolist())),
            "probabilities": [round(p, 10) for p in probabilities.tolist()],
        })
    OUT.write_text("[\n" + ",\n".join(json.dumps(c) for c in cases) + "\n]\n")


main()
