#!/usr/bin/env python3
"""Compares the ids of vocabularies that MidiTok trained, and what they decode to, with Continuo's, song by song.

    for pair in 3.0.4,0.5.4 3.1.0,0.6.0; do
      python3 -m venv out/peers/${pair%,*}
      out/peers/${pair%,*}/bin/pip install miditok==${pair%,*} symusic==${pair#*,}
    done
    bench/peers/trained.py --peers out/peers SONGS... [--lessons 200] [--sizes 1000 5000 30000] [--decodes 1]

SONGS are MIDI files or folders of them. MidiTok trains on --lessons of them, evenly spread: byte-pair encoding of each
size, Unigram and WordPiece of 1,000 ids, for REMI, TSD and MIDI-Like, split by bars; and byte-pair encoding of 1,000
ids by beats and unsplit. Continuo learns byte-pair encoding from the same songs. Of all songs, the ids, the base ids
that these decode to, and the scores of those are compared. Times are of the processor: of Continuo those of whole
processes, of MidiTok those of its calls. Exit status 1 if anything differs.
"""
import argparse
import copy
import hashlib
import json
import os
import pathlib
import resource
import subprocess
import sys
import tempfile
import time

import differ

KINDS = ["REMI", "TSD", "MIDILike"]
SETTINGS = {"use_tempos": True, "use_time_signatures": True}


def tokenizers(kinds, sizes):
    """(kind, split, model, size) of each tokenizer."""
    for kind in kinds:
        for size in sizes:
            yield kind, "bar", "BPE", size
        yield kind, "bar", "Unigram", sizes[0]
        yield kind, "bar", "WordPiece", sizes[0]
        yield kind, "beat", "BPE", sizes[0]
        yield kind, "no", "BPE", sizes[0]


def digest(value):
    return hashlib.sha256(json.dumps(value, separators=(",", ":")).encode()).hexdigest()


# MidiTok's side, a process of its venv.

class Peer(differ.Peer):
    def train_model(self, kind, split, model, size, files, path):
        """Writes path, and path.plain of the tokenizer before. Returns the seconds that it took."""
        settings = {**SETTINGS, "encode_ids_split": split}
        tokenizer = getattr(self.miditok, kind)(self.miditok.TokenizerConfig(**settings))
        tokenizer.save(pathlib.Path(path + ".plain"))
        begin = time.process_time()
        tokenizer.train(size, model, files_paths=[pathlib.Path(file) for file in files])
        seconds = time.process_time() - begin
        tokenizer.save(pathlib.Path(path))
        return seconds

    def read(self, kind, files):
        """Keeps the base tokens of the files; returns the digests of the scores that these decode to, and the seconds
        that encoding took."""
        self.base, seconds = [], 0
        tokenizer = getattr(self.miditok, kind)(self.miditok.TokenizerConfig(**SETTINGS))
        digests = []
        for file in files:
            begin = time.process_time()
            try:
                streams = tokenizer.encode(self.symusic.Score(file), encode_ids=False)
                seconds += time.process_time() - begin
            except Exception:  # MidiTok fails on it
                self.base.append(None)
                digests.append(None)
                continue
            self.base.append(streams if isinstance(streams, list) else [streams])
            score = self.cases.decoded(tokenizer, [[int(i) for i in s.ids] for s in self.base[-1]])
            digests.append(digest(differ.clean(score)) if score else None)
        return [digests, seconds]

    def ids(self, path):
        """[ids of each track, whether they decode to the base ids] of each file, or None; and the seconds that making
        ids of the base tokens took."""
        tokenizer = self.load(path)
        answers, seconds = [], 0
        for base in self.base:
            streams, whole = [], True
            for before in base or []:
                stream = copy.copy(before)
                begin = time.process_time()
                tokenizer.encode_token_ids(stream)
                seconds += time.process_time() - begin
                streams.append([int(i) for i in stream.ids])
                tokenizer.decode_token_ids(stream)
                whole = whole and [int(i) for i in stream.ids] == [int(i) for i in before.ids]
            answers.append([streams, whole] if base else None)
        return [answers, seconds]


def serve():
    import warnings

    warnings.filterwarnings("ignore")
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # training prints to standard output
    peer = Peer()
    for line in sys.stdin:
        operation, *arguments = json.loads(line)
        print(json.dumps(getattr(peer, operation)(*arguments), separators=(",", ":")), file=answers, flush=True)


