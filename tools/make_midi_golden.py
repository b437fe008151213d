#!/usr/bin/env python3
"""Writes testdata/midi: small MIDI files, and what symusic reads in them and in the large test data.

Needs `pip install symusic==0.6.0`. Run as `make_midi_golden.py [SHARED]`, SHARED being the folder of large test data.

    NAME.mid, NAME.txt   a file that shows one rule, and the score that symusic reads in it
    random_N.mid, .txt   files of many channels, programs, overlapping notes, pedals, texts
    symusic.tsv          file below SHARED/data, SHA-256 of its score in the same text

A score in text, one thing a line, texts as hex of their UTF-8: `ticks`, `tempo TIME US`, `time TIME NUM DEN`,
`key TIME KEY TONALITY`, `marker TIME TEXT`, then for each track that has notes `track PROGRAM DRUM NAME` and its
`note TIME DURATION PITCH VELOCITY`, `control TIME NUMBER VALUE`, `bend TIME VALUE`, `pedal TIME DURATION`.
"""
import hashlib
import random
import struct
import sys
from pathlib import Path

import symusic

ROOT = Path(__file__).resolve().parent.parent
OUT = ROOT / "testdata" / "midi"

# The events of each track; an end-of-track event is put after them.
RULES = {
    "note": ["00903c40 60803c40"],
    "velocity_0_ends": ["00903c40 603c00"],
    "oldest_ends_first": ["00903c40 103c41 103c42 083c00 083c00 083c00 003c50 103c00"],
    "no_duration": ["00903c40 003c00 103c30 003c31 003c00 103c00"],
    "end_without_begin": ["00803c40 10903c40 10803c40"],
    "no_end": ["00903c40 003e40 103c00"],
    "order_of_note_ons": ["00904840 003c40 004040 103c00 004000 004800"],
    "channels": ["00913c40 00903c40 00993c40 10903c00 00913c00 00993c00"],
    "program_of_note_on": ["00c005 00903c40 10c006 10903c41 05803c00 10803c00 10c005 00903e40 10803e00"],
    "programs_in_order": ["00c050 00903c40 00c007 003e40 00913f40 10803c00 00803e00 00813f00"],
    "controls_wait": ["00b00740 00c005 00b00a33 00e00040 00903c40 10b00801 10803c00 00c006 00b00a34"],
    "controls_wait_again": ["00b00740 00c005 00903c40 10803c00 00c006 00b00a34 00903c40 10803c00"],
    "pedal_channel_1": ["00903c40 10b0407f 10b04000 10b04050 00b0407f 10b0403f 05b04000 10803c00"],
    "pedal_channel_2": ["00913c40 10b1407f 10b14000 10b14050 00b1407f 10b1403f 05b14000 10813c00"],
    "pedal_not_released": ["00903c40 10b0407f 10803c00"],
    "names": ["00ff030161 00903c40 00913c40 10803c00 10813c00 00ff030162", "00913c40 10813c00"],
    "no_notes": ["00b00740 00e00740 00c010", "00ff060161"],
    "tempos": ["10ff510307a120 00ff510307a121 00ff510307a11f", "00ff510307a122 20ff5103ffffff"],
    "signatures": ["00ff580404021808 00ff580407031808 60ff5804ff021808 00ff58040f071808", "00ff5902fe01 60ff59020700"],
    "texts": ["00ff060161 00ff0600 00ff0602e9e8 00ff0603c3a941 00ff0603414200 00ff060441c32842 00ff0604f09f9880 "
              "00ff0603eda080 00ff0602c080 00ff0605f880808080 00ff0604f4908080 00ff0603e28241 00ff0602e282 00ff0604e9a0e9a0"],
    "bends": ["00e00000 00e07f7f 00e00040 00903c40 10803c00"],
    "running_after_meta": ["00903c40 00ff060161 103c00 003e40 103e00"],
    "long_delta": ["83ffff7f 903c40 ffffff7f 803c40"],
    "pressure": ["00a03c40 00d040 00903c40 10803c00"],
    "after_end": ["00903c40 10803c00 00ff2f00 00903c40 10803c00"],
    "three_tracks": ["00ff510307a120", "00903c40 10803c00", "00993c40 10893c00"],
}


def chunk(name, body):
    return name + struct.pack(">I", len(body)) + body


