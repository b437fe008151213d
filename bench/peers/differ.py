#!/usr/bin/env python3
"""Finds MIDI files of which Continuo and MidiTok make different tokens, or whose tokens they decode differently.

    for pair in 3.0.4,0.5.4 3.1.0,0.6.0; do
      python3 -m venv out/peers/${pair%,*}
      out/peers/${pair%,*}/bin/pip install miditok==${pair%,*} symusic==${pair#*,}
    done
    bench/peers/differ.py --peers out/peers [--count 1000] [--seed 1] [--configs 50] [FOLDERS OF MIDI FILES...]

Files are generated, mutated from those of the folders, and taken from the folders. Each is read with every preset and
some random configurations (testdata/tokens/make_cases.py) by each release, and the ids and what they, and damaged
copies of them, decode to are compared. Differences are put into groups by what differs first, and one of each group is
shrunk to the events that it needs. MidiTok's answers are kept in --cache, so that a second run is fast. Exit status 1
if there are differences.
"""
import argparse
import collections
import hashlib
import importlib.metadata
import importlib.util
import json
import os
import pathlib
import random
import sqlite3
import struct
import subprocess
import sys
import tempfile
import zlib

SOURCE = pathlib.Path(__file__).resolve().parent.parent.parent
AT_ONCE = 64  # files whose answers are held in memory
RELEASES = ["3.1.0", "3.0.4"]
TEMPO = {"use_tempos": True}
NO_METER = {"use_time_signatures": False}
ALL = {
    "use_programs": True, "use_chords": True, "use_rests": True, "use_time_signatures": True,
    "use_sustain_pedals": True, "use_pitch_bends": True, "use_tempos": True,
}
PERTOK = {
    "ticks_per_quarter": 320, "use_microtiming": True, "max_microtiming_shift": 0.125, "num_microtiming_bins": 30,
}
PRESETS = {
    "remi": ("REMI", {**NO_METER, **TEMPO}),
    "remiplus": ("REMI", {"use_chords": True, "use_time_signatures": True, **TEMPO}),
    "midilike": ("MIDILike", {**NO_METER, **TEMPO}),
    "hw_remi": ("REMI", {"num_velocities": 16, "use_chords": True, **NO_METER, **TEMPO}),
    "hw_remiplus": ("REMI", {"num_velocities": 16, "use_chords": True, "use_time_signatures": True, **TEMPO}),
    "hw_midilike": (
        "MIDILike",
        {"num_velocities": 16, "use_chords": True, "max_duration": (4, 480, 120), **NO_METER, **TEMPO},
    ),
    "remi_default": ("REMI", {}),
    "midilike_default": ("MIDILike", {}),
    "tsd_default": ("TSD", {}),
    "remi_programs": ("REMI", {"use_programs": True, "use_chords": True, "use_time_signatures": True, **TEMPO}),
    "remi_all": ("REMI", ALL),
    "midilike_all": ("MIDILike", ALL),
    "tsd_all": ("TSD", ALL),
    "structured_default": ("Structured", {}),
    "structured_programs": ("Structured", {"use_programs": True}),
    "beat_default": ("BEAT", {}),
    "beat_tempos": ("BEAT", {**TEMPO, "use_pitchdrum_tokens": False}),
    "pertok_default": ("PerTok", PERTOK),
    "pertok_positions": ("PerTok", {**PERTOK, **TEMPO, "use_programs": True, "use_position_toks": True}),
    "mmm_remi_default": ("MMM", {"base_tokenizer": "REMI"}),
    "mmm_midilike_default": ("MMM", {"base_tokenizer": "MIDILike"}),
    "mmm_tsd_all": ("MMM", {**ALL, "base_tokenizer": "TSD"}),
}
ONLY_3_1_0 = {name for name, (kind, _) in PRESETS.items() if kind in ("Structured", "BEAT", "PerTok", "MMM")}
TRAINED = [("REMI", "bar"), ("REMI", "beat"), ("TSD", "bar"), ("MIDILike", "beat"), ("MIDILike", "no")]


# MidiTok's side: a process of its venv that answers a JSON line with a JSON line.

