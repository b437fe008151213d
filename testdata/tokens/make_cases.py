#!/usr/bin/env python3
"""Writes what MidiTok itself makes of random configurations and scores.

    pip install miditok==3.1.0 symusic==0.6.0     (or 3.0.4 and 0.5.4)
    python make_cases.py --seed 1 --count 60 cases-3.1.0.json
    python make_cases.py --seed 1 --count 48 cases-structured-beat-3.1.0.json --kinds Structured BEAT     (3.1.0 only)
    python make_cases.py --seed 1 --count 48 cases-pertok-mmm-3.1.0.json --kinds PerTok MMM     (3.1.0 only)

A case: {"tokenizer": the tokenizer.json that MidiTok saves, "vocab_sha256": of the vocabulary, one token a line,
"score": {"tpq", "tempos": [[tick, microseconds per quarter]], "time_signatures": [[tick, numerator, denominator]],
"tracks": [{"program", "drum", "notes": [[tick, duration, pitch, velocity]], "pedals": [[tick, duration]],
"pitch_bends": [[tick, value]]}]}, "ids": [[ids of a track], ...] or null where MidiTok fails, "decodes": [{"ids",
"score" (tempos in quarters per minute, notes sorted) or null}]}.
"""
import argparse
import hashlib
import json
import random
import tempfile
import warnings
from pathlib import Path

import miditok
from miditok import MIDILike, REMI, TSD, TokenizerConfig
from symusic import Note, Pedal, PitchBend, Score, Tempo, TimeSignature, Track

warnings.filterwarnings("ignore")

BEAT_RES = [
    {(0, 4): 8, (4, 12): 4},
    {(0, 1): 8, (1, 2): 4, (2, 4): 2},
    {(0, 4): 12, (4, 8): 6},
    {(0, 2): 4},
    {(0, 1): 3, (1, 5): 6},
    {(0, 16): 16},
    {(0, 3): 24, (3, 9): 8},
    {(0, 8): 1},
]
RESTS = [{(0, 1): 8, (1, 2): 4, (2, 12): 2}, {(0, 2): 2, (2, 4): 1}, {(0, 1): 4}, {(0, 12): 1}, {(0, 1): 3, (1, 3): 1}]
METERS = [
    {8: [3, 12, 6], 4: [5, 6, 3, 2, 1, 4]},
    {4: [4, 3]},
    {4: [4, 3, 2], 8: [6, 9]},
    {2: [2, 3], 4: [4, 3], 8: [6, 5, 7]},
    {4: [3, 4], 16: [7, 5, 12]},
    {1: [1, 2], 4: [4]},
    {4: [3]},
]
CHORDS = [
    None,
    {"maj": (0, 4, 7), "min": (0, 3, 7)},
    {"fifth": (0, 7), "maj7": (0, 4, 7, 11), "open": (0, 7, 16), "near": (0, 1, 2)},
]


def some(rng, p):
    return rng.random() < p


