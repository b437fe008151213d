#!/usr/bin/env python3
"""Runs an experiment in short steps on machines that are available for minutes at a time.

    tools/gpu_steps.py drive --spec experiments/study.toml --data data --home out/study-gpu \\
        --run 'tools/gpu_steps.py do --work /tmp/study-gpu --bin build/bin'

A step is a command on the machine with the GPU. It gets a folder (--in) of at most --limit-mib, works for at most
--minutes, and leaves a folder (--out) of at most --limit-mib. Nothing else has to survive on that machine: what is still
there is used, what is missing is sent again. Here, in --home, everything is kept: results.db, the pieces of files that
are larger than a step carries, and what is done.

- `drive` prepares a step, runs --run with `--in DIR --out DIR` added, takes what came back, and repeats. --run may be
  `do` itself, on this machine, or a script of yours that copies the folders to another one and back (ssh, a queue).
- `next` prepares a step and says what to run; `take` takes what came back: for machines on which somebody else starts
  the command.
- `do` is what runs on the machine with the GPU. It needs Continuo's programs there (--bin), built with LibTorch.
- `plan` lists the cells, what is sent, and how long a cell takes at --tokens-per-second.

A cell is a training with its pieces and continuations (`continuo experiment run --only`). It is cut by the clock: the
training gets SIGINT, writes a checkpoint and resumes in the next step. If the machine's disk does not last from step to
step, --carry-state brings the checkpoint here in pieces, over as many steps as that takes, and back. --keep final brings
the last model of each cell here too. The spec names the checkpoints that continue prompts; `best` needs the whole grid
on one machine.
"""

import argparse
import gzip
import hashlib
import io
import json
import os
import pathlib
import shlex
import shutil
import signal
import subprocess
import sys
import tarfile
import time
import tomllib
import uuid

PIECE_MIB, LIMIT_MIB, MINUTES = 16, 64, 12
GRACE_S = 30  # for a training to finish its update and write a checkpoint
SHARE_OF_WORK = 0.85  # of a step; the rest is for checkpoints and packing
TRIES = 3  # of a cell that fails


def fail(message):
    sys.exit(f"gpu_steps: {message}")


def write_json(path, content):
    """Writes a file as a whole or not at all."""
    beside = path.with_name(path.name + ".tmp")
    beside.write_text(json.dumps(content, indent=1))
    os.replace(beside, path)


def run_json(command):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    if done.returncode != 0:
        fail(f"{shlex.join(map(str, command))}: {done.stderr.strip() or done.stdout.strip()}")
    return json.loads(done.stdout)


# Pieces: a file is cut into parts of at most --piece-mib, each named by its SHA-256.