def midi(tracks, ticks=480, form=1):
    return chunk(b"MThd", struct.pack(">HHH", form, len(tracks), ticks)) + b"".join(chunk(b"MTrk", t) for t in tracks)


def quantity(value):
    out = [value & 0x7F]
    while value := value >> 7:
        out.append(0x80 | (value & 0x7F))
    return bytes(reversed(out))


def random_track(rng):
    body, running = b"", None
    channels = [rng.randrange(16) for _ in range(rng.choice([1, 2, 4]))]
    pitches = [rng.randrange(128) for _ in range(rng.choice([2, 5, 20]))]
    for _ in range(rng.choice([20, 200, 400])):
        delta = rng.choice([0, 0, 0, 1, 5, 120, 127, 128, 240, 480, 16383, 16384])
        kind, channel = rng.random(), rng.choice(channels)
        if kind < 0.8:
            begins = rng.random() < 0.5
            status = rng.choice([0x80, 0x90]) if not begins else 0x90
            event = bytes([status | channel, rng.choice(pitches), rng.randrange(1, 128) if begins else 0])
        elif kind < 0.88:
            event = bytes([0xB0 | channel, rng.choice([64, 64, 7, 1]), rng.choice([0, 127, 63, 64])])
        elif kind < 0.90:
            event = bytes([0xC0 | channel, rng.choice([0, 5, 40])])
        elif kind < 0.93:
            event = bytes([0xE0 | channel, rng.randrange(128), rng.randrange(128)])
        elif kind < 0.95:
            event = b"\xff\x51\x03" + struct.pack(">I", rng.randrange(1, 1 << 24))[1:]
        elif kind < 0.96:
            event = b"\xff\x58\x04" + bytes([rng.randrange(1, 20), rng.randrange(0, 7), 24, 8])
        elif kind < 0.99:
            text = rng.choice([b"x", b"Marker \xc3\xa9", b"\xe9\xe8", b"", b"a" * 200])
            event = bytes([0xFF, rng.choice([6, 6, 1, 3])]) + quantity(len(text)) + text
        else:
            event = b"\xf0\x05\x7e\x7f\x09\x01\xf7"
        implied = event[0] < 0xF0 and event[0] == running and rng.random() < 0.7
        body += quantity(delta) + (event[1:] if implied else event)
        running = event[0] if event[0] < 0xF0 else running if event[0] == 0xFF else None
    return body + b"\0\xff\x2f\0"


def text_of(score):
    out = [f"ticks {score.ticks_per_quarter}"]
    out += [f"tempo {e.time} {e.mspq}" for e in score.tempos]
    out += [f"time {e.time} {e.numerator} {e.denominator}" for e in score.time_signatures]
    out += [f"key {e.time} {e.key} {e.tonality}" for e in score.key_signatures]
    out += [f"marker {e.time} {e.text.encode().hex()}" for e in score.markers]
    for track in score.tracks:
        if len(track.notes) == 0:
            continue
        out.append(f"track {track.program} {int(track.is_drum)} {track.name.encode().hex()}")
        out += [f"note {e.time} {e.duration} {e.pitch} {e.velocity}" for e in track.notes]
        out += [f"control {e.time} {e.number} {e.value}" for e in track.controls]
        out += [f"bend {e.time} {e.value}" for e in track.pitch_bends]
        out += [f"pedal {e.time} {e.duration}" for e in track.pedals]
    return "".join(line + "\n" for line in out)


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    files = {name: midi([bytes.fromhex(t) + b"\0\xff\x2f\0" for t in tracks]) for name, tracks in RULES.items()}
    rng = random.Random(11)
    for number in range(6):
        files[f"random_{number}"] = midi([random_track(rng) for _ in range(1 + number % 3)], 96)
    for name, content in files.items():
        (OUT / f"{name}.mid").write_bytes(content)
        (OUT / f"{name}.txt").write_text(text_of(symusic.Score.from_midi(content)))
    if len(sys.argv) < 2:
        return
    data, rows = Path(sys.argv[1]) / "data", []
    for folder in ("pop1k7", "prompts", "odd-midi"):
        for file in sorted((data / folder).rglob("*.mid")):
            try:
                digest = hashlib.sha256(text_of(symusic.Score(file)).encode()).hexdigest()
            except RuntimeError:
                digest = "refused"
            rows.append(f"{file.relative_to(data).as_posix()}\t{digest}\n")
    (OUT / "symusic.tsv").write_text("".join(rows))


if __name__ == "__main__":
    main()