def random_config(rng, kinds=(REMI, MIDILike, TSD)):
    kind = rng.choice(kinds)
    low = rng.choice([0, 21, 36, rng.randrange(0, 60)])
    beat_res = rng.choice(BEAT_RES)
    finest = max(beat_res.values())
    kw = dict(
        pitch_range=(low, rng.choice([109, 127, rng.randrange(low + 12, 127)])),
        beat_res=beat_res,
        num_velocities=rng.choice([1, 4, 16, 31, 32, 127]),
        remove_duplicated_notes=some(rng, 0.2),
        special_tokens=rng.choice([["PAD", "BOS", "EOS", "MASK"], ["BOS", "EOS"], ["PAD", "A_B_C", "EOS", "SEP_x"]]),
        use_velocities=some(rng, 0.85),
        use_chords=some(rng, 0.4),
        use_rests=some(rng, 0.4),
        use_tempos=some(rng, 0.6),
        use_time_signatures=some(rng, 0.6),
        use_sustain_pedals=some(rng, 0.4),
        use_pitch_bends=some(rng, 0.4),
        use_programs=some(rng, 0.6),
        use_pitchdrum_tokens=some(rng, 0.7),
        one_token_stream_for_programs=some(rng, 0.7),
        program_changes=some(rng, 0.3),
        default_note_duration=rng.choice([0.5, 1, 0.25]),
        beat_res_rest=rng.choice([r for r in RESTS if max(r.values()) <= finest] or [{(0, 2): 1}]),
        chord_tokens_with_root_note=some(rng, 0.5),
        chord_unknown=rng.choice([None, None, (3, 6), (3, 5)]),
        num_tempos=rng.choice([1, 2, 16, 32, 50]),
        tempo_range=rng.choice([(40, 250), (60, 180), (30, 500), (50.5, 200.25)]),
        log_tempos=some(rng, 0.3),
        delete_equal_successive_tempo_changes=some(rng, 0.4),
        time_signature_range=rng.choice(METERS),
        delete_equal_successive_time_sig_changes=some(rng, 0.3),
        sustain_pedal_duration=some(rng, 0.4),
        pitch_bend_range=rng.choice([(-8192, 8191, 32), (-8192, 8191, 5), (-100, 100, 7), (0, 8191, 9)]),
        drums_pitch_range=rng.choice([(27, 88), (35, 60)]),
    )
    chords = rng.choice(CHORDS)
    if chords:
        kw["chord_maps"] = chords
    if some(rng, 0.25):
        kw["use_note_duration_programs"] = [p for p in range(-1, 128) if some(rng, 0.6)]
    if some(rng, 0.3):
        programs = [p for p in range(-1, 128) if p in (-1, 0) or some(rng, rng.choice([0.05, 0.5]))]
        rng.shuffle(programs)
        kw["programs"] = programs
    if kind is REMI:
        kw["use_bar_end_tokens"] = some(rng, 0.25)
        kw["add_trailing_bars"] = some(rng, 0.25)
    if kind.__name__ == "PerTok":
        kw["beat_res"] = rng.choice([*BEAT_RES, {(0, 4): 8, (0, 3): 3}, {(0, 2): 3, (0, 1): 16, (1, 6): 4}])
        kw["ticks_per_quarter"] = rng.choice([320, 480, 24, 220, 96])
        kw["beat_res"] = {range_: min(res, kw["ticks_per_quarter"]) for range_, res in kw["beat_res"].items()}
        kw["beat_res_rest"] = {(0, 2): 1}
        kw["use_microtiming"] = some(rng, 0.7)
        kw["max_microtiming_shift"] = rng.choice([0.125, 0.125, 0.0625, 0.1, 0.3, 1])
        kw["num_microtiming_bins"] = rng.choice([30, 30, 1, 7, 16])
        kw["use_position_toks"] = some(rng, 0.4)
        kw["sustain_pedal_duration"] = False
    if kind.__name__ == "MMM":
        kw["base_tokenizer"] = rng.choice(["REMI", "TSD", "MIDILike"])
        if kw["base_tokenizer"] == "REMI":
            kw["use_bar_end_tokens"] = some(rng, 0.25)
            kw["add_trailing_bars"] = some(rng, 0.25)
        if kw["base_tokenizer"] == "MIDILike" and some(rng, 0.4):
            kw["max_duration"] = rng.choice([(4, 480, 120), (2, 0, 8), (1, 3, 4)])
    if kind is MIDILike and some(rng, 0.4):
        kw["max_duration"] = rng.choice([(4, 480, 120), (2, 0, 8), (1, 3, 4)])
    return kind, kw