def cut(stream, folder, size):
    """The names of a stream's pieces, which are put into the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    names = []
    while part := stream.read(size):
        name = hashlib.sha256(part).hexdigest()
        if not (folder / name).exists():
            (folder / f"{name}.tmp").write_bytes(part)
            os.replace(folder / f"{name}.tmp", folder / name)
        names.append(name)
    return names


class Joined(io.RawIOBase):
    """The pieces of a file, read as one."""

    def __init__(self, folder, names):
        self.paths = [folder / name for name in names]
        self.file = None

    def readable(self):
        return True

    def readinto(self, buffer):
        while self.paths or self.file:
            if not self.file:
                self.file = open(self.paths.pop(0), "rb")
            if count := self.file.readinto(buffer):
                return count
            self.file.close()
            self.file = None
        return 0


def pack(paths, root, folder, size, compress):
    """Packs files, given by their paths within root, as a tar, and cuts it. The same files give the same pieces."""
    beside = folder / f"{uuid.uuid4()}.tar"
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with open(beside, "wb") as raw:
            stream = gzip.GzipFile(fileobj=raw, mode="wb", mtime=0, filename="") if compress else raw
            with tarfile.open(fileobj=stream, mode="w") as tar:
                for path in sorted(paths):
                    info = tar.gettarinfo(root / path, arcname=path)
                    info.mtime = info.uid = info.gid = 0
                    info.uname = info.gname = ""
                    with open(root / path, "rb") as file:
                        tar.addfile(info, file)
            if compress:
                stream.close()
        with open(beside, "rb") as file:
            return cut(file, folder, size)
    finally:
        beside.unlink(missing_ok=True)


def unpack(item, folder, target):
    with io.BufferedReader(Joined(folder, item["pieces"]), 1 << 20) as raw:
        stream = gzip.GzipFile(fileobj=raw) if item["compressed"] else raw
        with tarfile.open(fileobj=stream, mode="r|") as tar:
            tar.extractall(target, filter="data")


def files_below(root, path):
    """The files of a folder, or the file itself, as paths within root; links are followed."""
    full = root / path
    if full.is_file():
        return [path]
    if not full.is_dir():
        fail(f"{full}: does not exist, and the spec names it")
    found = []
    for where, _, names in os.walk(full, followlinks=True):
        found += [os.path.relpath(os.path.join(where, name), root) for name in names]
    return found


def copy_within(names, source, target, room):
    """Copies pieces until the room is used; the bytes that are left."""
    target.mkdir(parents=True, exist_ok=True)
    for name in names:
        size = (source / name).stat().st_size
        if size > room:
            break
        shutil.copyfile(source / name, target / name)
        room -= size
    return room


def bytes_below(folder):
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


# The side that keeps everything.


class Home:
    def __init__(self, args):
        self.args = args
        self.root = pathlib.Path(args.home)
        self.spec = pathlib.Path(args.spec)
        self.pieces = self.root / "pieces"
        self.state_path = self.root / "state.json"
        self.piece_bytes = int(args.piece_mib * (1 << 20))
        self.limit = int(args.limit_mib * (1 << 20))
        if self.piece_bytes > self.limit * 3 // 4:
            fail("--piece-mib must be at most three quarters of --limit-mib")
        self.root.mkdir(parents=True, exist_ok=True)
        self.continuo = pathlib.Path(args.bin) / "continuo"
        text = self.spec.read_text()
        self.toml = tomllib.loads(text)
        if self.toml.get("continue", {}).get("best"):
            fail(f"{self.spec}: continue.best needs the whole grid on one machine; name `checkpoints`")
        self.identity = hashlib.sha256(text.encode()).hexdigest()
        self.state = json.loads(self.state_path.read_text()) if self.state_path.exists() else self.begin()
        if self.state["spec"] != self.identity:
            fail(f"{self.root}: is of another spec; use another --home")

    def begin(self):
        plan = run_json([self.continuo, "experiment", "run", self.spec, "--data", self.args.data, "-o",
                         self.root / "results", "--dry-run", "--json"])
        cells = {run["id"]: {"label": run["label"], "done": False, "failures": 0} for run in plan["runs"]}
        return {"spec": self.identity, "cells": cells, "items": self.pack_inputs(), "machine": None, "machine_has": [],
                "seconds": 0.0, "steps": 0}

    def pack_inputs(self):
        """What the machine needs, each as a tar in pieces: songs and prompts compressed, weights as they are."""
        data = pathlib.Path(self.args.data)
        items = []
        for path in [corpus["folder"] for corpus in self.toml["corpora"].values()]:
            items.append({"pieces": pack(files_below(data, path), data, self.pieces, self.piece_bytes, True),
                          "compressed": True})
        small = [prompt["file"] for prompt in self.toml.get("continue", {}).get("prompts", [])]
        small += [table["file"] for table in self.toml["tokenizers"].values() if "file" in table]
        if small:
            items.append({"pieces": pack(small, data, self.pieces, self.piece_bytes, True), "compressed": True})
        for model in self.toml["models"].values():
            if path := model.get("init_from"):
                items.append({"pieces": pack(files_below(data, path), data, self.pieces, self.piece_bytes, False),
                              "compressed": False})
        return items

    def open_cells(self):
        return [id for id, cell in self.state["cells"].items() if not cell["done"]]

    def save(self):
        write_json(self.state_path, self.state)

    def cell_in_turn(self):
        cells = self.open_cells()
        failed = [id for id in cells if self.state["cells"][id]["failures"] >= TRIES]
        if failed:
            cell = self.state["cells"][failed[0]]
            fail(f"{cell['label']} failed {TRIES} times: {cell.get('error', '')}")
        return cells[0] if cells else None

    def wanted_from_there(self):
        """Pieces that the machine has and that are wanted here."""
        wanted = []
        for cell in self.state["cells"].values():
            for name in ("state", "kept"):
                wanted += cell.get(name, {}).get("pieces", [])
        return [piece for piece in wanted if not (self.pieces / piece).exists()]

    def next(self):
        """Prepares the folder of a step; None when everything is done."""
        id = self.cell_in_turn()
        pull = self.wanted_from_there()
        if id is None and not pull:
            return None
        folder = self.root / "in"
        shutil.rmtree(folder, ignore_errors=True)
        (folder / "pieces").mkdir(parents=True)
        cell = self.state["cells"].get(id, {})
        spec = folder / self.spec.name
        shutil.copyfile(self.spec, spec)
        if published := self.toml.get("published"):
            shutil.copyfile(self.spec.parent / published, folder / published)
        results = self.root / "results" / "results.db"
        if results.exists() and not pull:
            shutil.copyfile(results, folder / "results.db")
        state = cell.get("state")
        needed = [piece for item in self.state["items"] + ([state] if state else []) for piece in item["pieces"]]
        missing = [piece for piece in dict.fromkeys(needed) if piece not in self.state["machine_has"]]
        write_json(folder / "step.json", {
            "format": "continuo-step", "spec": spec.name, "cell": None if pull else id, "items": self.state["items"],
            "state": state, "pull": pull, "minutes": self.args.minutes, "limit": self.limit,
            "piece_bytes": self.piece_bytes, "carry_state": self.args.carry_state, "keep": self.args.keep,
            "playable": self.args.playable})
        if not pull:
            copy_within(missing, self.pieces, folder / "pieces", self.limit - bytes_below(folder))
        if bytes_below(folder) > self.limit:
            fail(f"{folder}: has {bytes_below(folder)} bytes, more than a step may carry; use a smaller --playable")
        return folder

    def take(self, out):
        """Takes what a step left. A step that left nothing counts as not done."""
        report_path = out / "step.json"
        if not report_path.exists():
            print("step: nothing came back; it will be repeated", flush=True)
            return
        report = json.loads(report_path.read_text())
        if bytes_below(out) > self.limit:
            fail(f"{out}: has more than {self.limit} bytes")
        self.pieces.mkdir(exist_ok=True)
        for path in (out / "pieces").glob("*"):
            if hashlib.sha256(path.read_bytes()).hexdigest() == path.name:
                shutil.copyfile(path, self.pieces / f"{path.name}.tmp")
                os.replace(self.pieces / f"{path.name}.tmp", self.pieces / path.name)
        if (out / "results.db").exists():
            run_json([self.continuo, "experiment", "merge", out / "results.db", "-o", self.root / "results", "--json"])
        state = self.state
        state["steps"] += 1
        state["seconds"] += report["seconds"]
        state["machine"], state["machine_has"] = report["machine"], report["has"]
        if cell := state["cells"].get(report["cell"]):
            cell["done"] = report["done"]
            cell["failures"] += 1 if report["error"] else 0
            if report["error"]:
                cell["error"] = report["error"]
            for name in ("state", "kept"):
                cell.pop(name, None)
                if report[name]:
                    cell[name] = report[name]
        self.save()
        self.forget()
        what = state["cells"].get(report["cell"], {"label": "pieces"})["label"]
        ending = report["error"] or ("done" if report["done"] else "goes on" if report["ran"] else "waits for more pieces")
        print(f"step {state['steps']}: {what}: {ending} ({report['seconds']:.0f} s; {len(self.open_cells())} cells left)",
              flush=True)

    def forget(self):
        """Removes pieces of checkpoints that newer ones have replaced."""
        used = {piece for item in self.state["items"] for piece in item["pieces"]}
        for cell in self.state["cells"].values():
            used |= {piece for name in ("state", "kept") for piece in cell.get(name, {}).get("pieces", [])}
        for path in self.pieces.glob("*"):
            if path.name not in used:
                path.unlink()

    def unpack_kept(self):
        for cell in self.state["cells"].values():
            if kept := cell.get("kept"):
                unpack(kept, self.pieces, self.root / "kept" / cell["label"].replace(" ", "-"))


def drive(args):
    home = Home(args)
    home.save()
    idle = 0
    while (folder := home.next()) is not None:
        out = home.root / "out"
        shutil.rmtree(out, ignore_errors=True)
        out.mkdir()
        before = home.state["steps"]
        subprocess.run([*shlex.split(args.run), "--in", str(folder), "--out", str(out)], check=False)
        home.take(out)
        idle = idle + 1 if home.state["steps"] == before else 0
        if idle >= args.patience:
            fail(f"{idle} steps in a row left nothing: {args.run}")
    home.unpack_kept()
    print(f"all done in {home.state['steps']} steps, {home.state['seconds'] / 60:.1f} minutes: {home.root / 'results'}")


def show_next(args):
    home = Home(args)
    home.save()
    folder = home.next()
    print("all done" if folder is None else f"run, where the GPU is:  tools/gpu_steps.py do --in {folder} --out OUT")


def take(args):
    Home(args).take(pathlib.Path(args.out))


def show_plan(args):
    home = Home(args)
    home.save()
    train = home.toml["train"]
    songs = sum(len(files_below(pathlib.Path(args.data), corpus["folder"])) for corpus in home.toml["corpora"].values())
    tokens = train.get("steps", 0) * train.get("batch", 8) * train.get("context", 1024)
    if tokens == 0 and train.get("blocks") == "first":
        tokens = train.get("epochs", 100) * songs * train.get("context", 1024) * 0.95
    sent = sum((home.pieces / piece).stat().st_size for item in home.state["items"] for piece in item["pieces"])
    for id, cell in home.state["cells"].items():
        print(f"{id}  {'done' if cell['done'] else 'open':<5} {cell['label']}")
    print(f"a fresh machine is sent {sent / 2**20:.1f} MiB, at most {args.limit_mib:g} MiB a step")
    if tokens:
        minutes = tokens / args.tokens_per_second / 60
        print(f"a training has about {tokens / 1e6:.0f} million tokens: {minutes:.1f} minutes at "
              f"{args.tokens_per_second:,.0f} tokens per second; pieces and measures come in addition")


# The side with the GPU.


class Worker:
    def __init__(self, args):
        self.begin = time.monotonic()
        self.args = args
        self.source, self.out, self.work = (pathlib.Path(p).resolve() for p in (getattr(args, "in"), args.out, args.work))
        self.step = json.loads((self.source / "step.json").read_text())
        self.pieces, self.data, self.run = self.work / "pieces", self.work / "data", self.work / "run"
        for folder in (self.pieces, self.data, self.out / "pieces"):
            folder.mkdir(parents=True, exist_ok=True)
        identity = self.work / "machine"
        if not identity.exists():
            identity.write_text(str(uuid.uuid4()))
        self.machine = identity.read_text()

    def seconds(self):
        return time.monotonic() - self.begin

    def receive(self):
        """Takes the pieces that came, unpacks what is whole; whether everything is there."""
        for path in (self.source / "pieces").glob("*"):
            if hashlib.sha256(path.read_bytes()).hexdigest() != path.name:
                fail(f"{path}: was damaged on its way")
            shutil.copyfile(path, self.pieces / f"{path.name}.tmp")
            os.replace(self.pieces / f"{path.name}.tmp", self.pieces / path.name)
        whole = True
        for item in self.step["items"]:
            whole &= self.unpack_once(item, self.data)
        if state := self.step["state"]:
            # The run's folder may be here already, and further than the checkpoint that was
            # carried.
            if not (self.run / "runs" / state["run"]).exists():
                whole &= self.unpack_once(state, self.run)
        return whole

    def unpack_once(self, item, target):
        mark = self.work / "unpacked" / hashlib.sha256("".join(item["pieces"]).encode()).hexdigest()
        if mark.exists() and target.exists():
            return True
        if not all((self.pieces / piece).exists() for piece in item["pieces"]):
            return False
        unpack(item, self.pieces, target)
        mark.parent.mkdir(exist_ok=True)
        mark.touch()
        return True

    def work_on(self, cell):
        """Runs a cell until it is done or the time is over: (done, error)."""
        continuo = pathlib.Path(self.args.bin).resolve() / "continuo"
        if (self.source / "results.db").exists():
            subprocess.run([continuo, "experiment", "merge", self.source / "results.db", "-o", self.run, "--json"],
                           check=True, stdout=subprocess.DEVNULL)
        for path in self.source.glob("*"):
            if path.suffix in (".toml", ".tsv"):
                shutil.copyfile(path, self.work / path.name)
        command = [continuo, "experiment", "run", self.work / self.step["spec"], "--data", self.data, "-o", self.run,
                   "--only", cell]
        with open(self.work / "run.log", "ab") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log)
            time_left = max(1.0, 60 * self.step["minutes"] * SHARE_OF_WORK - self.seconds())
            stopped = False
            try:
                process.wait(time_left)
            except subprocess.TimeoutExpired:
                stopped = True
                process.send_signal(signal.SIGINT)
                try:
                    process.wait(GRACE_S)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
        if stopped:
            return False, ""
        text = (self.work / "run.log").read_text(errors="replace").strip().splitlines()
        return process.returncode == 0, "" if process.returncode == 0 else (text or [f"exit status {process.returncode}"])[-1]

    def pack_run(self, cell, names):
        """Files of a run as an item in pieces; None if there are none."""
        run = pathlib.Path("runs", cell)
        # A link, `latest`, is packed as the directory that it leads to.
        paths = [path for name in names if (self.run / run / name).exists()
                 for path in files_below(self.run, str(run / name))]
        if not paths:
            return None
        pieces = pack(paths, self.run, self.pieces, self.step["piece_bytes"], False)
        return {"run": cell, "compressed": False, "pieces": pieces}

    def go(self):
        whole = self.receive()
        cell = self.step["cell"]
        done, error, ran = False, "", False
        state = kept = None
        room = self.step["limit"] - 65536  # for step.json
        if cell and whole:
            ran = True
            done, error = self.work_on(cell)
            continuo = pathlib.Path(self.args.bin).resolve() / "continuo"
            if (self.run / "results.db").exists():
                subprocess.run([continuo, "experiment", "merge", self.run, "-o", self.out, "--playable",
                                str(self.step["playable"]), "--json"], check=True, stdout=subprocess.DEVNULL)
            if not done and self.step["carry_state"]:
                state = self.pack_run(cell, ["latest", "train.jsonl", *self.checkpoints(cell)])
            if done and self.step["keep"]:
                kept = self.pack_run(cell, self.step["keep"])
            room -= bytes_below(self.out)
        wanted = self.step["pull"] + [piece for item in (state, kept) if item for piece in item["pieces"]]
        copy_within([p for p in dict.fromkeys(wanted) if (self.pieces / p).exists()], self.pieces, self.out / "pieces", room)
        write_json(self.out / "step.json", {
            "machine": self.machine, "cell": cell, "ran": ran, "done": done, "error": error, "seconds": self.seconds(),
            "has": sorted(path.name for path in self.pieces.glob("*")), "state": state, "kept": kept})

    def checkpoints(self, cell):
        """The models that the run has kept so far, which write the pieces."""
        run = self.run / "runs" / cell
        return sorted(path.name for pattern in ("epoch-*", "percent-*") for path in run.glob(pattern))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    for name, run, summary in (("plan", show_plan, "list cells and sizes"), ("drive", drive, "run all steps"),
                               ("next", show_next, "prepare a step"), ("take", take, "take what a step left")):
        command = commands.add_parser(name, help=summary)
        command.set_defaults(function=run)
        command.add_argument("--spec", required=True)
        command.add_argument("--data", default="data")
        command.add_argument("--home", required=True, help="the folder that keeps everything")
        command.add_argument("--bin", default="build/bin", help="Continuo's programs on this machine")
        command.add_argument("--minutes", type=float, default=MINUTES, help="of a step")
        command.add_argument("--limit-mib", type=float, default=LIMIT_MIB, help="of a step's folder, in and out")
        command.add_argument("--piece-mib", type=float, default=PIECE_MIB)
        command.add_argument("--playable", type=int, default=4, help="pieces of each row whose notes are kept")
        command.add_argument("--carry-state", action="store_true", help="bring checkpoints of unfinished trainings here")
        command.add_argument("--keep", action="append", default=[], help="also bring this model of each cell here: final")
        command.add_argument("--tokens-per-second", type=float, default=460_000, help="for the estimate of plan")
        if name == "drive":
            command.add_argument("--run", required=True, help="what runs a step; --in and --out are added")
            command.add_argument("--patience", type=int, default=5, help="steps that may leave nothing, in a row")
        if name == "take":
            command.add_argument("out")
    command = commands.add_parser("do", help="run a step, where the GPU is")
    command.set_defaults(function=lambda args: Worker(args).go())
    command.add_argument("--in", required=True)
    command.add_argument("--out", required=True)
    command.add_argument("--work", required=True, help="a folder that may or may not last from step to step")
    command.add_argument("--bin", default="build/bin")
    args = parser.parse_args()
    args.function(args)


if __name__ == "__main__":
    main()
