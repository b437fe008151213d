#!/usr/bin/env python3
"""Kills trainings and looks at what comes of them: a run that resumes must end with the bytes of one that never stopped.

    tools/resume_test.py [--bin build/bin] [--kills 50] [--seed 1] [--ranks | --text | --gpu LIBRARY]

On a small corpus of scales:
- 40 updates in one go against 20, SIGKILL, --resume, in f32 and bf16, at 1 and 2 threads;
- SIGKILL at --kills random moments, the writing of checkpoints among them, each followed by --resume;
- SIGINT and SIGTERM, which end with 130 and 143 and leave a checkpoint;
- a full disk (a tmpfs of a few MiB, where it can be mounted) and a directory that can't be written;
- two trainings in one directory;
- with --text: a model of text is trained, killed, resumed, and lends its blocks to one of music;
- with --gpu: the first two on a GPU, which the library, loaded before all others, may pretend ("" where it is a real one);
- with --ranks: 2 processes under mpirun against 1, from 2 to 1, a rank that is killed.
Prints a line a check; ends with 1 where one failed, with 77 where --ranks finds no MPI, or --text no SentencePiece.
"""
import argparse
import json
import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
SHAPE = "--layers 2 --heads 2 --width 32 --context 64 --batch 4 --lr 1e-3 --augment-transpose --augment-velocity".split()


