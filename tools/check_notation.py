#!/usr/bin/env python3
"""Holds `continuo export` against other programs: MuseScore, music21 and verovio.

    tools/check_notation.py build/bin/continuo MIDI... [--work DIR] [--skip verovio]

Exports each MIDI file. Each program reads the MusicXML; whatever it prints counts as a warning.
MuseScore also exports MIDI, whose notes (onset, length, pitch, velocity) and tempos must be those of
the MIDI file on a grid of 32nd notes, where a note ends when its pitch is struck again. Bars must
hold whole 32nds. Prints one line per fault and a summary; exits 1 if there was a fault.

MuseScore 3 is looked for as mscore3 (Debian: musescore3); music21, verovio and mido are Python
packages, looked for in this Python and in that of $CONTINUO_NOTATION_PYTHON. With --skip-missing,
what is missing is passed over, and the exit code is 77 if nothing is there.
"""
import argparse
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
import warnings
from collections import defaultdict
from pathlib import Path

STEPS = 8  # of a quarter note


def read_notes(path):
    """[(from, to, pitch, velocity)] in ticks, [(tick, microseconds)], ticks per quarter."""
    import mido
    midi = mido.MidiFile(path)
    notes, tempos = [], []
    for track in midi.tracks:
        now, sounding = 0, defaultdict(list)
        for event in track:
            now += event.time
            if event.type == "note_on" and event.velocity > 0:
                sounding[event.channel, event.note].append((now, event.velocity))
            elif event.type in ("note_on", "note_off") and sounding[event.channel, event.note]:
                begin, velocity = sounding[event.channel, event.note].pop(0)
                notes.append((begin, now, event.note, velocity))
            elif event.type == "set_tempo":
                tempos.append((now, event.tempo))
    return notes, tempos, midi.ticks_per_beat


def on_grid(notes, tpq):
    snap = lambda tick: (2 * tick * STEPS + tpq) // (2 * tpq)
    by_pitch = defaultdict(dict)
    for begin, end, pitch, velocity in notes:
        begin, end = snap(begin), snap(end)
        end = max(end, begin + 1)
        old_end, old_velocity = by_pitch[pitch].get(begin, (0, 0))
        by_pitch[pitch][begin] = (max(end, old_end), max(velocity, old_velocity))
    result = {}
    for pitch, found in by_pitch.items():
        onsets = sorted(found)
        for onset, following in zip(onsets, onsets[1:] + [1 << 60]):
            end, velocity = found[onset]
            result[onset, pitch] = (min(end, following), velocity)
    return result


def musescore(files, work):
    """Converts MusicXML to MIDI in one run; returns what it printed beyond its progress."""
    jobs = [{"in": str(xml), "out": str(mid)} for xml, mid in files]
    work.chmod(0o700)  # as Qt asks of its runtime folder
    job = work / "job.json"
    job.write_text(json.dumps(jobs))
    env = dict(os.environ, QT_QPA_PLATFORM="offscreen", XDG_RUNTIME_DIR=str(work))
    run = subprocess.run(["mscore3", "-j", str(job)], env=env, capture_output=True, text=True)
    printed = [line for line in (run.stdout + run.stderr).splitlines()
               if line.strip() and not line.strip().startswith(("convert <", "to <", "... success"))]
    return printed


def check_music21(xml):
    from music21 import converter
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        score = converter.parse(xml, forceSource=True)
        faults = [str(w.message) for w in caught if "music21" in str(w.filename)]
    for part in score.parts:
        for measure in part.getElementsByClass("Measure"):
            bar = measure.barDuration.quarterLength
            for voice in measure.voices or [measure]:
                length = voice.duration.quarterLength
                irregular = measure.number == 0 or measure.paddingLeft or measure.paddingRight
                if abs(float(length) - float(bar)) > 1e-6 and not irregular:
                    faults.append(f"bar {measure.number}: a voice of {length} quarters, expected {bar}")
    return faults


