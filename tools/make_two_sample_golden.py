#!/usr/bin/env python3
"""Writes testdata/metrics: small MIDI files, and what numpy and scikit-learn make of them and of the
examples' corpus. The tests of continuo/metrics/{bar_features,classifiers,two_sample} read them.

    pip install symusic==0.6.0 numpy scikit-learn mido
    tools/make_two_sample_golden.py PATH/two_sample.py

two_sample.py is the reference script of the two-sample test; it is part of the optional test data.
"""
import argparse
import importlib.util
import json
import random
from pathlib import Path

import mido
import numpy as np
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

ROOT = Path(__file__).resolve().parent.parent
OUT = ROOT / "testdata" / "metrics"
CORPUS = sorted((ROOT / "examples" / "corpus").glob("*.mid"))


def write_midi(path, ticks_per_quarter, tracks):
    """Each track is a list of notes (time, duration, pitch, velocity) in ticks."""
    file = mido.MidiFile(ticks_per_beat=ticks_per_quarter)
    for channel, notes in enumerate(tracks):
        events = []
        for time, duration, pitch, velocity in notes:
            events.append((time, 1, mido.Message("note_on", channel=channel, note=pitch, velocity=velocity)))
            events.append((time + duration, 0, mido.Message("note_off", channel=channel, note=pitch)))
        track = mido.MidiTrack()
        now = 0
        for time, _, message in sorted(events, key=lambda event: event[:2]):
            track.append(message.copy(time=time - now))
            now = time
        file.tracks.append(track)
    file.save(path)


def make_pieces():
    draw = random.Random(1)
    # Nothing on a grid, two tracks, 36 bars, and a tick that is no power of two of a quarter.
    free = [[], []]
    for track, (low, high, gap) in enumerate(((30, 60, 300), (55, 90, 110))):
        time = 0
        while time < 36 * 4 * 220:
            for _ in range(draw.choice((1, 1, 2, 3, 8))):
                free[track].append(
                    (time + draw.randrange(3), draw.randrange(1, 700), draw.randrange(low, high), draw.randrange(20, 120))
                )
            time += draw.randrange(1, gap)
    write_midi(OUT / "free.mid", 220, free)
    # On the halves between positions, where rounding decides; keys struck twice; a loop of four
    # bars.
    halves = []
    for bar in range(0, 40):
        for i in range(9):
            time = bar * 1920 + draw.choice((60, 180, 300, 1860, 15, 45, 0, 480, 960, 1440))
            halves.append((time, draw.choice((60, 120, 480, 960)), 48 + (bar % 4) * 5 + draw.choice((0, 4, 7, 12, 37)), 64 + bar))
            if draw.random() < 0.2:
                halves.append(halves[-1])
    write_midi(OUT / "halves.mid", 480, [halves])
    # Long silences, and a last note far beyond the bars that are measured.
    write_midi(OUT / "silences.mid", 96, [[(0, 96, 60, 80), (96 * 4 * 9, 50, 64, 1), (96 * 4 * 9, 50, 67, 127), (96 * 4 * 500, 10, 20, 10)]])
    write_midi(OUT / "one_note.mid", 480, [[(0, 480, 60, 80)]])


def numbers(values):
    return [float(f"{value:.12g}") for value in values]


def bar_features(script):
    pieces = []
    for path, bars in (
        [(path, 32) for path in (CORPUS[0], CORPUS[7], CORPUS[21])]
        + [(OUT / "free.mid", 32), (OUT / "free.mid", 30), (OUT / "halves.mid", 40), (OUT / "silences.mid", 32)]
        + [(OUT / "one_note.mid", 32)]
    ):
        values = script.features(script.notes(path, bars), bars)
        pieces.append({"file": str(path.relative_to(ROOT)), "bars": bars, "values": numbers(values.values())})
        keys = list(values)
    return {"keys": keys, "pieces": pieces}