def write_scales(folder):
    """16 MIDI files of one track, scales up and down in several keys."""
    folder.mkdir()
    for song in range(16):
        events = bytearray()
        for i in range(40 + 8 * song):
            pitch = 48 + song % 12 + (i % 8 if i // 8 % 2 == 0 else 8 - i % 8)
            events += bytes([0, 0x90, pitch, 64 + i % 40]) + bytes([0x81, 0x70, 0x80, pitch, 0])  # 240 ticks
        events += b"\x00\xff\x2f\x00"
        header = b"MThd" + (6).to_bytes(4, "big") + bytes([0, 0, 0, 1, 1, 0xE0])  # 480 ticks a quarter
        (folder / f"{song}.mid").write_bytes(header + b"MTrk" + len(events).to_bytes(4, "big") + events)


class Checks:
    def __init__(self, args, folder):
        self.args = args
        self.folder = folder
        self.failed = 0
        self.program = str(pathlib.Path(args.bin) / "continuo")
        self.environment = dict(os.environ, OMP_WAIT_POLICY="PASSIVE", OMPI_ALLOW_RUN_AS_ROOT="1",
                                OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1")
        write_scales(folder / "midi")
        self.run([self.program, "corpus", "build", str(folder / "midi"), "--tokenizer", "remi", "-o",
                  str(folder / "corpus"), "--valid", "0.2", "-q"])
        if args.gpu:
            self.environment["LD_PRELOAD"] = args.gpu

    def check(self, name, passed, detail=""):
        print(f"{'ok' if passed else 'FAILED'}: {name}{': ' + detail if detail and not passed else ''}", flush=True)
        self.failed += not passed

    def run(self, command):
        return subprocess.run(command, env=self.environment, capture_output=True, text=True, check=True)

    def command(self, run, steps, *more, ranks=1):
        launcher = ["mpirun", "--oversubscribe", "-n", str(ranks)] if ranks > 1 else []
        device = ["--device", "cpu" if self.args.gpu is None else "cuda"]
        return [*launcher, self.program, "train", "--corpus", str(self.folder / "corpus"), "-o", str(run), *SHAPE,
                "--steps", str(steps), "-q", *device, *more]

    def start(self, command):
        return subprocess.Popen(command, env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                start_new_session=True)

    def train(self, run, steps, *more, ranks=1):
        done = subprocess.run(self.command(run, steps, *more, ranks=ranks), env=self.environment, capture_output=True,
                              text=True)
        return done.returncode, done.stderr

    def wait_for_step(self, process, run, step):
        """Returns when train.jsonl has that update, or the process has ended."""
        log = run / "train.jsonl"
        while process.poll() is None:
            if log.exists() and log.read_text().count('"loss"') >= step:
                return
            time.sleep(0.002)

    def weights(self, run):
        path = run / "final" / "model.safetensors"
        return path.read_bytes() if path.exists() else b"none"

    def kill(self, process):
        """Ends a process and its children, which mpirun starts in groups of their own, and waits until they are gone."""
        pids = [process.pid, *children_of(process)]
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        process.communicate()
        while any(pathlib.Path(f"/proc/{pid}").exists() for pid in pids):
            time.sleep(0.01)


def children_of(process):
    try:
        return [int(pid) for pid in pathlib.Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()]
    except FileNotFoundError:
        return []


def losses(run):
    lines = [json.loads(line) for line in (run / "train.jsonl").read_text().splitlines()]
    return [line["loss"] for line in lines if "loss" in line]


def halves(checks, precisions, threads):
    for precision in precisions:
        for count in threads:
            name = f"{precision}-{count}"
            more = ["--precision", precision, "--threads", str(count), "--valid-every", "20"]
            whole, parts = checks.folder / f"whole-{name}", checks.folder / f"parts-{name}"
            checks.train(whole, 40, *more)
            process = checks.start(checks.command(parts, 40, *more))
            checks.wait_for_step(process, parts, 22)  # the checkpoint of update 20 is whole or being written
            checks.kill(process)
            resumed_at = len(losses(parts))
            code, error = checks.train(parts, 40, *more, "--resume")
            same = checks.weights(parts) == checks.weights(whole) != b"none"
            checks.check(f"{precision}, {count} threads: killed at update {resumed_at} of 40, the same bytes", code == 0 and same,
                         error)


def random_kills(checks, kills, seed):
    rng = random.Random(seed)
    # A checkpoint after each second update, and each kept twice: most of the time is spent writing.
    more = ["--precision", "f32", "--threads", "1", "--valid-every", "2", "--keep", "2"]
    steps = 30
    whole, run = checks.folder / "kills-whole", checks.folder / "kills"
    begin = time.time()
    checks.train(whole, steps, *more)
    seconds = time.time() - begin
    failures, ended, writing, runs = [], 0, 0, 0
    for kill in range(kills):
        process = checks.start(checks.command(run, steps, *more, *(["--resume"] if run.exists() else [])))
        try:
            _, error = process.communicate(timeout=rng.uniform(0, 0.8) * seconds)
            if process.returncode != 0:
                failures.append(error.strip())
        except subprocess.TimeoutExpired:
            checks.kill(process)
            writing += any((run / "checkpoints").glob(".*.tmp")) or any(run.glob(".*.tmp"))
        if (run / "final").exists():
            ended += 1
            if checks.weights(run) != checks.weights(whole):
                failures.append("other bytes")
            shutil.rmtree(run)
        elif run.exists() and not (run / "lock").exists():
            shutil.rmtree(run)  # killed before anything was begun
        runs += 1
    if run.exists():
        code, error = checks.train(run, steps, *more, "--resume")
        if code != 0 or checks.weights(run) != checks.weights(whole):
            failures.append(error.strip() or "other bytes")
    checks.check(f"killed at {kills} random moments, {writing} of them while files were written; {ended} runs came to their "
                 "end, all with the same bytes", not failures, "; ".join(failures[:3]))


def signals(checks):
    for number, code in ((signal.SIGINT, 130), (signal.SIGTERM, 143)):
        run = checks.folder / f"signal-{code}"
        process = checks.start(checks.command(run, 100000, "--threads", "1"))
        checks.wait_for_step(process, run, 3)
        process.send_signal(number)
        process.communicate(timeout=60)
        whole = (run / "latest" / "training.json").exists()
        checks.check(f"{number.name} ends with {code} and leaves a checkpoint", process.returncode == code and whole,
                     str(process.returncode))


def places(checks):
    run = checks.folder / "shared"
    process = checks.start(checks.command(run, 100000, "--threads", "1"))
    checks.wait_for_step(process, run, 2)
    code, error = checks.train(run, 5)
    checks.check("a second training in the same directory is refused and names the first",
                 code == 1 and f"process {process.pid}" in error, error)
    checks.kill(process)

    full = checks.folder / "full"
    full.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(full)], capture_output=True).returncode != 0:
        print("skipped: a full disk: no tmpfs can be mounted here")
    else:
        try:
            # The first checkpoint fits, the next one, at its side, doesn't.
            code, error = checks.train(full / "run", 40, "--threads", "1", "--valid-every", "4", "--keep", "1")
            told = code == 1 and "No space left on device" in error
            latest = full / "run" / "latest" / "training.json"
            step = json.loads(latest.read_text())["state"]["step"] if latest.exists() else 0
            checks.check("a full disk ends the run with an error, and the older checkpoint stays", told and step > 0, f"{step} {error}")
            subprocess.run(["mount", "-o", "remount,size=64m", str(full)], check=True)
            code, error = checks.train(full / "run", 40, "--threads", "1", "--valid-every", "4", "--keep", "1", "--resume")
            checks.train(checks.folder / "roomy", 40, "--threads", "1", "--valid-every", "4", "--keep", "1")
            checks.check("with room again it goes on to the same bytes",
                         code == 0 and checks.weights(full / "run") == checks.weights(checks.folder / "roomy"), error)
            subprocess.run(["mount", "-o", "remount,ro", str(full)], check=True)
            code, error = checks.train(full / "other", 5)
            checks.check("a disk that can't be written is an error that names it", code == 1 and str(full) in error, error)
        finally:
            subprocess.run(["umount", str(full)], check=False)