def check_verovio(xml):
    code = ("import sys, verovio\n"
            "verovio.enableLog(verovio.LOG_WARNING) if hasattr(verovio, 'LOG_WARNING') else verovio.enableLog(True)\n"
            "tk = verovio.toolkit()\n"
            "for path in sys.argv[1:]:\n"
            "    print('@' + path, file=sys.stderr, flush=True)\n"
            "    if not tk.loadFile(path): print('cannot be loaded', file=sys.stderr)\n"
            "    tk.renderToSVG(1)\n")
    run = subprocess.run([sys.executable, "-c", code] + [str(path) for path in xml], capture_output=True, text=True)
    faults, current = defaultdict(list), ""
    for line in run.stderr.splitlines():
        if line.startswith("@"):
            current = line[1:]
        elif line.strip():
            faults[current].append(line.strip())
    if run.returncode != 0:
        faults[current].append(f"verovio ended with {run.returncode}")
    return faults


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("continuo")
    parser.add_argument("midi", nargs="+", type=Path)
    parser.add_argument("--work", type=Path, help="keep the files there")
    parser.add_argument("--skip", action="append", default=[], choices=["music21", "verovio", "musescore"])
    parser.add_argument("--skip-missing", action="store_true")
    args = parser.parse_args()
    python = os.environ.get("CONTINUO_NOTATION_PYTHON")
    if python and "CONTINUO_NOTATION_RUNS" not in os.environ:
        os.environ["CONTINUO_NOTATION_RUNS"] = "1"
        os.execv(python, [python, *sys.argv])
    there = {name: importlib.util.find_spec(name) is not None for name in ("music21", "verovio", "mido")}
    there["musescore"] = there["mido"] and shutil.which("mscore3") is not None
    if args.skip_missing:
        args.skip += [name for name in ("music21", "verovio", "musescore") if not there[name]]
        if len(set(args.skip)) == 3:
            print("skipped: neither MuseScore 3 (and mido) nor music21 nor verovio is here")
            sys.exit(77)
    folder = tempfile.TemporaryDirectory(prefix="continuo-notation-")
    args.work = args.work or Path(folder.name)
    args.work.mkdir(parents=True, exist_ok=True)
    faults = defaultdict(list)
    files = []
    for number, midi in enumerate(args.midi):
        xml = args.work / f"{number:04}-{midi.stem}.musicxml"
        run = subprocess.run([args.continuo, "-q", "export", str(midi), "-o", str(xml)], capture_output=True, text=True)
        if run.returncode != 0:
            faults[midi].append(run.stderr.strip())
        else:
            files.append((midi, xml, xml.with_suffix(".mid")))

    notes_compared = exact = 0
    if "musescore" not in args.skip:
        printed = musescore([(xml, mid) for _, xml, mid in files], args.work)
        faults["musescore"] += printed
        for midi, _, mid in files:
            source, tempos, tpq = read_notes(midi)
            expected = on_grid(source, tpq)
            found, found_tempos, found_tpq = read_notes(mid)
            exported = {}
            for begin, end, pitch, velocity in found:
                exported[begin * STEPS / found_tpq, pitch] = (-(-end * STEPS // found_tpq), velocity)
            notes_compared += len(expected)
            wrong = [(key, expected.get(key), exported.get(key)) for key in sorted(set(expected) | set(exported))
                     if expected.get(key) != exported.get(key)]
            exact += len(expected) - len(wrong)
            if wrong:
                faults[midi].append(f"{len(wrong)} of {len(expected)} notes differ, the first (place, pitch), expected, "
                                    f"MuseScore: {wrong[0]}")
            last = max((end for _, end, _, _ in source), default=0)
            def steps(changes, division):
                result = {}
                for tick, tempo in changes:
                    if tick < last * division / tpq or tick == 0:
                        result[(2 * tick * STEPS + division) // (2 * division)] = round(60e6 / tempo, 1)
                kept, before = [], None
                for place in sorted(result):
                    if result[place] != before:
                        kept.append((place, result[place]))
                    before = result[place]
                return kept
            a, b = steps([(0, 500000)] + tempos, tpq), steps(found_tempos, found_tpq)
            if [p for p, _ in a] != [p for p, _ in b] or any(abs(x - y) > 0.11 for (_, x), (_, y) in zip(a, b)):
                faults[midi].append(f"tempos differ: {[x for x in a if x not in b][:3]} {[x for x in b if x not in a][:3]}")
    if "music21" not in args.skip:
        for midi, xml, _ in files:
            faults[midi] += ["music21: " + fault for fault in check_music21(xml)]
    if "verovio" not in args.skip:
        for xml, found in check_verovio([xml for _, xml, _ in files]).items():
            faults[xml] += ["verovio: " + fault for fault in found]

    count = 0
    for where, found in faults.items():
        for fault in found[:3]:
            print(f"{where}: {fault}")
        count += len(found)
    if args.skip:
        print("not asked:", ", ".join(sorted(set(args.skip))))
    print(f"{len(files)} files, {notes_compared} notes compared with MuseScore's, {exact} equal; {count} faults")
    sys.exit(1 if count else 0)


if __name__ == "__main__":
    main()