def load_make_cases():
    path = SOURCE / "testdata" / "tokens" / "make_cases.py"
    spec = importlib.util.spec_from_file_location("make_cases", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Peer:
    def __init__(self):
        import miditok
        import symusic

        self.miditok, self.symusic, self.cases = miditok, symusic, load_make_cases()
        self.release = importlib.metadata.version("miditok")
        self.tokenizers = {}

    def preset(self, name, path):
        kind, settings = PRESETS[name]
        getattr(self.miditok, kind)(self.miditok.TokenizerConfig(**settings)).save(pathlib.Path(path))

    def config(self, seed, kinds, path):
        rng = random.Random(seed)
        kinds = [getattr(self.miditok, kind) for kind in kinds]
        while True:
            kind, settings = self.cases.random_config(rng, kinds)
            try:
                kind(self.miditok.TokenizerConfig(**settings)).save(pathlib.Path(path))
                return
            except Exception:  # a combination that MidiTok refuses
                continue

    def train(self, kind, split, size, files, path):
        """A tokenizer of `size` ids that were learnt (BPE) from the files."""
        settings = {"use_tempos": True, "use_time_signatures": True, "encode_ids_split": split}
        tokenizer = getattr(self.miditok, kind)(self.miditok.TokenizerConfig(**settings))
        tokenizer.train(size, "BPE", files_paths=[pathlib.Path(file) for file in files])
        tokenizer.save(pathlib.Path(path))

    def load(self, path):
        if path not in self.tokenizers:
            kind = json.loads(pathlib.Path(path).read_text())["tokenization"]
            self.tokenizers[path] = getattr(self.miditok, kind)(params=pathlib.Path(path))
        return self.tokenizers[path]

    def encode(self, tokenizer, file):
        tokenizer = self.load(tokenizer)
        try:
            sequences = tokenizer(self.symusic.Score(file))
        except Exception as error:
            return {"error": f"{type(error).__name__}: {error}"[:200]}
        sequences = sequences if isinstance(sequences, list) else [sequences]
        ids = [[int(i) for i in s.ids] for s in sequences]
        answer = {"ids": ids, "decodes": []}
        rng = random.Random(hashlib.sha256(pathlib.Path(file).read_bytes()).digest())
        broken = [self.cases.damaged(s, len(tokenizer.vocab), rng) for s in ids]
        for streams in [ids, broken]:
            # 3.0.4 takes trained ids for base ids where none is beyond these (docs/tokenizers.md).
            taken_wrong = tokenizer.is_trained and self.release == "3.0.4" and any(
                max(s, default=0) < len(tokenizer.vocab) for s in streams
            )
            if any(streams) and all(streams) and not taken_wrong:
                answer["decodes"].append([streams, self.cases.decoded(tokenizer, streams)])
        return answer

    def score(self, file):
        try:
            return self.cases.dump(self.symusic.Score(file), True)
        except Exception as error:
            return {"error": str(error)}

    def tokens(self, tokenizer, ids):
        names = {i: t for t, i in self.load(tokenizer).vocab.items()}
        return [[names.get(i, str(i)) for i in stream] for stream in ids]


def serve():
    import warnings

    warnings.filterwarnings("ignore")
    # Training prints to standard output.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    peer = Peer()
    for line in sys.stdin:
        operation, *arguments = json.loads(line)
        print(json.dumps(getattr(peer, operation)(*arguments), separators=(",", ":")), file=answers, flush=True)


class PeerProcess:
    def __init__(self, venv):
        self.process = subprocess.Popen(
            [str(venv / "bin" / "python"), __file__, "--serve"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        )

    def __call__(self, *request):
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"MidiTok's process ended at {request}")
        return json.loads(line)


class Cache:
    """MidiTok's answers by (release, tokenizer, file)."""

    def __init__(self, path):
        self.database = sqlite3.connect(path)
        self.database.execute("CREATE TABLE IF NOT EXISTS answers (key TEXT PRIMARY KEY, answer BLOB)")

    def get(self, key, make):
        row = self.database.execute("SELECT answer FROM answers WHERE key = ?", (key,)).fetchone()
        if row:
            return json.loads(zlib.decompress(row[0]))
        answer = make()
        blob = zlib.compress(json.dumps(answer, separators=(",", ":")).encode(), 1)
        self.database.execute("INSERT OR REPLACE INTO answers VALUES (?, ?)", (key, blob))
        return answer


# Continuo's side.

class Continuo:
    def __init__(self, program):
        self.program = str(program)

    def encode(self, tokenizer, files):
        """The ids of each file, None of those that it refuses."""
        result = dict.fromkeys(files)
        for first in range(0, len(files), 500):
            command = [self.program, "--quiet", "tokenize", "--tokenizer", tokenizer, *files[first : first + 500]]
            run = subprocess.run(command, capture_output=True, text=True)
            for line in run.stdout.splitlines():
                answer = json.loads(line)
                result[answer["file"]] = answer["tracks"]
            if run.returncode not in (0, 1):
                raise RuntimeError(f"{' '.join(command[:6])}: {run.returncode} {run.stderr[-2000:]}")
        return result

    def decode(self, tokenizer, streams):
        """The score of each list of streams."""
        if not streams:
            return []
        text = "".join(json.dumps({"tracks": s}, separators=(",", ":")) + "\n" for s in streams)
        command = [self.program, "--quiet", "--json", "detokenize", "--tokenizer", tokenizer, "-"]
        run = subprocess.run(command, input=text, capture_output=True, text=True)
        if run.returncode != 0:
            raise RuntimeError(f"{' '.join(command)}: {run.stderr[-2000:]}")
        scores = [json.loads(line)["score"] for line in run.stdout.splitlines()]
        if len(scores) != len(streams):
            raise RuntimeError(f"{len(streams)} lists of ids gave {len(scores)} scores")
        return scores


# MIDI files as (division, [[(tick, message bytes), ...] of each track]).

def quantity(value):
    out = [value & 0x7F]
    while value > 0x7F:
        value >>= 7
        out.append(value & 0x7F | 0x80)
    return bytes(reversed(out))


def midi_bytes(song):
    division, tracks = song
    out = b"MThd" + struct.pack(">IHHH", 6, 0 if len(tracks) == 1 else 1, len(tracks), division)
    for events in tracks:
        body, now = b"", 0
        for tick, message in sorted(events, key=lambda event: event[0]):
            body += quantity(tick - now) + message
            now = tick
        body += b"\x00\xff\x2f\x00"
        out += b"MTrk" + struct.pack(">I", len(body)) + body
    return out


def parse_midi(data):
    """Of a flawless file; anything may be raised for another."""
    at = 8 + struct.unpack(">I", data[4:8])[0]
    division = struct.unpack(">H", data[12:14])[0]
    tracks = []

    def read_quantity(at):
        value = 0
        while True:
            value = value << 7 | data[at] & 0x7F
            at += 1
            if data[at - 1] < 0x80:
                return value, at

    while at < len(data):
        end = at + 8 + struct.unpack(">I", data[at + 4 : at + 8])[0]
        is_track = data[at : at + 4] == b"MTrk"
        at, now, status, events = at + 8, 0, 0, []
        while is_track and at < end:
            delta, at = read_quantity(at)
            now += delta
            first = at
            if data[at] == 0xFF:
                size, at = read_quantity(at + 2)
                at += size
                if data[first + 1] != 0x2F:
                    events.append((now, data[first:at]))
            elif data[at] in (0xF0, 0xF7):
                size, at = read_quantity(at + 1)
                at += size
                events.append((now, data[first:at]))
            else:
                if data[at] >= 0x80:
                    status, at = data[at], at + 1
                size = 1 if status & 0xE0 == 0xC0 else 2
                events.append((now, bytes([status]) + data[at : at + size]))
                at += size
        if is_track:
            tracks.append(events)
        at = end
    return division, tracks


def describe(song):
    lines = [f"{song[0]} ticks per quarter"]
    names = {0x80: "off", 0x90: "on", 0xA0: "pressure", 0xB0: "control", 0xC0: "program", 0xD0: "pressure", 0xE0: "bend"}
    metas = {0x51: "tempo", 0x58: "meter", 0x59: "key", 0x05: "lyric", 0x06: "marker", 0x03: "name"}
    for number, events in enumerate(song[1]):
        lines.append(f"track {number}")
        for tick, message in sorted(events, key=lambda event: event[0]):
            if message[0] == 0xFF:
                value = message[3:]
                text = {0x51: int.from_bytes(value, "big"), 0x58: list(value)}.get(message[1], value)
                lines.append(f"  {tick:>7} {metas.get(message[1], hex(message[1]))} {text}")
            else:
                name = names.get(message[0] & 0xF0, hex(message[0]))
                lines.append(f"  {tick:>7} {name} channel {(message[0] & 15) + 1} {list(message[1:])}")
    return lines


# Random files.

def meta(kind, data):
    return bytes([0xFF, kind]) + quantity(len(data)) + data


def tempo_between(rng):
    """Microseconds per quarter: any, of a whole tempo, or near the border of two of the presets' classes."""
    how = rng.randrange(4)
    if how == 0:
        return rng.randrange(150000, 2500000)
    if how == 1:
        return int(60e6 / rng.randrange(20, 320))
    classes = [40 + 210 * i / 31 for i in range(32)]
    i = rng.randrange(31)
    us = [60e6 / classes[i], 60e6 / classes[i + 1]]
    middle = sum(us) / 2 if how == 2 else 60e6 / ((classes[i] + classes[i + 1]) / 2)
    return int(middle) + rng.randrange(-2, 3)


def random_song(rng):
    some = lambda p: rng.random() < p
    division = rng.choice([24, 96, 120, 192, 220, 384, 480, 480, 480, 960, 1024, 1, 7, 15360, 32767, rng.randrange(1, 2000)])
    quarters = rng.choice([2, 8, 24, 60])
    length = division * quarters
    grid = rng.choice([1, 1, max(1, division // 4), max(1, division // 8), max(1, division // 12), division])
    tick = lambda: rng.randrange(0, length) // grid * grid
    tracks = [[] for _ in range(rng.choice([1, 1, 2, 3, 5, 9]))]

    def add(at, message, track=None):
        (tracks[0] if track is None or some(0.8) else rng.choice(tracks)).append((at, message))

    for _ in range(rng.choice([0, 1, 1, 2, 5, 12, 40, 150])):
        at = 0 if some(0.2) else tick()
        for _ in range(rng.choice([1, 1, 1, 2, 3])):
            add(at, meta(0x51, tempo_between(rng).to_bytes(3, "big")), rng.choice(tracks))
    meters = [(4, 2), (4, 2), (3, 2), (2, 2), (6, 3), (5, 3), (12, 3), (2, 1), (3, 1), (7, 4), (1, 2), (2, 0), (11, 2), (5, 2)]
    for _ in range(rng.choice([0, 1, 1, 1, 2, 4, 8, 40])):
        at = rng.choice([0, tick(), tick() // (4 * division) * 4 * division])
        for _ in range(rng.choice([1, 1, 1, 2])):
            add(at, meta(0x58, bytes([*rng.choice(meters), 24, 8])), rng.choice(tracks))
    for _ in range(rng.choice([0, 0, 1, 4])):
        add(tick(), meta(0x06, rng.choice([b"A_M7_E", b"Verse", b"N_N_N", b"C_m_C"])))
    if some(0.2):
        add(tick(), meta(0x59, bytes([rng.randrange(-7, 8) & 0xFF, rng.randrange(2)])))
    if some(0.15):
        for _ in range(3):
            rng.choice(tracks).append((tick(), meta(0x05, b"la")))
    one_program = some(0.3)
    for number, events in enumerate(tracks):
        if number == 0 and len(tracks) > 1 and some(0.7):
            continue
        channels = rng.sample(range(16), rng.choice([1, 1, 1, 2, 4]))
        if some(0.3):
            channels[0] = 0
        for channel in channels:
            random_channel(rng, events, channel, tick, division, grid, one_program)
    if some(0.05):
        rng.choice(tracks).append((tick(), b"\xf0\x03\x01\x02\xf7"))
    if some(0.1):
        tracks.append([])
    return division, tracks


def random_channel(rng, events, channel, tick, division, grid, one_program):
    some = lambda p: rng.random() < p
    put = lambda at, *data: events.append((at, bytes(data)))
    if some(0.8):
        put(0, 0xC0 | channel, 0 if one_program else rng.choice([0, 0, 1, 24, 33, rng.randrange(128)]))
    for _ in range(rng.choice([0, 0, 0, 0, 1, 3])):
        put(tick(), 0xC0 | channel, rng.choice([0, 1, 24, rng.randrange(128)]))
    count = rng.choice([0, 1, 3, 10, 30, 60, 60 if rng.random() < 0.8 else 400])
    center = rng.randrange(30, 90)
    for _ in range(count):
        at = tick()
        lasts = rng.randrange(1, division * rng.choice([1, 2, 4, 16]) + 1)
        if grid > 1 and some(0.8):
            lasts = max(grid, lasts // grid * grid)
        if some(0.03):
            lasts = 0
        low = rng.randrange(128) if some(0.1) else center + rng.randrange(-8, 8)
        chord = rng.choice([(0, 4, 7), (0, 3, 7), (0, 4, 7, 11), (0, 3, 7, 10), (0, 7), (4, 0, 7)]) if some(0.3) else (0,)
        velocity = rng.randrange(1, 128)
        for interval in chord:
            pitch = min(127, max(0, low + interval))
            later = rng.choice([0, 0, 0, 1, 3]) if some(0.2) else 0
            put(at + later, 0x90 | channel, pitch, velocity if some(0.8) else rng.randrange(1, 128))
            if some(0.99):
                off = (0x80, rng.randrange(128)) if some(0.5) else (0x90, 0)
                put(at + later + lasts, off[0] | channel, pitch, off[1])
    for _ in range(rng.choice([0, 0, 1, 4, 12, 60])):
        at = tick()
        put(at, 0xB0 | channel, 64, rng.choice([127, 127, 64, 63, 100]))
        if some(0.9):
            put(at + rng.randrange(0, division * 4), 0xB0 | channel, 64, rng.choice([0, 0, 0, 63, 20]))
    for _ in range(rng.choice([0, 0, 1, 4, 12, 40, 200])):
        value = rng.choice([8192, 0, 16383, rng.randrange(16384), rng.randrange(8000, 8400)])
        put(tick(), 0xE0 | channel, value & 0x7F, value >> 7)
    for _ in range(rng.choice([0, 0, 3])):
        put(tick(), 0xB0 | channel, rng.choice([7, 10, 1, 11, 123]), rng.randrange(128))
    if some(0.4):
        rng.shuffle(events)


def mutated(song, rng):
    division, tracks = song[0], [list(events) for events in song[1]]
    for _ in range(rng.choice([1, 2, 4])):
        events = rng.choice(tracks)
        how = rng.randrange(10)
        if how == 0:
            division = rng.choice([1, 24, 96, 120, 220, 480, 960, division * 2, max(1, division // 2)])
        elif how == 1 and events:  # lose some
            events[:] = [e for e in events if rng.random() > rng.choice([0.01, 0.1, 0.5])]
        elif how == 2 and events:  # say some twice
            events += rng.choices(events, k=rng.choice([1, 5, 20]))
        elif how == 3 and events:  # onto a grid
            grid = rng.choice([division // 8, division // 4, division, 7]) or 1
            events[:] = [(t // grid * grid, m) for t, m in events]
        elif how == 4:
            channel = rng.randrange(16)
            events[:] = [(t, bytes([m[0] & 0xF0 | channel]) + m[1:] if m[0] < 0xF0 else m) for t, m in events]
        elif how == 5:
            events[:] = [(t, bytes([0xC0 | m[0] & 15, rng.randrange(128)]) if m[0] & 0xF0 == 0xC0 else m) for t, m in events]
        elif how == 6:
            tracks.append(list(events))
        elif how == 7 and events:
            last = max(t for t, _ in events) + 1
            for _ in range(rng.choice([1, 4])):
                events.append((rng.randrange(last), meta(0x58, bytes([rng.choice([2, 3, 4, 5, 6]), rng.choice([1, 2, 3]), 24, 8]))))
            for _ in range(rng.choice([0, 4, 40])):
                events.append((rng.randrange(last), meta(0x51, tempo_between(rng).to_bytes(3, "big"))))
        elif how == 8 and events:
            last = max(t for t, _ in events) + 1
            channel = rng.choice([m[0] & 15 for _, m in events if m[0] < 0xF0] or [0])
            for _ in range(rng.choice([1, 8, 40])):
                kind = rng.randrange(3)
                if kind == 0:
                    message = bytes([0xB0 | channel, 64, rng.choice([0, 127, 63, 64])])
                elif kind == 1:
                    message = bytes([0xE0 | channel, rng.randrange(128), rng.randrange(128)])
                else:
                    message = bytes([0xC0 | channel, rng.randrange(128)])
                events.append((rng.randrange(last), message))
        elif how == 9 and len(tracks) > 1:
            tracks[0] += tracks.pop()
    if rng.random() < 0.7:  # songs are long; keep a few bars
        first = rng.randrange(0, 8) * division * 4
        last = first + division * 4 * rng.choice([2, 4, 16])
        tracks = [[(max(0, t - first), m) for t, m in events if t < last and (t >= first or m[0] >= 0xC0)] for events in tracks]
    return division, tracks


# Comparing.

def clean(score):
    """MidiTok decodes nonsense to velocities, lengths and times below 0."""
    for track in score["tracks"]:
        track["notes"] = sorted([max(0, n[0]), max(0, n[1]), n[2], max(0, n[3])] for n in track["notes"])
        track["pedals"] = [[p[0], max(0, p[1])] for p in track["pedals"]]
    return score


def family(token):
    return token.split("_")[0]


class Comparison:
    """One release's answers to pairs of (tokenizer, file)."""

    def __init__(self, release, peer, continuo, cache, decodes):
        self.release, self.peer, self.continuo, self.cache, self.decodes = release, peer, continuo, cache, decodes
        self.digests = {}

    def digest(self, path):
        if path not in self.digests:
            self.digests[path] = hashlib.sha256(pathlib.Path(path).read_bytes()).hexdigest()
        return self.digests[path]

    def theirs(self, tokenizer, file):
        key = f"{self.release} {self.digest(tokenizer)} {hashlib.sha256(pathlib.Path(file).read_bytes()).hexdigest()}"
        return self.cache.get(key, lambda: self.peer("encode", tokenizer, file))

    def differences(self, tokenizer, files):
        """[(file, what, ours, theirs)], what is "ids", "decode" or "damaged"; and how many were compared of each."""
        counts = collections.Counter()
        theirs = {file: self.theirs(tokenizer, file) for file in files}
        theirs = {file: answer for file, answer in theirs.items() if "ids" in answer}
        counts["refused by MidiTok"] += len(files) - len(theirs)
        ours = self.continuo.encode(tokenizer, list(theirs))
        found = []
        jobs = []
        for file, answer in theirs.items():
            counts["ids"] += 1
            if ours[file] != answer["ids"]:
                found.append((file, "ids", ours[file], answer["ids"]))
            for number, (streams, score) in enumerate(answer["decodes"]):
                if score is not None and self.decodes:
                    jobs.append((file, "damaged" if number else "decode", streams, clean(score)))
        for (file, what, _, wanted), got in zip(jobs, self.continuo.decode(tokenizer, [job[2] for job in jobs])):
            counts[what] += 1
            if clean(got) != wanted:
                found.append((file, what, got, wanted))
        return found, counts

    def kind(self, tokenizer, difference):
        """What differs first, in words."""
        file, what, ours, theirs = difference
        representation = json.loads(pathlib.Path(tokenizer).read_text())["tokenization"]
        head = f"{self.release} {what} {representation}"
        if what == "ids":
            if ours is None:
                return f"{head}: refused"
            if len(ours) != len(theirs):
                return f"{head}: {'more' if len(ours) > len(theirs) else 'fewer'} tracks"
            a, b = self.peer("tokens", tokenizer, ours), self.peer("tokens", tokenizer, theirs)
            for x, y in zip(a, b):
                for i in range(max(len(x), len(y))):
                    p, q = (family(s[i]) if i < len(s) else "end" for s in (x, y))
                    if x[i : i + 1] != y[i : i + 1]:
                        return f"{head}: {p} for {q}"
        for key in ["tpq", "tempos", "time_signatures"]:
            if ours[key] != theirs[key]:
                return f"{head}: {key}"
        if len(ours["tracks"]) != len(theirs["tracks"]):
            return f"{head}: {len(ours['tracks']) - len(theirs['tracks']):+} tracks"
        for a, b in zip(ours["tracks"], theirs["tracks"]):
            for key in a:
                if a[key] != b[key]:
                    return f"{head}: {key}"
        return head


# Shrinking.

class Shrinker:
    def __init__(self, comparison, tokenizer, what, folder):
        self.comparison, self.tokenizer, self.what, self.folder = comparison, tokenizer, what, folder
        self.number = 0

    def first(self, songs):
        """The first of the songs that still shows the difference, or None."""
        files = {}
        for song in songs:
            path = self.folder / f"shrink-{self.number}.mid"
            self.number += 1
            path.write_bytes(midi_bytes(song))
            files[str(path)] = song
        found, _ = self.comparison.differences(self.tokenizer, list(files))
        showing = {file for file, what, _, _ in found if what == self.what}
        result = next((song for file, song in files.items() if file in showing), None)
        for file in files:
            pathlib.Path(file).unlink()
        return result

    def shrink(self, song):
        song = self.first([song]) and song
        if song is None:
            return None
        while len(song[1]) > 1:
            fewer = self.first([(song[0], song[1][:i] + song[1][i + 1 :]) for i in range(len(song[1]))])
            if fewer is None:
                break
            song = fewer
        events = [(i, e) for i, track in enumerate(song[1]) for e in track]
        tracks = len(song[1])

        def whole(kept):
            out = [[] for _ in range(tracks)]
            for i, event in kept:
                out[i].append(event)
            return song[0], out

        parts = 2
        while len(events) > 1:
            size = max(1, len(events) // parts)
            starts = list(range(0, len(events), size))
            smaller = None
            for at in range(0, len(starts), 24):
                tries = [events[:s] + events[s + size :] for s in starts[at : at + 24]]
                songs = [whole(kept) for kept in tries]
                best = self.first(songs)
                if best is not None:
                    smaller = tries[songs.index(best)]
                    break
            if smaller is not None:
                events = smaller
                parts = max(2, parts - 1)
            elif size == 1:
                break
            else:
                parts = min(len(events), parts * 2)
        return whole(events)


def midi_files(folders):
    files = []
    for folder in folders:
        path = pathlib.Path(folder)
        files += sorted(p for p in path.rglob("*") if p.suffix.lower() in (".mid", ".midi")) if path.is_dir() else [path]
    return files


def main():
    if sys.argv[1:] == ["--serve"]:
        return serve()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="*", help="MIDI files or folders of them")
    parser.add_argument("--peers", type=pathlib.Path, required=True, help="the folder of the venvs 3.0.4 and 3.1.0")
    parser.add_argument("--releases", nargs="+", default=RELEASES)
    parser.add_argument("--continuo", type=pathlib.Path, default=SOURCE / "build" / "bin" / "continuo")
    parser.add_argument("--count", type=int, default=1000, help="files to generate, a third of them from the folders'")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--configs", type=int, default=50, help="random configurations")
    parser.add_argument("--kinds", nargs="+", default=["REMI", "MIDILike", "TSD"], help="of the random configurations")
    parser.add_argument("--configs-per-file", type=int, default=2)
    parser.add_argument("--trained", type=int, help="also tokenizers of so many ids, trained by MidiTok (BPE)")
    parser.add_argument("--presets", nargs="*", default=list(PRESETS))
    parser.add_argument("--real", type=int, default=1000000, help="how many of the folders' files, evenly spread")
    parser.add_argument("--shrink", type=int, default=1, help="differences to shrink of each kind")
    parser.add_argument("--ids-only", action="store_true", help="compare no decoding")
    parser.add_argument("--cache", type=pathlib.Path, help="a file for MidiTok's answers")
    parser.add_argument("--out", type=pathlib.Path, help="where to write the shrunk files")
    args = parser.parse_args()

    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary)
        files = midi_files(args.folders)
        rng = random.Random(args.seed)
        generated = []
        for number in range(args.count):
            song = None
            if files and number % 3 == 0:
                try:
                    song = mutated(parse_midi(rng.choice(files).read_bytes()), rng)
                    data = midi_bytes(song)
                except Exception:
                    song = None
            data = midi_bytes(song if song else random_song(rng))
            path = folder / f"{number:05}.mid"
            path.write_bytes(data)
            generated.append(str(path))
        real = files[:: max(1, len(files) // args.real)] if args.real > 0 else []
        everything = generated + [str(f) for f in real]
        print(f"{len(generated)} generated files, {len(everything) - len(generated)} others", flush=True)
        wrong = 0
        for release in args.releases:
            wrong += compare_release(release, everything, args, folder)
    return 1 if wrong else 0


def compare_release(release, files, args, folder):
    peer = PeerProcess(args.peers / release)
    cache = Cache(args.cache or folder / "cache.sqlite")
    comparison = Comparison(release, peer, Continuo(args.continuo), cache, not args.ids_only)
    tokenizers = {}
    presets = [name for name in args.presets if release == "3.1.0" or name not in ONLY_3_1_0]
    for name in presets:
        tokenizers[name] = str(folder / f"{release}-{name}.json")
        peer("preset", name, tokenizers[name])
    for number in range(args.configs):
        name = f"config-{args.seed}-{number}"
        tokenizers[name] = str(folder / f"{release}-{name}.json")
        peer("config", args.seed * 1000 + number, args.kinds, tokenizers[name])
    pairs = collections.defaultdict(list)
    rng = random.Random(args.seed)
    if args.trained:
        lessons = [str(f) for f in midi_files(args.folders)]
        lessons = lessons[:: max(1, len(lessons) // 50)] or files[:200]
        for kind, split in TRAINED:
            name = f"trained-{kind}-{split}-{args.trained}"
            tokenizers[name] = str(folder / f"{release}-{name}.json")
            peer("train", kind, split, args.trained, lessons, tokenizers[name])
            pairs[name] = list(files)
    for file in files:
        for name in presets:
            pairs[name].append(file)
        for number in rng.sample(range(args.configs), min(args.configs, args.configs_per_file)):
            pairs[f"config-{args.seed}-{number}"].append(file)
    counts, groups, by_tokenizer = collections.Counter(), collections.defaultdict(list), collections.Counter()
    for name, group in pairs.items():
        for first in range(0, len(group), AT_ONCE):
            found, compared = comparison.differences(tokenizers[name], group[first : first + AT_ONCE])
            cache.database.commit()
            counts += compared
            for difference in found:
                counts["different " + difference[1]] += 1
                by_tokenizer[name] += 1
                groups[comparison.kind(tokenizers[name], difference)].append((name, difference))
        print(f"{release} {name}: {len(group)} files, {by_tokenizer[name]} differences", file=sys.stderr, flush=True)
    print(f"\nMidiTok {release}")
    for what in ["ids", "decode", "damaged"]:
        print(f"  {what}: {counts[what] - counts['different ' + what]} of {counts[what]} equal")
    print(f"  {counts['refused by MidiTok']} refused by MidiTok")
    for name in presets:
        if by_tokenizer[name]:
            print(f"  {name}: {by_tokenizer[name]} different")
    for kind, members in sorted(groups.items(), key=lambda item: -len(item[1])):
        print(f"\n  {len(members)} x {kind}", flush=True)
        members.sort(key=lambda member: pathlib.Path(member[1][0]).stat().st_size)
        for number, (name, (file, what, ours, theirs)) in enumerate(members[: args.shrink]):
            print(f"    {name}, {file}", flush=True)
            try:
                song = parse_midi(pathlib.Path(file).read_bytes())
            except Exception as error:
                print(f"    not shrunk: {error}")
                continue
            small = Shrinker(comparison, tokenizers[name], what, folder).shrink(song)
            if small is None:
                print("    not shrunk: the file as written anew shows no difference")
                continue
            path = folder / "small.mid"
            path.write_bytes(midi_bytes(small))
            show(comparison, peer, tokenizers[name], what, small, str(path))
            if args.out:
                args.out.mkdir(parents=True, exist_ok=True)
                stem = "".join(c if c.isalnum() or c in ".-" else "_" for c in kind) + f"-{number}"
                (args.out / f"{stem}.mid").write_bytes(midi_bytes(small))
                (args.out / f"{stem}.json").write_text(pathlib.Path(tokenizers[name]).read_text())
    cache.database.commit()
    cache.database.close()
    peer.process.stdin.close()
    peer.process.wait()
    return sum(map(len, groups.values()))


def show(comparison, peer, tokenizer, what, song, path):
    print("\n".join("      " + line for line in describe(song)[:60]))
    found, _ = comparison.differences(tokenizer, [path])
    for _, found_what, ours, theirs in found:
        if found_what != what:
            continue
        if what == "ids":
            for label, ids in [("ours  ", ours), ("theirs", theirs)]:
                for stream in peer("tokens", tokenizer, ids or []):
                    print(f"      {label} {' '.join(stream)[:600]}")
        else:
            answer = comparison.theirs(tokenizer, path)
            streams = answer["decodes"][1 if what == "damaged" else 0][0]
            for stream in peer("tokens", tokenizer, streams):
                print(f"      ids    {' '.join(stream)[:600]}")
            print(f"      ours   {json.dumps(ours)[:600]}\n      theirs {json.dumps(theirs)[:600]}")


if __name__ == "__main__":
    sys.exit(main())
