#!/usr/bin/env python3
"""Fills a results.db of the study's shape with pieces of the model that ships, for the page's tests and for its design.

The pieces are real, and so are their metrics (`continuo eval`); which cell they stand in, the learning curves, the NLLs, distances
and scape plots are made up. Needs nothing but Python and a built `continuo`.

    make_fixture.py --continuo build/bin/continuo -o results.db [--pieces 20] [--hostile]
"""
import argparse
import hashlib
import json
import math
import pathlib
import random
import re
import sqlite3
import struct
import subprocess
import tempfile

MODELS = ["gpt2", "babylm-gpt2"]
TOKENIZERS = ["remi", "midilike", "remiplus"]
EPOCHS = [10, 30, 50, 70, 90, 100]
SAMPLING = {
    "default": {"temperature": 1.2, "top_k": 5, "top_p": 1.0, "min_p": 0.0, "repetition_penalty": 1.2},
    "balanced": {"temperature": 1.0, "top_k": 50, "top_p": 1.0, "min_p": 0.0, "repetition_penalty": 1.2},
    "creative": {"temperature": 1.5, "top_k": 100, "top_p": 1.0, "min_p": 0.0, "repetition_penalty": 1.1},
    "conservative": {"temperature": 0.8, "top_k": 20, "top_p": 1.0, "min_p": 0.0, "repetition_penalty": 1.3},
}
PROMPTS = ["song_1", "song_2", "song_3"]
FEATURES = ["pitches_used", "pitch_range", "pitch_classes", "pitch_class_transitions", "mean_interval", "notes_per_bar",
            "mean_onset_gap", "onset_gaps", "note_lengths", "note_length_transitions"]
HOSTILE = "</script><script>window.broken = 1</script><img src=x onerror='window.broken=1'>\u2028<!--"

ROOT = pathlib.Path(__file__).resolve().parents[3]
# The program's own statements, so that the fixture can't drift from them.
SCHEMA = re.search(r'R"sql\((.*?)\)sql"', (ROOT / "continuo/results/schema.cc").read_text(), re.DOTALL).group(1)

rng = random.Random(20)


def run(*command):
    return subprocess.run([str(part) for part in command], check=True, capture_output=True, text=True).stdout


def scape(frames, period):
    """A scape plot that looks like one: repetitions of `period` frames."""
    data = bytearray(struct.pack("<I", frames))
    for length in range(1, frames + 1):
        for start in range(frames - length + 1):
            away = min(length % period, period - length % period) / period
            value = 0.0 if length < 6 else max(0.0, 0.75 - 1.6 * away - length / (1.7 * frames))
            value *= 0.6 + 0.4 * math.cos(start / period * 2.1) ** 2
            data.append(round(255 * min(1.0, value)))
    return bytes(data)


def summary(values):
    values = [v for v in values if v is not None]
    if not values:
        return None
    n = len(values)
    mean = sum(values) / n
    if n < 2:
        return n, mean, None, None, None
    std = math.sqrt(sum((v - mean) ** 2 for v in values) / (n - 1))
    means = sorted(sum(rng.choices(values, k=n)) / n for _ in range(300))
    return n, mean, std, means[7], means[292]


def pool(continuo, folder, bars, count):
    """Pieces of three temperaments, measured; and continuations of a prompt."""
    groups = []
    for i, flags in enumerate([("--temperature", 1.2, "--top-k", 200), ("--temperature", 1.1, "--top-k", 40),
                               ("--temperature", 1.0, "--top-k", 30)]):
        where = folder / f"pool-{i}"
        run(continuo, "generate", "-q", "--bars", bars, "--count", count, "--seed", 7 + i, *flags, "-o", where)
        groups.append(measured(continuo, where, bars))
    return groups