def ranks(checks):
    exact = ["--precision", "f32", "--threads", "1", "--dropout", "0", "--valid-every", "10"]
    one, two = checks.folder / "one", checks.folder / "two"
    checks.train(one, 20, *exact)
    code, error = checks.train(two, 20, *exact, ranks=2)
    if "built without MPI" in error:
        print("skipped: continuo-train was built without MPI")
        sys.exit(77)
    if code != 0:
        checks.check("2 ranks train", False, error)
        return
    far = max(abs(a - b) / a for a, b in zip(losses(one), losses(two)))
    checks.check(f"2 ranks follow 1 for 20 updates: losses differ by {far:.1e} at most", far < 1e-5)

    whole = checks.folder / "ranks-whole"
    checks.train(whole, 40, *exact, ranks=2)
    for then in (2, 1):
        parts = checks.folder / f"ranks-2-{then}"
        process = checks.start(checks.command(parts, 40, *exact, ranks=2))
        checks.wait_for_step(process, parts, 23)
        checks.kill(process)
        code, error = checks.train(parts, 40, *exact, "--resume", ranks=then)
        if then == 2:
            checks.check("2 ranks, killed, on 2 again: the same bytes",
                         code == 0 and checks.weights(parts) == checks.weights(whole), error)
        else:
            far = max(abs(a - b) / a for a, b in zip(losses(whole), losses(parts))) if code == 0 else 1
            checks.check(f"2 ranks, killed, on 1: losses differ by {far:.1e} at most",
                         code == 0 and len(losses(parts)) == 40 and far < 1e-4, error)

    run = checks.folder / "ranks-killed"
    process = checks.start(checks.command(run, 100000, *exact, ranks=2))
    checks.wait_for_step(process, run, 12)
    os.kill(children_of(process)[-1], signal.SIGKILL)
    begin = time.time()
    try:
        _, error = process.communicate(timeout=60)
        seconds = time.time() - begin
        checks.check(f"a killed rank ends the others in {seconds:.1f} s, and mpirun names it",
                     process.returncode != 0 and "rank" in error, error)
    except subprocess.TimeoutExpired:
        checks.kill(process)
        checks.check("a killed rank ends the others in 60 s", False)
    state = json.loads((run / "latest" / "training.json").read_text())["state"]
    checks.check("and leaves its checkpoint whole", state["step"] % 10 == 0 and state["step"] > 0, str(state))


def text(checks):
    rng = random.Random(1)
    words = "the a little cat dog ran saw big red house tree went to and said hello goodbye happy sad".split()
    lines = [" ".join(rng.choice(words) for _ in range(8)) + "." for _ in range(4000)]
    book = checks.folder / "book.txt"
    book.write_text("\n".join(lines))
    whole, parts = checks.folder / "text-whole", checks.folder / "text-parts"

    def pretrain(run, *more):
        command = [checks.program, "pretrain", "--text", str(book), "-o", str(run), "--pieces", "300", "--valid", "0.3", "--layers",
                   "2", "--heads", "2", "--width", "32", "--context", "64", "--batch", "8", "--lr", "3e-3", "--steps", "120",
                   "--valid-every", "40", "--threads", "1", "--json", *more]
        return checks.start(command)

    process = pretrain(whole)
    out, error = process.communicate()
    if "was not built" in error:
        print("skipped: pretrain was not built")
        sys.exit(77)
    perplexity = json.loads(out).get("perplexity", {}) if process.returncode == 0 else {}
    learnt = perplexity and perplexity["model"] < 0.5 * perplexity["unigram"] and perplexity["5-gram"] < perplexity["unigram"]
    checks.check(f"a model of text is trained: perplexity {perplexity}", bool(learnt), error)
    process = pretrain(parts)
    checks.wait_for_step(process, parts, 50)
    checks.kill(process)
    process = pretrain(parts, "--resume")
    out, error = process.communicate()
    checks.check("killed and resumed it has the same bytes",
                 process.returncode == 0 and checks.weights(parts) == checks.weights(whole), error)
    done = subprocess.run([checks.program, "train", "--corpus", str(checks.folder / "corpus"), "-o", str(checks.folder / "music"),
                           "--init-from", str(whole / "final"), *SHAPE, "--steps", "2"], env=checks.environment,
                          capture_output=True, text=True)
    checks.check("and lends its blocks to a model of music", done.returncode == 0 and "took 2 blocks" in done.stderr, done.stderr)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", default=str(ROOT / "build" / "bin"))
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--ranks", action="store_true", help="only what needs mpirun")
    parser.add_argument("--text", action="store_true", help="only what needs SentencePiece")
    parser.add_argument("--gpu", metavar="LIBRARY", help="train on a GPU")
    args = parser.parse_args()
    if args.ranks and shutil.which("mpirun") is None:
        print("skipped: there is no mpirun")
        sys.exit(77)
    with tempfile.TemporaryDirectory(prefix="continuo-resume-") as folder:
        checks = Checks(args, pathlib.Path(folder))
        if args.ranks:
            ranks(checks)
        elif args.text:
            text(checks)
        elif args.gpu is not None:
            halves(checks, ["f32", "bf16"], [1])
            random_kills(checks, args.kills, args.seed)
        else:
            halves(checks, ["f32", "bf16"], [1, 2])
            random_kills(checks, args.kills, args.seed)
            signals(checks)
            places(checks)
    sys.exit(1 if checks.failed else 0)


if __name__ == "__main__":
    main()
