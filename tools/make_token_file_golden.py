#!/usr/bin/env python3
"""Writes testdata/tokens/files: small MIDI files, and what MidiTok makes of them.

    VENV/bin/python tools/make_token_file_golden.py     with miditok 3.0.4 and symusic 0.5.4, then 3.1.0 and 0.6.0

    NAME.mid            a file that shows one rule, was found by bench/peers/differ.py, or is random
    ids-RELEASE.json    {file: {preset: [[ids of a track], ...]}}, without the presets that MidiTok fails with
    tempos-RELEASE.json {file: [[tick, microseconds per quarter], ...] as symusic gives them}, of files of many tempos
"""
import importlib.metadata
import json
import pathlib
import random
import sys
import warnings

import miditok
import symusic

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "bench" / "peers"))
import differ

OUT = ROOT / "testdata" / "tokens" / "files"
PRESETS = ["remi", "remiplus", "midilike_default", "tsd_default", "remi_programs", "remi_all", "midilike_all", "tsd_all"]
ONLY_3_1_0 = ["structured_default", "beat_default", "pertok_default", "mmm_remi_default"]

# Events of each track as "TICK HEX, TICK HEX, ...", 96 ticks to a quarter note.
RULES = {
    "first_pedal": ["0 913c40, 48 b1407f, 96 b14000, 144 b1407f, 192 b14000, 192 813c00", "0 903c40, 48 b0407f, 96 b04000, 192 803c00"],
    "first_pedal_up": ["0 913c40, 48 b14000, 96 b1407f, 144 b14000, 192 813c00"],
    "notes_of_one_tick": ["0 904840, 0 903c40, 0 904040, 48 903c41, 96 903c00, 96 904000, 96 904800, 144 903c00, 192 804800"],
    "program_of_note_end": ["0 c005, 0 903c40, 48 c006, 96 803c00, 96 903e40, 144 c005, 192 803e00"],
    "end_begins_program": ["0 c005, 0 e00050, 0 903c40, 48 803c00, 48 c006, 60 b0407f, 96 803c00, 120 b04000, 144 c005, 144 903e40, 192 803e00"],
    "effects_of_two_programs": [
        "0 e10050, 10 b1407f, 20 b14000, 48 c105, 48 913c40, 96 813c00, 96 c106, 96 e10030, 100 913e40, 144 813e00"
    ],
    "no_end": ["0 903c40, 0 e00050, 48 b0407f, 96 b04000, 96 e00040"],
    "no_end_of_program_0": ["0 944e1f, 0 c701, 96 942740, 96 974640, 100 b7403f", "10 973840, 20 b7403f"],
    "lyric_sorts_program_0": ["0 ff05026c61, 98 902332, 100 902c17, 140 902c00, 190 902300"],
    "empty_lyric": ["0 ff0500, 98 902332, 100 902c17, 140 902c00, 190 902300"],
    "tempos_of_one_tick": ["0 ff510307a120, 96 ff510306a120, 96 ff510305a120, 0 903c40, 192 803c00", "96 ff510304a120, 0 903e40, 192 803e00"],
    "signatures_of_one_tick": ["0 ff580404021808, 384 ff580403021808, 384 ff580406031808, 0 903c40, 960 803c00", "384 ff580402021808"],
    "signature_without_token": ["0 904840, 1 904800, 768 ff58040b021808, 768 ff580401021808, 792 905733, 888 905700"],
    "signature_without_token_moves_another": ["0 904840, 1 904800, 96 ff580407041808, 480 905733, 500 905700", "96 ff580405021808"],
    "bends_of_one_tick": ["0 903c40, 48 e00000, 48 e07f7f, 96 e00030, 96 e00050, 192 803c00", "0 903e40, 48 e07f7f, 48 e00000, 192 803e00"],
    "no_duration": ["0 903c40, 0 903c00, 48 903c30, 48 903c31, 48 903c00, 96 903c00"],
    "same_program_twice": ["0 903c40, 0 904341, 96 803c00, 96 804300", "0 914044, 0 913c45, 96 b1407f, 97 b14000, 96 814000, 48 813c00"],
}


def song_of(rule):
    tracks = []
    for track in rule:
        events = [event.split() for event in track.split(", ")]
        tracks.append([(int(tick), bytes.fromhex(message)) for tick, message in events])
    return 96, tracks


def tempo_song(count, ticks, seed):
    """Tempos in two tracks, several of them at one tick: symusic's sort is not stable."""
    rng = random.Random(seed)
    tracks = [[(0, bytes.fromhex("903c40")), (96 * 16, bytes.fromhex("803c00"))], []]
    for _ in range(count):
        at = rng.randrange(ticks) * 24
        rng.choice(tracks).append((at, differ.meta(0x51, rng.randrange(240000, 1500000).to_bytes(3, "big"))))
    return 96, tracks


def all_files():
    files = {name: song_of(rule) for name, rule in RULES.items()}
    for count, ticks in [(23, 8), (24, 8), (60, 4), (130, 64), (200, 64), (700, 40)]:
        files[f"tempos_{count}"] = tempo_song(count, ticks, count)
    rng = random.Random(20)
    while len(files) < len(RULES) + 6 + 16:
        song = differ.random_song(rng)
        if len(differ.midi_bytes(song)) < 1500 and sum(map(len, song[1])) > 8:
            files[f"random_{len(files) - len(RULES) - 6}"] = song
    return files


def main():
    warnings.filterwarnings("ignore")
    release = importlib.metadata.version("miditok")
    OUT.mkdir(parents=True, exist_ok=True)
    peer = differ.Peer()
    ids, tempos = {}, {}
    for name, song in all_files().items():
        path = OUT / f"{name}.mid"
        path.write_bytes(differ.midi_bytes(song))
        ids[name] = {}
        for preset in PRESETS + (ONLY_3_1_0 if release == "3.1.0" else []):
            kind, settings = differ.PRESETS[preset]
            tokenizer = getattr(miditok, kind)(miditok.TokenizerConfig(**settings))
            try:
                sequences = tokenizer(symusic.Score(path))
            except Exception:  # MidiTok fails on it
                continue
            sequences = sequences if isinstance(sequences, list) else [sequences]
            ids[name][preset] = [[int(i) for i in s.ids] for s in sequences]
        if name.startswith("tempos_"):
            tempos[name] = [[t.time, t.mspq] for t in symusic.Score(path).tempos]
    for stem, value in [("ids", ids), ("tempos", tempos)]:
        lines = ",\n".join(f"{json.dumps(k)}:{json.dumps(v, separators=(',', ':'))}" for k, v in value.items())
        (OUT / f"{stem}-{release}.json").write_text("{\n" + lines + "\n}\n")


if __name__ == "__main__":
    main()
