#!/usr/bin/env python3
"""Writes the small MIDI files that ship: examples/prompt.mid and examples/corpus/*.mid.

All of it is made here: chord progressions, left-hand patterns and melodies by simple rules and a seeded
random number generator, so that it is free to ship and the files can be made again to the byte.

    tools/make_example_midi.py            writes them
"""
import random
import struct
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent / "examples"
QUARTER = 480
BAR = 4 * QUARTER
MAJOR = [0, 2, 4, 5, 7, 9, 11]
MINOR = [0, 2, 3, 5, 7, 8, 10]
PROGRESSIONS = [  # scale degrees, one chord a bar
    [0, 4, 5, 3], [0, 5, 3, 4], [5, 3, 0, 4], [0, 3, 0, 4], [0, 2, 3, 4], [3, 4, 2, 5], [0, 5, 1, 4], [5, 4, 3, 4],
]


def variable_length(value):
    out = [value & 0x7F]
    while value > 0x7F:
        value >>= 7
        out.append(value & 0x7F | 0x80)
    return bytes(reversed(out))


def midi_file(name, qpm, notes):
    """A format 1 file: a conductor track, then one of (start, duration, pitch, velocity) notes."""

    def chunk(events):
        body, last = b"", 0
        for tick, _, data in sorted(events, key=lambda e: e[:2]):
            body += variable_length(tick - last) + data
            last = tick
        body += b"\x00\xff\x2f\x00"
        return b"MTrk" + struct.pack(">I", len(body)) + body

    text = name.encode()
    conductor = [
        (0, 0, b"\xff\x03" + variable_length(len(text)) + text),
        (0, 1, b"\xff\x51\x03" + round(60e6 / qpm).to_bytes(3, "big")),
        (0, 2, b"\xff\x58\x04\x04\x02\x18\x08"),
    ]
    played = [(0, 0, b"\xc0\x00")]
    for start, duration, pitch, velocity in notes:
        played.append((start, 2, bytes([0x90, pitch, velocity])))
        played.append((start + duration, 1, bytes([0x80, pitch, 0])))
    return b"MThd" + struct.pack(">IHHH", 6, 1, 2, QUARTER) + chunk(conductor) + chunk(played)


def degree_pitch(key, scale, degree, base):
    """The pitch of a scale degree (any integer) above the key's note nearest over `base`."""
    octave, step = divmod(degree, 7)
    return base + (key - base) % 12 + 12 * octave + scale[step]