def random_score(rng):
    tpq = rng.choice([8, 24, 96, 120, 384, 480, 480, 960])
    score = Score(tpq)
    length = tpq * rng.choice([4, 16, 40])
    grid = rng.choice([1, max(1, tpq // 8), max(1, tpq // 4)])

    def tick():
        return rng.randrange(0, length) // grid * grid

    for t in sorted(tick() if some(rng, 0.8) else 0 for _ in range(rng.choice([0, 1, 3, 12]))):
        score.tempos.append(Tempo(t, round(rng.uniform(25, 300), 2)))
    meters = [(4, 4), (3, 4), (6, 8), (5, 8), (2, 2), (7, 16), (12, 8), (1, 4), (2, 1), (11, 4)]
    for i, t in enumerate(sorted(tick() for _ in range(rng.choice([0, 1, 1, 3, 6])))):
        score.time_signatures.append(TimeSignature(0 if i == 0 and some(rng, 0.7) else t, *rng.choice(meters)))
    for _ in range(rng.choice([0, 1, 1, 1, 2, 4])):
        track = Track(program=rng.choice([0, 0, 5, 40, rng.randrange(128)]), is_drum=some(rng, 0.2))
        notes = []
        for _ in range(rng.choice([0, 3, 12, 30])):
            t, d = tick(), 1 + rng.randrange(tpq * rng.choice([1, 2, 4, 20]))
            if grid > 1:
                d = max(grid, d // grid * grid)
            pitches = [rng.randrange(0, 128) if some(rng, 0.1) else rng.randrange(40, 90)]
            if some(rng, 0.3):
                pitches = [pitches[0] + i for i in rng.choice([(0, 4, 7), (0, 3, 7), (0, 4, 7, 11), (0, 7, 16), (0, 1, 2)])]
            v = rng.randrange(1, 128)
            notes += [(t, d, p, v) for p in pitches if p < 128]
        for n in sorted(notes, key=lambda n: n[:2]):
            track.notes.append(Note(*n))
        for t in sorted(tick() for _ in range(rng.choice([0, 0, 2, 6]))):
            track.pedals.append(Pedal(t, 1 + rng.randrange(tpq * 4)))
        for t in sorted(tick() for _ in range(rng.choice([0, 0, 3, 8]))):
            track.pitch_bends.append(PitchBend(t, rng.randrange(-8192, 8192)))
        score.tracks.append(track)
    return score


def dump(score, exact):
    return {
        "tpq": score.ticks_per_quarter,
        "tempos": [[t.time, t.mspq if exact else round(t.qpm, 2)] for t in score.tempos],
        "time_signatures": [[t.time, t.numerator, t.denominator] for t in score.time_signatures],
        "tracks": [{
            "program": t.program, "drum": t.is_drum,
            "notes": (list if exact else sorted)([n.time, n.duration, n.pitch, n.velocity] for n in t.notes),
            "pedals": [[p.time, p.duration] for p in t.pedals],
            "pitch_bends": [[b.time, b.value] for b in t.pitch_bends],
        } for t in score.tracks],
    }


def damaged(ids, size, rng):
    out = list(ids[:120])
    for _ in range(1 + len(out) // 6):
        if out:
            i = rng.randrange(len(out))
            if some(rng, 0.5):
                out[i] = rng.randrange(size)
            else:
                j = rng.randrange(len(out))
                out[i], out[j] = out[j], out[i]
    return out


def decoded(tokenizer, streams):
    try:
        one = tokenizer.one_token_stream
        return dump(tokenizer.decode(list(streams[0]) if one else [list(s) for s in streams]), False)
    except Exception:  # MidiTok fails on some damaged ids
        return None


def case(rng, kinds):
    while True:
        kind, kw = random_config(rng, kinds)
        try:
            tokenizer = kind(TokenizerConfig(**kw))
            break
        except Exception:  # a combination that MidiTok refuses
            continue
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "tokenizer.json"
        tokenizer.save(path)
        saved = json.loads(path.read_text())
        tokenizer = kind(params=path)  # the vocabulary of the file, as anyone who reads it gets it
    vocab = [t for t, _ in sorted(tokenizer.vocab.items(), key=lambda kv: kv[1])]
    score = random_score(rng)
    result = {
        "tokenizer": saved,
        "vocab_sha256": hashlib.sha256("".join(t + "\n" for t in vocab).encode()).hexdigest(),
        "score": dump(score, True),
    }
    try:
        sequences = tokenizer(score)
        sequences = sequences if isinstance(sequences, list) else [sequences]
        streams = [[int(i) for i in s.ids] for s in sequences]
        result["ids"] = streams
        result["decodes"] = [{"ids": streams, "score": decoded(tokenizer, streams)}] if any(streams) else []
        for _ in range(2):
            broken = [damaged(s, len(vocab), rng) for s in streams]
            if all(broken):
                result["decodes"].append({"ids": broken, "score": decoded(tokenizer, broken)})
    except Exception as error:
        result["ids"] = None
        result["decodes"] = []
        result["error"] = f"{type(error).__name__}: {error}"[:200]
    return result


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=60)
    parser.add_argument("--kinds", nargs="+", default=["REMI", "MIDILike", "TSD"])
    args = parser.parse_args()
    rng = random.Random(args.seed)
    kinds = [getattr(miditok, kind) for kind in args.kinds]
    lines = [json.dumps(case(rng, kinds), separators=(",", ":")) for _ in range(args.count)]
    args.out.write_text("[\n" + ",\n".join(lines) + "\n]\n")


if __name__ == "__main__":
    main()