def classifiers():
    rng = np.random.default_rng(3)
    rows, train = 140, 100
    x = rng.normal(size=(rows, 7))
    y = (x[:, 0] + x[:, 1] * x[:, 2] + 0.7 * rng.normal(size=rows) > 0).astype(int)
    x[:, 3] = np.round(x[:, 3])  # many equal values
    x[:, 4] = 0.1  # constant
    x[:, 5] = 1 + 1e-9 * rng.normal(size=rows)  # all within scikit-learn's least difference
    x[:, 6] = 1000 * x[:, 0] + 300 * rng.normal(size=rows)  # another scale, correlated
    # As the test reads them, so that both see the same.
    x = np.array([numbers(row) for row in x])
    golden = {"columns": 7, "x": [list(row) for row in x], "y": y.tolist(), "train": train, "logistic": []}
    for strength in (0.05, 10.0):
        model = make_pipeline(
            StandardScaler(), LogisticRegression(C=strength, solver="newton-cholesky", tol=1e-12, max_iter=1000)
        )
        model.fit(x[:train], y[:train])
        golden["logistic"].append({"c": strength, "probabilities": numbers(model.predict_proba(x[train:])[:, 1])})

    def forest(seeds, **options):
        options = {"min_samples_leaf": 3} | options
        made = [
            RandomForestClassifier(500, n_jobs=2, random_state=seed, **options).fit(x[:train], y[:train])
            for seed in range(seeds)
        ]
        return np.array([model.predict_proba(x[train:])[:, 1] for model in made])

    each = forest(20)
    mean = each.mean(0)
    golden["forest"] = numbers(mean)
    rms = lambda p: float(np.sqrt(np.mean((p - mean) ** 2)))
    golden["forest_rms"] = {
        "largest of 20 forests": max(rms(p) for p in each),
        "least_in_leaf 1": rms(forest(20, min_samples_leaf=1).mean(0)),
        "all columns": rms(forest(20, max_features=None).mean(0)),
        "no bootstrap": rms(forest(20, bootstrap=False).mean(0)),
        "one column": rms(forest(20, max_features=1).mean(0)),
    }
    print(golden["forest_rms"])
    scores = np.round(rng.normal(size=60) + np.repeat((0, 0.6), 30), 1)  # with ties
    golden["auc"] = {
        "lower": scores[:30].tolist(),
        "higher": scores[30:].tolist(),
        "value": roc_auc_score(np.repeat((0, 1), 30), scores),
    }
    return golden


# Twelve etudes each, changed a little and changed more. two_sample_test.cc changes them alike.
SETS = {"reference": {"first": 0, "least": 16, "step": 7}, "set": {"first": 12, "least": 4, "step": 5}}


def changed(notes, divisor):
    """The same piece with about one of `divisor` notes a semitone higher."""
    return sorted((on, dur, pitch + ((round(on * 16) * 7 + pitch) % divisor == 0), vel) for on, dur, pitch, vel in notes)


def features_of_changed(script, first, least, step):
    rows = []
    for i, path in enumerate(CORPUS[first : first + 12]):
        rows.append(script.features(changed(script.notes(path, 32), least + i * step % 11), 32))
    return np.array([list(row.values()) for row in rows]), list(rows[0])


def two_sample(script):
    """Each AUC over 12 orders of the pieces."""
    a, keys = features_of_changed(script, **SETS["reference"])
    b, _ = features_of_changed(script, **SETS["set"])
    local = [i for i, key in enumerate(keys) if not key.startswith(script.FORM)]
    golden = dict(SETS)
    for name, columns, kind in (
        ("forest", list(range(len(keys))), "forest"),
        ("forest_without_form", local, "forest"),
        ("logistic", list(range(len(keys))), "linear"),
    ):
        values = []
        for seed in range(12):
            rng = np.random.default_rng(seed)
            x, y = a[rng.permutation(len(a))], b[rng.permutation(len(b))]
            values.append(script.auc(x[:, columns], y[:, columns], kind))
        golden[name] = {"mean": float(np.mean(values)), "deviation": float(np.std(values))}
        print(name, golden[name], min(values), max(values))
    d = (b.mean(0) - a.mean(0)) / np.sqrt((a.var(0) + b.var(0)) / 2 + 1e-12)
    golden["differences"] = [
        {"id": keys[i], "reference": a[:, i].mean(), "set": b[:, i].mean(), "difference": d[i]}
        for i in np.argsort(-abs(d), kind="stable")[:10]
    ]
    return golden


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("script", help="two_sample.py")
    spec = importlib.util.spec_from_file_location("two_sample", parser.parse_args().script)
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    OUT.mkdir(parents=True, exist_ok=True)
    make_pieces()
    for name, golden in (
        ("bar_features", bar_features(script)),
        ("classifiers", classifiers()),
        ("two_sample", two_sample(script)),
    ):
        (OUT / f"{name}.json").write_text(json.dumps(golden, indent=None, separators=(",", ":")) + "\n")


main()