def left_hand(style, key, scale, degree, start, velocity):
    root, third, fifth, octave = (degree_pitch(key, scale, degree + d, 36) for d in (0, 2, 4, 7))
    half, eighth = BAR // 2, BAR // 8
    if style == "block":
        return [(start + h * half, half - 30, p, velocity) for h in (0, 1) for p in (root, third + 12, fifth + 12)]
    if style == "broken":
        order = [root, fifth, octave, third + 12, fifth + 12, third + 12, octave, fifth]
        return [(start + i * eighth, eighth, p, velocity - 4 * (i % 2)) for i, p in enumerate(order)]
    if style == "alberti":
        order = [root + 12, fifth + 12, third + 12, fifth + 12] * 2
        return [(start + i * eighth, eighth - 10, p, velocity - 6 * (i % 4 != 0)) for i, p in enumerate(order)]
    bass = [(start, half - 20, root, velocity + 6), (start + half, half - 20, fifth, velocity)]
    return bass + [(start + b * QUARTER, QUARTER // 2, p + 12, velocity - 6) for b in (1, 3) for p in (third, fifth)]


RHYTHMS = [[4, 4, 4, 4], [8, 4, 4], [6, 2, 4, 4], [4, 2, 2, 4, 4], [2, 2, 4, 2, 2, 4], [12, 4], [3, 3, 2, 4, 4], [8, 8]]


def melody_bar(rng, rhythm, chord, place):
    """(start in sixteenths, length, scale degree) of one bar; strong beats prefer the chord's notes."""
    out, at = [], 0
    for length in rhythm:
        if rng.random() < 0.08 and at > 0:
            at += length
            continue
        place += rng.choice([-2, -1, -1, 0, 1, 1, 2])
        place = max(4, min(16, place))
        if at % 8 == 0:
            tones = [t for t in range(2, 19) if (t - chord) % 7 in (0, 2, 4)]
            place = min(tones, key=lambda t: (abs(t - place), t))
        out.append((at, length, place))
        at += length
    return out, place


def piece(rng, bars):
    key, scale = rng.randrange(12), rng.choice([MAJOR, MAJOR, MINOR])
    progression = rng.choice(PROGRESSIONS)
    style = rng.choice(["block", "broken", "alberti", "stride"])
    qpm = rng.choice([76, 84, 92, 100, 108, 116, 126])
    place, phrases = 9, {}
    notes = []
    for bar in range(bars):
        section = "AABA"[bar // 8 % 4]
        chord = progression[(bar + (2 if section == "B" else 0)) % 4]
        spot = (section, bar % 4 if bar % 8 < 6 else bar % 8)
        if spot not in phrases:
            phrases[spot], place = melody_bar(rng, rng.choice(RHYTHMS), chord, place)
        start, loud = bar * BAR, 62 + 10 * (section == "B") + 3 * (bar % 4)
        notes += left_hand(style, key, scale, chord, start, loud - 14)
        for at, length, degree in phrases[spot]:
            pitch = degree_pitch(key, scale, degree, 55)
            accent = 8 if at % 8 == 0 else rng.randrange(5)
            notes.append((start + at * QUARTER // 4, length * QUARTER // 4 - 10, pitch, loud + accent))
    return qpm, notes


def prompt():
    """Eight bars in C by hand: I V vi IV twice, the melody answered a third lower."""
    melody = [
        [(0, 4, 76), (4, 2, 74), (6, 2, 72), (8, 6, 79), (14, 2, 77)],
        [(0, 4, 74), (4, 4, 71), (8, 8, 74)],
        [(0, 4, 72), (4, 2, 71), (6, 2, 69), (8, 6, 76), (14, 2, 74)],
        [(0, 4, 72), (4, 4, 69), (8, 6, 72), (14, 2, 74)],
        [(0, 4, 76), (4, 2, 77), (6, 2, 79), (8, 4, 84), (12, 4, 79)],
        [(0, 6, 79), (6, 2, 77), (8, 4, 74), (12, 4, 71)],
        [(0, 4, 72), (4, 4, 76), (8, 4, 81), (12, 4, 79)],
        [(0, 6, 77), (6, 2, 76), (8, 8, 72)],
    ]
    chords = [(36, [60, 64, 67]), (43, [59, 62, 67]), (45, [60, 64, 69]), (41, [60, 65, 69])] * 2
    notes = []
    for bar, (line, (bass, triad)) in enumerate(zip(melody, chords)):
        start = bar * BAR
        for at, length, pitch in line:
            notes.append((start + at * QUARTER // 4, length * QUARTER // 4 - 10, pitch, 80 if at % 8 == 0 else 72))
        notes.append((start, 2 * QUARTER, bass, 68))
        notes.append((start + 2 * QUARTER, 2 * QUARTER, bass + 7, 62))
        for eighth in range(1, 8):
            notes.append((start + eighth * QUARTER // 2, QUARTER // 2 - 10, triad[eighth % 3] - 12 * (eighth % 3 == 0), 56))
    return 96, notes


def main():
    ROOT.joinpath("corpus").mkdir(parents=True, exist_ok=True)
    qpm, notes = prompt()
    ROOT.joinpath("prompt.mid").write_bytes(midi_file("Prompt", qpm, notes))
    for number in range(1, 25):
        qpm, notes = piece(random.Random(number), 32)
        ROOT.joinpath("corpus", f"etude-{number:02}.mid").write_bytes(midi_file(f"Etude {number}", qpm, notes))


main()