class PeerProcess(differ.PeerProcess):
    def __init__(self, venv):
        self.process = subprocess.Popen(
            [str(venv / "bin" / "python"), __file__, "--serve"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        )


def children_seconds():
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def timed(work):
    """What `work` returns, and the processor seconds of the processes that it ran."""
    begin = children_seconds()
    result = work()
    return result, children_seconds() - begin


def learn(continuo, release, path, size, lessons):
    """Continuo's byte-pair encoding: the seconds, and whether it is MidiTok's."""
    command = [continuo.program, "-q", "tokenizer", "train", *lessons, "--tokenizer", path + ".plain", "--miditok", release,
               "--size", str(size), "--threads", "1", "-o", path + ".ours"]
    _, seconds = timed(lambda: subprocess.run(command, check=True, stdout=subprocess.DEVNULL))
    ours, theirs = (json.loads(json.loads(pathlib.Path(p).read_text())["_model"])["model"] for p in (path + ".ours", path))
    return seconds, ours["merges"] == theirs["merges"] and ours["vocab"] == theirs["vocab"]


def compare(release, options, songs, folder):
    """Prints a line for each tokenizer; returns how many songs differ."""
    peer = PeerProcess(options.peers / release)
    continuo = differ.Continuo(options.continuo)
    lessons = songs[:: max(1, len(songs) // options.lessons)][: options.lessons]
    wrong, kind_read, scores, read_seconds = 0, None, [], 0
    for kind, split, model, size in tokenizers(options.kinds, options.sizes):
        path = str(folder / f"{release}-{kind}-{split}-{model}-{size}.json")
        seconds = peer("train_model", kind, split, model, size, lessons, path)
        if kind != kind_read:
            kind_read, (scores, read_seconds) = kind, peer("read", kind, songs)
        theirs, ids_seconds = peer("ids", path)
        ours, our_seconds = timed(lambda: continuo.encode(path, songs))
        ids, different, lost, decoded, decoded_wrong = 0, [], 0, [], []
        for number, (song, answer, score) in enumerate(zip(songs, theirs, scores)):
            if answer is None:
                continue
            streams, whole = answer
            ids += sum(map(len, streams))
            lost += not whole
            if ours[song] != streams:
                different.append(song)
            elif whole and score and number % options.decodes == 0:
                decoded.append((song, streams, score))
        for first in range(0, len(decoded), differ.AT_ONCE):
            part = decoded[first : first + differ.AT_ONCE]
            for (song, _, score), got in zip(part, continuo.decode(path, [job[1] for job in part])):
                if digest(differ.clean(got)) != score:
                    decoded_wrong.append(song)
        entries = len(json.loads(json.loads(pathlib.Path(path).read_text())["_model"])["model"]["vocab"])
        compared = sum(answer is not None for answer in theirs)
        print(
            f"{release} {kind:8} {split:4} {model:9} {entries:6} entries: ids of "
            f"{compared - len(different)} of {compared} songs equal ({ids} ids), "
            f"scores of {len(decoded) - len(decoded_wrong)} of {len(decoded)}"
            + (f"; MidiTok itself loses tokens of {lost}" if lost else ""),
            flush=True,
        )
        print(f"    encoding: {our_seconds:.2f} s, MidiTok {read_seconds + ids_seconds:.1f} s"
              f" ({(read_seconds + ids_seconds) / our_seconds:.0f} x)", flush=True)
        if model == "BPE":
            learnt, equal = learn(continuo, release, path, size, lessons)
            print(f"    learning: {learnt:.2f} s, MidiTok {seconds:.1f} s ({seconds / learnt:.0f} x); "
                  f"{'the same' if equal else 'another'} vocabulary", flush=True)
        for name in (different + decoded_wrong)[:3]:
            print(f"    {name}")
        wrong += len(different) + len(decoded_wrong)
    return wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("paths", nargs="+", type=pathlib.Path, metavar="SONGS")
    parser.add_argument("--peers", type=pathlib.Path, required=True, help="the folder of the venvs, by release")
    parser.add_argument("--continuo", type=pathlib.Path, default=differ.SOURCE / "build" / "bin" / "continuo")
    parser.add_argument("--releases", nargs="+", default=differ.RELEASES)
    parser.add_argument("--kinds", nargs="+", default=KINDS)
    parser.add_argument("--sizes", nargs="+", type=int, default=[1000, 5000, 30000])
    parser.add_argument("--lessons", type=int, default=200, help="songs that MidiTok trains on")
    parser.add_argument("--decodes", type=int, default=1, help="compare the scores of every N-th song")
    options = parser.parse_args()
    songs = [str(path) for path in differ.midi_files(options.paths)]
    wrong = 0
    with tempfile.TemporaryDirectory(prefix="continuo-trained-") as folder:
        for release in options.releases:
            wrong += compare(release, options, songs, pathlib.Path(folder))
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    serve() if sys.argv[1:] == ["--serve"] else main()
