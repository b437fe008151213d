#!/usr/bin/env python3
"""Measures token_bench in turns with symusic and MidiTok, on the same files and one thread, and prints the ratios.

    python3 -m venv out/peers && out/peers/bin/pip install miditok==3.1.0 symusic==0.6.0
    out/peers/bin/python bench/peers/tokens.py SONGS... [--rounds 5] [--songs 100] [--json FIGURES.json]

SONGS are MIDI files or folders of them; of folders, evenly spread files are taken. Also measured are five files of many
tracks, each made of those of forty of the songs. Each figure is the best of the rounds, in CPU time.
"""
import argparse
import json
import os
import pathlib
import struct
import subprocess
import sys
import tempfile
import time

import miditok
import symusic

SOURCE = pathlib.Path(__file__).resolve().parent.parent.parent


def tokenizer(preset):
    settings = {"use_tempos": True, "use_time_signatures": False}
    if preset == "remiplus":
        settings |= {"use_time_signatures": True, "use_chords": True}
    kind = {"midilike": miditok.MIDILike}.get(preset, miditok.REMI)
    return kind(miditok.TokenizerConfig(**settings))


def tracks_of(data):
    """The MTrk chunks of a file."""
    at = 8 + struct.unpack(">I", data[4:8])[0]
    chunks = []
    while at + 8 <= len(data):
        size = struct.unpack(">I", data[at + 4 : at + 8])[0]
        if data[at : at + 4] == b"MTrk":
            chunks.append(data[at : at + 8 + size])
        at += 8 + size
    return chunks


def write_large(songs, folder):
    """Five files of many tracks: the longest of each of forty songs, and the first song's others (its tempo map)."""
    paths = []
    for number in range(5):
        part = [songs[(number * 40 + k) % len(songs)].read_bytes() for k in range(40)]
        conductor = sorted(tracks_of(part[0]), key=len)[:-1]
        chunks = conductor + [max(tracks_of(data), key=len) for data in part]
        path = folder / f"large-{number}.mid"
        path.write_bytes(b"MThd" + struct.pack(">IHH", 6, 1, len(chunks)) + part[0][12:14] + b"".join(chunks))
        paths.append(path)
    return paths


def ours(paths, names, folder):
    """Runs token_bench once: {benchmark: (rate, tokens)}."""
    listing = folder / "files.txt"
    listing.write_text("".join(f"{path}\n" for path in paths))
    command = [SOURCE / "build/bin/token_bench", "--benchmark_format=json", "--benchmark_min_time=0.2",
               f"--benchmark_filter=^({'|'.join(names)})$"]
    result = subprocess.run(command, env=os.environ | {"CONTINUO_BENCH_FILES": str(listing)}, check=True, text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    rates = {}
    for row in json.loads(result.stdout)["benchmarks"]:
        rates[row["name"]] = (row.get("bytes_per_second") or row.get("items_per_second"), int(row.get("tokens", 0)))
    return rates


def timed(work):
    begin = time.process_time()
    amount = work()
    return amount / (time.process_time() - begin)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("paths", nargs="+", type=pathlib.Path)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--songs", type=int, default=100)
    parser.add_argument("--json", type=pathlib.Path)
    options = parser.parse_args()
    songs = []
    for path in options.paths:
        found = sorted(path.rglob("*.mid")) if path.is_dir() else [path]
        songs += found[:: max(1, len(found) // options.songs)][: options.songs]
    songs = [path.resolve() for path in songs]

    best = {}

    def note(name, side, rate):
        row = best.setdefault(name, {})
        row[side] = max(row.get(side, 0.0), rate)

    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary)
        large = write_large(songs, folder)
        contents = {"": [path.read_bytes() for path in songs], " large": [path.read_bytes() for path in large]}
        presets = {name: tokenizer(name) for name in ("remi", "remiplus", "midilike")}
        names = ["ParseMemory", "ParsePath", "Encode/remichord_recognised", "ParseAndEncode/remichord_recognised"]
        names += [f"{kind}/{preset}" for preset in presets for kind in ("ParseAndEncode", "Decode")]
        for round_number in range(options.rounds):
            print(f"round {round_number + 1} of {options.rounds}", file=sys.stderr)
            rates = ours(songs, names, folder)
            for name, (rate, _) in rates.items():
                note(name, "ours", rate)
            for name, (rate, _) in ours(large, names[:2], folder).items():
                note(name + " large", "ours", rate)
            for files, suffix in ((songs, ""), (large, " large")):
                total = sum(len(data) for data in contents[suffix])
                note("ParseMemory" + suffix, "peer",
                     timed(lambda: [symusic.Score.from_midi(data) for data in contents[suffix]] and total))
                note("ParsePath" + suffix, "peer", timed(lambda: [symusic.Score(path) for path in files] and total))
            for preset, peer in presets.items():
                ids = []

                def encode():
                    ids.extend(peer(path) for path in songs)
                    return sum(len(tokens) for tracks in ids for tokens in (tracks if isinstance(tracks, list) else [tracks]))

                rate = timed(encode)
                note(f"ParseAndEncode/{preset}", "peer", rate)
                count = sum(len(tokens) for tracks in ids for tokens in (tracks if isinstance(tracks, list) else [tracks]))
                if count != rates[f"ParseAndEncode/{preset}"][1]:
                    sys.exit(f"{preset}: MidiTok makes {count} tokens, Continuo {rates[f'ParseAndEncode/{preset}'][1]}")
                note(f"Decode/{preset}", "peer", timed(lambda: [peer.decode(tracks) for tracks in ids] and count))
        # The recogniser's bar is set against MidiTok's REMI+ with its own chords.
        best["ParseAndEncode/remichord_recognised"]["peer"] = best["ParseAndEncode/remiplus"]["peer"]

    print(f"| what | Continuo | peer | ratio |\n|---|---|---|---|")
    for name, row in best.items():
        if "peer" in row:
            unit = "MB/s" if name.startswith("Parse") and "/" not in name else "M tokens/s"
            print(f"| {name} | {row['ours'] / 1e6:.1f} {unit} | {row['peer'] / 1e6:.3g} {unit} | {row['ours'] / row['peer']:.1f} |")
    if options.json:
        options.json.write_text(json.dumps(best, indent=1) + "\n")


if __name__ == "__main__":
    main()
