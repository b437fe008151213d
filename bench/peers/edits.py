#!/usr/bin/env python3
"""Checks with mido, which shares no code with Continuo, that `continue` and `fill` keep a file.

Generates random files (those of differ.py), lets Continuo continue each and rewrite bars of it, and
compares what mido reads before and after. Bars are counted here, from mido's events. Prints the
number of files checked, and those that lost something; exits 1 if any did.

    out/peers/bin/python bench/peers/edits.py --model MODEL --count 200

The model must know many time signatures (`continuo inspect MODEL`); a model of one update will do:

    continuo corpus build examples/corpus --tokenizer remi_all -o out/tiny-corpus
    continuo train --corpus out/tiny-corpus -o out/tiny --layers 1 --heads 1 --width 16 --context 256 --steps 1
"""
import argparse
import collections
import fractions
import math
import pathlib
import random
import subprocess
import sys
import tempfile

import differ
import mido

SOURCE = pathlib.Path(__file__).resolve().parents[2]


def events(path):
    """Of each track the events in file order: (tick, what mido reads)."""
    file = mido.MidiFile(path, charset="latin1")
    tracks = []
    for track in file.tracks:
        now, read = 0, []
        for message in track:
            now += message.time
            if message.type != "end_of_track":
                read.append((now, message.copy(time=0)))
        tracks.append(read)
    return file.ticks_per_beat, tracks


def bar_lines(division, tracks, count):
    """The ticks of the first bar lines: a time signature other than that in force begins a bar; first, 4/4 is.

    A bar need not be a whole number of ticks: its line is then at the tick nearest to its place.
    """
    signatures = {0: (4, 4)}
    for track in tracks:
        for tick, message in track:
            if message.type == "time_signature":
                signatures[tick] = (message.numerator, message.denominator)
    changes, in_force = {}, None
    for tick, signature in sorted(signatures.items()):
        if signature != in_force:
            in_force = signature
            changes[tick] = max(1, fractions.Fraction(4 * division * signature[0], signature[1]))
    ticks = sorted(changes)
    lines, at, place = [], 0, 0
    while len(lines) < count:
        lines.append(at)
        last = max(tick for tick in ticks if tick <= at)
        following = [tick for tick in ticks if tick > at]
        place += changes[last]
        at = math.floor(place + fractions.Fraction(1, 2))
        if following and following[0] < at:
            at = place = following[0]
    return lines


def note_events(track):
    """For each note event of a track (by index) the tick where its note began; notes end first in, first out."""
    sounding, began = collections.defaultdict(list), {}
    for i, (tick, message) in enumerate(track):
        if message.type == "note_on" and message.velocity > 0:
            sounding[message.channel, message.note].append(tick)
            began[i] = tick
        elif message.type in ("note_on", "note_off"):
            waiting = sounding[message.channel, message.note]
            began[i] = waiting.pop(0) if waiting else None
    return began


def lost(before, after, keep):
    """The first event that `keep` wants of a track and that is not in the other file's track, in order."""
    for number, (old, new) in enumerate(zip(before, after)):
        began = note_events(old)
        at = 0
        for i, event in enumerate(old):
            if not keep(event, began.get(i), i in began):
                continue
            while at < len(new) and new[at] != event:
                at += 1
            if at == len(new):
                return f"track {number}: {event[1]} at tick {event[0]}"
            at += 1
    return None


def run(arguments, out):
    done = subprocess.run([*map(str, arguments), "-o", str(out), "--quiet"], capture_output=True, text=True)
    if done.returncode == 0:
        return next(path for path in sorted(out.glob("*.mid")) if "new-bars" not in path.name)
    if ": bar" in done.stderr or "but the prompt is to be" in done.stderr or "are not among its" in done.stderr:
        return None  # refused: a signature that the model lacks, or too few bars
    raise RuntimeError(f"{' '.join(map(str, arguments[1:]))}: {done.stderr.strip()}")


def check(path, rng, options, folder):
    division, before = events(path)
    first = rng.randrange(0, 4)
    last = first + rng.randrange(1, 4)
    lines = bar_lines(division, before, last + 1)
    faults, checked = [], 0
    common = ["--model", options.model, "--seed", rng.randrange(1000), "--threads", 1]

    continued = [options.continuo, "continue", "--prompt", path, *common, "--prompt-bars", last, "--bars", 2]
    written = run(continued, folder / "continued")
    if written:
        checked += 1
        line = lines[last]

        def is_kept(event, began, note):
            return event[0] < line and not (note and began is None)

        fault = lost(before, events(written)[1], is_kept)
        faults += [f"continue --prompt-bars {last}: {fault}"] if fault else []

    filled = [options.continuo, "fill", path, *common, "--bars", f"{first + 1}:{last}", "--candidates", 1]
    written = run(filled, folder / "filled")
    if written:
        checked += 1
        begin, end = lines[first], lines[last]

        def stays(event, began, note):
            return not note or began is not None and not begin <= began < end

        fault = lost(before, events(written)[1], stays)
        faults += [f"fill --bars {first + 1}:{last}: {fault}"] if fault else []
    return checked, faults


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--continuo", type=pathlib.Path, default=SOURCE / "build" / "bin" / "continuo")
    parser.add_argument("--model", required=True)
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=pathlib.Path, help="where to keep files that lost something")
    options = parser.parse_args()
    rng = random.Random(options.seed)
    files = edits = bad = 0
    while files < options.count:
        with tempfile.TemporaryDirectory() as name:
            path = pathlib.Path(name) / "song.mid"
            division, tracks = differ.random_song(rng)
            # Without controllers that silence notes: after one, readers differ in which note a
            # note-off ends.
            tracks = [[(tick, message) for tick, message in track if message[0] & 0xF0 != 0xB0 or message[1] < 120]
                      for track in tracks]
            path.write_bytes(differ.midi_bytes((division, tracks)))
            try:
                checked, faults = check(path, rng, options, pathlib.Path(name))
            except RuntimeError as error:
                checked, faults = 1, [str(error)]
            files += checked > 0
            edits += checked
            if faults:
                bad += 1
                print(f"file {files}:", *faults, sep="\n  ")
                if options.out:
                    options.out.mkdir(parents=True, exist_ok=True)
                    (options.out / f"{options.seed}-{files}.mid").write_bytes(path.read_bytes())
    print(f"{files} files, {edits} edits, {bad} files lost something")
    return bad > 0


if __name__ == "__main__":
    sys.exit(main())
