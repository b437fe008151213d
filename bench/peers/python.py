#!/usr/bin/env python3
"""Measures the Python package in turns with MidiTok, on the same files, and prints the ratios.

    python3 -m venv out/peers
    out/peers/bin/pip install miditok==3.1.0 symusic==0.6.0 torch build/wheel/continuo-*.whl
    out/peers/bin/python bench/peers/python.py SONGS... [--songs 200] [--rounds 3] [--json FIGURES.json]

SONGS are MIDI files or folders of them; of folders, evenly spread files are taken. `encode`: one call for each song, in
CPU time of one thread. `encode_files`: two threads against one, in seconds of wall clock, all songs; and by CPU time,
which holds on a busy machine: what runs on the calling thread alone counts whole, the rest by half. `DataLoader`: items
per second of wall clock with two workers, from a corpus on disk against MidiTok's DatasetMIDI on files that
split_files_for_training has cut; an item has at most 1,024 ids. Each figure is the best of the rounds. Without torch the
last is left out.
"""
import argparse
import importlib.metadata
import json
import os
import pathlib
import shutil
import sys
import tempfile
import time
import warnings

import miditok

import continuo as ct

LENGTH = 1024
BATCH = 16


def evenly(paths, count):
    files = []
    for path in paths:
        files += sorted(path.rglob("*.mid")) if path.is_dir() else [path]
    return files[:: max(1, len(files) // count)][:count]


def best(rounds, *works):
    """The least seconds of each work, in turns; a work returns its own."""
    times = [[] for _ in works]
    for _ in range(rounds):
        for work, taken in zip(works, times):
            taken.append(work())
    return [min(taken) for taken in times]


def timed(clock, work):
    begin = clock()
    work()
    return clock() - begin


def encode(preset, songs, rounds):
    ours = ct.Tokenizer(preset)
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "tokenizer.json"
        ours.save(path)
        theirs = getattr(miditok, ours.representation)(params=path)
    count = 0
    for song in songs:
        ids = ours.encode(song)
        peer = theirs(song)
        peer = peer[0] if isinstance(peer, list) else peer
        if ids.tolist() != peer.ids:
            sys.exit(f"{song}: other ids than MidiTok's")
        count += len(ids)
    a, b = best(
        rounds,
        lambda: timed(time.process_time, lambda: [ours.encode(song) for song in songs]),
        lambda: timed(time.process_time, lambda: [theirs(song) for song in songs]),
    )
    return {"what": f"encode, {preset}", "ours": count / a, "peer": count / b, "ratio": b / a, "unit": "tokens/s"}


def threads(songs, rounds):
    tok = ct.Tokenizer("remi")
    many = songs * max(1, 1000 // len(songs))
    one, two = best(
        rounds * 3,
        lambda: timed(time.perf_counter, lambda: tok.encode_files(many, threads=1)),
        lambda: timed(time.perf_counter, lambda: tok.encode_files(many, threads=2)),
    )
    yield {"what": "encode_files, two threads against one", "ours": len(many) / two, "peer": len(many) / one,
           "ratio": one / two, "unit": "files/s"}

    def cpu(count):
        """CPU seconds of all, and of the arrays, which are made after the last report of progress."""
        marks = [time.process_time()]
        tok.encode_files(many, threads=count, progress=lambda done, total: marks.append(time.process_time()))
        end = time.process_time()
        return end - marks[0], end - marks[-1]

    runs = [(cpu(1), cpu(2)) for _ in range(rounds * 3)]
    one = min(run[0][0] for run in runs)
    two = min(run[1][0] for run in runs)
    alone = min(run[1][1] for run in runs) + timed(time.process_time, lambda: [os.fsencode(path) for path in many])
    longest = alone + (max(one, two) - alone) / 2  # less on two threads than on one is noise
    yield {"what": "the same by CPU time", "ours": len(many) / longest, "peer": len(many) / one,
           "ratio": one / longest, "unit": "files/s"}


def loaders(songs, rounds, folder):
    from torch.utils.data import DataLoader

    tok = ct.Tokenizer("remi")
    tok.save(folder / "tokenizer.json")
    (folder / "songs").mkdir()
    for number, song in enumerate(songs):
        shutil.copy(song, folder / "songs" / f"{number}.mid")
    ours = ct.Corpus.build(folder / "songs", tok, folder / "corpus", valid_fraction=0).dataset(LENGTH)

    from miditok.pytorch_data import DataCollator, DatasetMIDI
    from miditok.utils import split_files_for_training

    theirs = miditok.REMI(params=folder / "tokenizer.json")
    chunks = folder / "chunks"
    chunks.mkdir()
    split_files_for_training(sorted((folder / "songs").glob("*.mid")), theirs, chunks, LENGTH)
    peer = DatasetMIDI(sorted(chunks.rglob("*.mid")), theirs, LENGTH, bos_token_id=1, eos_token_id=2)

    def read(dataset, collator, repeat):
        loader = DataLoader(dataset, batch_size=BATCH, num_workers=2, collate_fn=collator, persistent_workers=True)
        next(iter(loader))  # the workers have started
        begin = time.perf_counter()
        for _ in range(repeat):
            for _ in loader:
                pass
        return (time.perf_counter() - begin) / (repeat * len(dataset))

    a, b = best(rounds, lambda: read(ours, ours.collator, 20), lambda: read(peer, DataCollator(0), 1))
    return {"what": "DataLoader, two workers", "ours": 1 / a, "peer": 1 / b, "ratio": b / a, "unit": "items/s"}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("paths", nargs="+", type=pathlib.Path, metavar="SONGS")
    parser.add_argument("--songs", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=pathlib.Path)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    songs = evenly(options.paths, options.songs)
    if not songs:
        sys.exit("no MIDI files")
    figures = [encode(preset, songs, options.rounds) for preset in ("remi", "remiplus", "midilike")]
    figures += threads(songs, options.rounds)
    try:
        import torch  # noqa: F401
    except ImportError:
        print("DataLoader: left out, torch is not installed")
    else:
        with tempfile.TemporaryDirectory(prefix="continuo-peers-") as folder:
            figures.append(loaders(songs, options.rounds, pathlib.Path(folder)))
    load = " ".join(f"{each:.1f}" for each in os.getloadavg())
    print(f"{len(songs)} songs, MidiTok {importlib.metadata.version('miditok')}, {os.cpu_count()} cores, load average {load}")
    for row in figures:
        print(f"{row['what']:<40} {row['ours']:>14,.0f} {row['peer']:>12,.0f} {row['unit']:<9} {row['ratio']:>7.1f} x")
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