def measured(continuo, where, bars):
    files = sorted(where.glob("*.mid"))
    rows = json.loads(run(continuo, "eval", "--json", "--si", "no", *files))["files"]
    pieces = []
    for file, row in zip(files, rows):
        metrics = {k: v for k, v in row.items() if isinstance(v, (int, float)) and not isinstance(v, bool)}
        pieces.append((file.read_bytes(), metrics))
    return pieces


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--continuo", required=True)
    parser.add_argument("-o", "--output", required=True)
    parser.add_argument("--prompt", default=ROOT / "examples" / "prompt.mid")
    parser.add_argument("--pieces", type=int, default=20)
    parser.add_argument("--pool", type=int, default=4, help="pieces written of each temperament; cells share them")
    parser.add_argument("--bars", type=int, default=8)
    parser.add_argument("--hostile", action="store_true", help="names that try to break out of the page")
    arguments = parser.parse_args()
    hostile = HOSTILE if arguments.hostile else ""
    output = pathlib.Path(arguments.output)
    output.unlink(missing_ok=True)
    db = sqlite3.connect(output)
    db.executescript(SCHEMA)

    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        groups = pool(arguments.continuo, folder, arguments.bars, arguments.pool)
        prompt_bars = 2 if arguments.bars < 16 else 8
        run(arguments.continuo, "continue", "-q", "--prompt", arguments.prompt, "--prompt-bars", prompt_bars, "--bars",
            arguments.bars - prompt_bars, "--count", arguments.pool, "--seed", 3, "-o", folder / "more")
        continued = measured(arguments.continuo, folder / "more", 0)

    spec = ('name = "fixture"\ntitle = "The study in small"\n\n[grid]\nmodel = ["gpt2", "babylm-gpt2"]\n'
            'tokenizer = ["remi", "midilike", "remiplus"]\n' + hostile)
    def claim(text, axis, value, against, metric, sense, relative=False, least=0):
        return {"text": text, "kind": "grid", "axis": axis, "value": value, "against": against, "metrics": [metric],
                "sense": sense, "relative": relative, "least": least, "where": {}}

    claims = [claim("GS does not halve from epoch 10 to 30" + hostile, "checkpoint", ["30"], ["10"], "GS", "higher", True, -0.5),
              claim("REMI+ predicts unseen songs best", "tokenizer", ["remiplus"], ["remi"], "valid_nll_bar", "better"),
              claim("Text pre-training changes H1", "model", ["babylm-gpt2"], ["gpt2"], "H1", "higher", least=-0.02)]
    meta = {
        "claims": json.dumps(claims), "schema_version": "1", "name": "fixture", "title": "The study in small" + hostile, "spec": spec,
        "spec_sha256": hashlib.sha256(spec.encode()).hexdigest(), "continuo_version": "0.1.0",
        "scaled_down": "Made-up results, to try the page on: the pieces are of the model that ships, the cells are not.\n"
                       "Models of 6 layers and width 256 in place of 12 and 768.",
        "machine": "a test", "created_at": "2026-01-31T12:00:00Z"}
    db.executemany("INSERT INTO meta VALUES (?, ?)", meta.items())

    def add_set(kind, run_id, epoch, setting, prompt, label, pieces, extra=(), seed=1):
        set_id = hashlib.sha256(f"{kind} {run_id} {epoch} {setting} {prompt}".encode()).hexdigest()[:16]
        sampling = json.dumps({**SAMPLING[setting], "window": "slide"}) if setting else None
        db.execute("INSERT INTO sets VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 'done', ?, ?, NULL)",
                   (set_id, kind, run_id, epoch, setting, sampling, prompt, label, seed, len(pieces), 12.5))
        names, columns = [], {}
        for number, (midi, metrics) in enumerate(pieces):
            copied = rng.randint(3, 14)
            shape = scape(60, rng.choice([9, 12, 16])) if number < 2 else None
            cursor = db.execute(
                "INSERT INTO pieces(set_id, number, name, midi, sha256, bars, prompt_bars, notes, tokens, nll_token, nll_note, "
                "nll_bar, copied_notes, copied_from, scape) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (set_id, number, f"piece-{number + 1:03}" + hostile, midi if kind != "real" else None,
                 hashlib.sha256(midi).hexdigest(), int(metrics["bars"]), prompt_bars if kind == "continuation" else 0,
                 int(metrics["notes"]), None if kind == "real" else int(metrics["notes"]) * 4,
                 None if kind == "real" else 1.2, None if kind == "real" else 4.4, None if kind == "real" else 60.0,
                 copied, f"pop-{rng.randint(1, 1747)}.mid" + hostile, shape))
            for metric, value in {**metrics, "SI_short": rng.gauss(0.31, 0.05), "SI_mid": rng.gauss(0.24, 0.05),
                                  "SI_long": rng.gauss(0.16, 0.04)}.items():
                db.execute("INSERT INTO piece_metrics VALUES (?, ?, ?)", (cursor.lastrowid, metric, value))
                columns.setdefault(metric, []).append(value)
            columns.setdefault("copied_notes", []).append(copied)
            names.append(cursor.lastrowid)
        rows = [(metric, *summary(values)) for metric, values in columns.items()] + list(extra)
        db.executemany("INSERT INTO set_metrics VALUES (?, ?, ?, ?, ?, ?, ?)", [(set_id, *row) for row in rows])
        return set_id, names

    def moved(metrics, h, gs, rate):
        return {**metrics, "H1": metrics["H1"] + h + rng.gauss(0, 0.1), "H4": metrics["H4"] + 0.7 * h + rng.gauss(0, 0.1),
                "GS": min(1.0, metrics["GS"] + gs + rng.gauss(0, 0.015)), "notes_per_bar": metrics["notes_per_bar"] * rate}

    everything = [piece for group in groups for piece in group]
    add_set("real", None, None, None, None, "real music",
            [(midi, moved(metrics, 0.1, 0.02, 1.0)) for midi, metrics in everything * 3][:30])

    runs = {}
    for m, model in enumerate(MODELS):
        for t, tokenizer in enumerate(TOKENIZERS):
            run_id = hashlib.sha256(f"{model} {tokenizer}".encode()).hexdigest()[:16]
            runs[model, tokenizer] = run_id
            settings = {"model": model, "tokenizer": tokenizer, "corpus": "pop1k7", "seed": 1, "layers": 6, "heads": 4,
                        "width": [256, 192][m], "context": 1024, "dropout": 0.1, "epochs": 100, "batch": 8, "lr": 4e-4,
                        "optimizer": "adamw", "schedule": "onecycle"}
            db.execute("INSERT INTO runs VALUES (?, ?, ?, 'pop1k7', 1, ?, 'done', 100, ?, ?, ?, NULL)",
                       (run_id, model + hostile if m and not t else model, tokenizer, json.dumps(settings), 4900000 - m * 2000000,
                        81_000_000, 4200.5))
            for step in range(0, 2001, 20):
                epoch = step / 20
                loss = 1.25 + 0.1 * t - 0.05 * m + 4.2 * math.exp(-epoch / 6) + rng.gauss(0, 0.03)
                valid = 1.35 + 0.1 * t - 0.05 * m + 4.0 * math.exp(-epoch / 7) + 0.002 * epoch if step % 100 == 0 else None
                at = int(epoch) in EPOCHS and step > 0
                db.execute("INSERT INTO curve VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                           (run_id, step, epoch, loss, valid, valid * 3.9 if at else None, valid * 52 if at else None, 4e-4, 19500))
            for e, epoch in enumerate(EPOCHS):
                pieces = []
                for i in range(arguments.pieces):
                    group = groups[min(2, (e + i % 2) // 2)]
                    midi, metrics = group[(i + 3 * t + 5 * m) % len(group)]
                    h = 0.25 * math.exp(-e / 1.5) + 0.05 * t
                    pieces.append((midi, moved(metrics, h, -0.2 * math.exp(-e / 1.2) + 0.012 * m - 0.008 * t, 1 + 0.05 * t)))
                nll = 52 * (1.3 + 0.1 * t - 0.05 * m + 4.0 * math.exp(-epoch / 9))
                extra = [("valid_nll_bar", 12, nll, 5.0, nll - 2.5, nll + 2.5), ("valid_nll_note", 12, nll / 13, 0.3, nll / 13 - 0.2,
                         nll / 13 + 0.2), ("distinct_runs", 1, 0.98 - 0.01 * e, None, None, None),
                         ("auc", 20, 0.99 - 0.02 * e, None, 0.96 - 0.02 * e, 1 - 0.015 * e)]
                set_id, _ = add_set("grid", run_id, epoch, "default", None, f"{model} {tokenizer} epoch {epoch}", pieces, extra)
                for feature in FEATURES:
                    overlap = min(0.97, max(0.2, 0.55 + 0.06 * e - 0.03 * t + 0.02 * m + rng.gauss(0, 0.06)))
                    db.execute("INSERT INTO distances VALUES (?, ?, ?, ?)", (set_id, feature, overlap, 0.9 * (1 - overlap) ** 2))

    continuations = []
    for i, (model, tokenizer, epoch) in enumerate([("babylm-gpt2", "remi", 100), ("gpt2", "midilike", 90),
                                                   ("gpt2", "remiplus", 100)]):
        for j, setting in enumerate(SAMPLING):
            for k, prompt in enumerate(PROMPTS):
                piece = continued[(i + j + k) % len(continued)]
                continuations.append((prompt, *add_set("continuation", runs[model, tokenizer], epoch, setting, prompt + hostile,
                                               f"{model} {tokenizer} epoch {epoch} {setting} {prompt}", [piece])))
    for at, (i, j) in enumerate([(0, 3), (12, 3), (24, 0), (1, 13)]):
        db.execute("INSERT INTO votes(winner, loser, at) VALUES (?, ?, ?)",
                   (continuations[i][2][0], continuations[j][2][0], f"2026-01-31T13:00:{at:02}Z"))
    db.execute("INSERT INTO choices VALUES (?, ?, ?, ?)",
               ("song_1" + hostile, continuations[0][2][0], "Keeps the hands of the prompt, and comes home at the end." + hostile,
                "2026-01-31T13:05:00Z"))

    for model in MODELS:
        for tokenizer in TOKENIZERS:
            for e, epoch in enumerate(EPOCHS):
                for metric, value in (("H1", 1.8), ("H4", 2.5), ("GS", 0.8 + 0.015 * e)):
                    db.execute("INSERT INTO published VALUES (?, ?, ?, ?, ?)", (model, tokenizer, epoch, metric, value))
    db.commit()
    db.close()


if __name__ == "__main__":
    main()
