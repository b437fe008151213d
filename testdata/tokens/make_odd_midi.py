#!/usr/bin/env python3
"""Writes what the installed MidiTok makes of the odd MIDI files of the shared test data, a hash a preset and file.

    python make_odd_midi.py SHARED > odd-midi-3.1.0.tsv

Run once with miditok 3.1.0 and symusic 0.6.0, once with 3.0.4 and 0.5.4. Columns: preset, file, SHA-256 of the ids (as
32-bit numbers, little-endian; the lists of several tracks each end with -1). Files that symusic refuses are left out.
"""
import hashlib
import importlib.metadata
import pathlib
import sys
import warnings

import miditok
import numpy
import symusic

KINDS = {"remi": miditok.REMI, "midilike": miditok.MIDILike, "tsd": miditok.TSD}


def main():
    warnings.filterwarnings("ignore")
    shared = pathlib.Path(sys.argv[1])
    presets = shared / "golden" / f"tokens-{importlib.metadata.version('miditok')}"
    files = sorted((shared / "data" / "odd-midi").rglob("*.mid"))
    for preset in sorted(path for path in presets.iterdir() if path.is_dir()):
        kind = next(kind for name, kind in KINDS.items() if name in preset.name.replace("hw_", ""))
        tokenizer = kind(params=preset / "tokenizer.json")
        for path in files:
            try:
                score = symusic.Score(path)
            except Exception:
                continue
            try:
                tokens = tokenizer(score)
            except Exception:
                continue  # MidiTok fails on it
            tracks = tokens if isinstance(tokens, list) else [tokens]
            digest = hashlib.sha256()
            for track in tracks:
                digest.update(numpy.array(track.ids, "<i4").tobytes())
                if len(tracks) > 1:
                    digest.update(numpy.array([-1], "<i4").tobytes())
            print(preset.name, path.relative_to(shared / "data" / "odd-midi"), digest.hexdigest(), sep="\t")


if __name__ == "__main__":
    main()
