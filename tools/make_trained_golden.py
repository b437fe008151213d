#!/usr/bin/env python3
"""Writes testdata/tokens/trained: small tokenizers that MidiTok trained, and the ids that they give.

Training Unigram gives another vocabulary each time, as MidiTok says.

    VENV/bin/python tools/make_trained_golden.py        with miditok 3.0.4 and symusic 0.5.4, then 3.1.0 and 0.6.0

    NAME-RELEASE.json    the tokenizer.json, without line breaks
    ids-RELEASE.json     {NAME: {file of testdata/tokens/files: [[ids of a track], ...]}}
"""
import importlib.metadata
import json
import pathlib
import sys
import warnings

import miditok
import symusic

ROOT = pathlib.Path(__file__).resolve().parent.parent
FILES = ROOT / "testdata" / "tokens" / "files"
OUT = ROOT / "testdata" / "tokens" / "trained"
SMALL = {"num_velocities": 4, "beat_res": {(0, 4): 4}, "use_tempos": True, "num_tempos": 8}
# Kind, how streams are split into words, settings, how many ids more than tokens.
TOKENIZERS = {
    "remi_bar": ("REMI", "bar", {}, 60),
    "remi_beat": ("REMI", "beat", {"use_rests": True, "beat_res_rest": {(0, 2): 2}}, 60),
    "tsd_beat": ("TSD", "beat", {"use_time_signatures": True}, 60),
    "midilike_bar": ("MIDILike", "bar", {"use_time_signatures": True}, 60),
    "midilike_no": ("MIDILike", "no", {}, 60),
    "programs_bar": (
        "REMI", "bar", {"use_programs": True, "programs": [-1, 0, 1, 24, 33], "use_sustain_pedals": True}, 60
    ),
    "unigram_bar": ("REMI", "bar", {}, 100),
    "unigram_no": ("TSD", "no", {}, 100),
    "wordpiece_bar": ("REMI", "bar", {}, 100),
    "wordpiece_no": ("MIDILike", "no", {}, 300),
}
MODELS = {"unigram": "Unigram", "wordpiece": "WordPiece"}


def main():
    warnings.filterwarnings("ignore")
    release = importlib.metadata.version("miditok")
    OUT.mkdir(parents=True, exist_ok=True)
    files = sorted(FILES.glob("*.mid"))
    ids = {}
    for name, (kind, split, settings, merges) in TOKENIZERS.items():
        path = OUT / f"{name}-{release}.json"
        config = miditok.TokenizerConfig(**SMALL, **settings, encode_ids_split=split)
        tokenizer = getattr(miditok, kind)(config)
        model = MODELS.get(name.split("_")[0], "BPE")
        tokenizer.train(len(tokenizer.vocab) + merges, model, files_paths=files)
        tokenizer.save(path)
        path.write_text(json.dumps(json.loads(path.read_text()), separators=(",", ":")) + "\n")
        tokenizer = getattr(miditok, kind)(params=path)
        ids[name] = {}
        for file in files:
            try:
                sequences = tokenizer(symusic.Score(file))
            except Exception:  # MidiTok fails on it
                continue
            sequences = sequences if isinstance(sequences, list) else [sequences]
            ids[name][file.stem] = [[int(i) for i in s.ids] for s in sequences]
    lines = ",\n".join(f"{json.dumps(k)}:{json.dumps(v, separators=(',', ':'))}" for k, v in ids.items())
    (OUT / f"ids-{release}.json").write_text("{\n" + lines + "\n}\n")


if __name__ == "__main__":
    sys.exit(main())
