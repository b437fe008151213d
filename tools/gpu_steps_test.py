#!/usr/bin/env python3
"""Runs a tiny experiment in steps of gpu_steps.py and checks that it ends with the cells of one that ran in one go.

    tools/gpu_steps_test.py build/bin [PRETENDED_GPU]

- The machine forgets everything in between, and a step is killed half way.
- No step carries more than its limit, which is smaller than what a fresh machine needs.
- A training that a step's clock cuts continues from the checkpoint that was carried, to the same pieces.
With PRETENDED_GPU, a library that is loaded before all others, the trainings run on that device.
"""

import json
import os
import pathlib
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time

SOURCE = pathlib.Path(__file__).resolve().parent.parent
LIMIT_MIB = 0.5
SPEC = """name = "steps"
[corpora.etudes]
folder = "corpus"
valid = 0.3
[tokenizers.remi]
[models.fresh]
[models.tuned]
init_from = "text"
[train]
layers = 2
heads = 2
width = 64
context = 128
dropout = 0.0
steps = 60
percents = [50, 100]
batch = 2
lr = 3e-3
precision = "f32"
device = "{device}"
export_bf16 = true
checkpoint_minutes = 0.02
[generate]
pieces = 3
bars = 2
[measure]
structure = false
validation_songs = 1
validation_bars = 2
[continue]
checkpoints = [{{ model = "fresh", tokenizer = "remi", percent = 100 }}]
prompts = [{{ name = "prompt", file = "prompt.mid" }}]
prompt_bars = 4
bars = 2
"""


def run(*command, environment=None, ok=True):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, env=environment)
    assert not ok or done.returncode == 0, f"{command}: exit status {done.returncode}:\n{done.stdout}{done.stderr}"
    return done


def contents(database):
    """What was found, without what depends on the clock."""
    connection = sqlite3.connect(f"file:{database}?mode=ro", uri=True)
    queries = {
        "runs": "SELECT id, status FROM runs",
        "sets": "SELECT id, kind, status, pieces FROM sets",
        "pieces": "SELECT set_id, number, sha256, notes, nll_note FROM pieces",
        "metrics": "SELECT set_id, metric, count, mean, low, high FROM set_metrics",
    }
    found = {name: sorted(connection.execute(query), key=repr) for name, query in queries.items()}
    connection.close()
    return found


def bytes_below(folder):
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


class Steps:
    def __init__(self, programs, folder, data, spec, environment):
        self.folder, self.programs, self.environment = folder, programs, environment
        self.home, self.out = folder / "home", folder / "out"
        self.common = ["--spec", spec, "--data", data, "--home", self.home, "--bin", programs, "--limit-mib", LIMIT_MIB,
                       "--piece-mib", LIMIT_MIB / 4, "--carry-state", "--keep", "final"]
        self.largest = 0

    def next(self, minutes=5):
        text = run(sys.executable, SOURCE / "tools/gpu_steps.py", "next", *self.common, "--minutes", minutes).stdout
        return "all done" not in text

    def do(self, work, kill_after=None):
        shutil.rmtree(self.out, ignore_errors=True)
        self.out.mkdir()
        self.largest = max(self.largest, bytes_below(self.home / "in"))
        command = [sys.executable, SOURCE / "tools/gpu_steps.py", "do", "--in", self.home / "in", "--out", self.out, "--work",
                   work, "--bin", self.programs]
        process = subprocess.Popen([str(part) for part in command], env=self.environment, start_new_session=True)
        try:
            code = process.wait(kill_after)
            assert code == 0, f"do: exit status {code}"
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            time.sleep(0.5)  # a training of a group of its own ends with its parent's pipe
        self.largest = max(self.largest, bytes_below(self.out))

    def take(self):
        return run(sys.executable, SOURCE / "tools/gpu_steps.py", "take", *self.common, self.out).stdout


def main():
    programs = pathlib.Path(sys.argv[1]).resolve()
    environment = dict(os.environ, OMP_WAIT_POLICY="PASSIVE")
    device = "cpu"
    if len(sys.argv) > 2:
        environment["LD_PRELOAD"], device = sys.argv[2], "cuda"
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        data = folder / "data"
        data.mkdir()
        shutil.copytree(SOURCE / "examples" / "corpus", data / "corpus")
        shutil.copyfile(SOURCE / "examples" / "prompt.mid", data / "prompt.mid")
        run(programs / "continuo", "corpus", "build", data / "corpus", "--tokenizer", "remi", "-o", folder / "corpus", "-q")
        run(programs / "continuo", "train", "--corpus", folder / "corpus", "-o", folder / "text", "--layers", 2, "--heads", 2,
            "--width", 64, "--context", 128, "--steps", 2, "--batch", 2, "--device", "cpu", "--export-bf16", "-q")
        shutil.copytree(folder / "text" / "final", data / "text")
        spec = folder / "steps.toml"
        spec.write_text(SPEC.format(device=device))
        run(programs / "continuo", "experiment", "run", spec, "--data", data, "-o", folder / "whole",
            environment=environment)
        expected = contents(folder / "whole" / "results.db")

        steps = Steps(programs, folder, data, spec, environment)
        work, killed, cut, number = folder / "machine-0", False, 0, 0
        while steps.next(minutes=0.1 if cut < 2 else 5):
            step = json.loads((steps.home / "in" / "step.json").read_text())
            number += 1
            assert number < 60, "the steps get nowhere"
            if step["cell"] and not step["state"] and cut and not killed:
                killed = True
                steps.do(work, kill_after=2)
                shutil.rmtree(steps.out)
                steps.out.mkdir()
            else:
                steps.do(work)
            said = steps.take()
            if "goes on" in said:
                cut += 1
                # The next step finds another machine, once the checkpoint is here.
                carried = json.loads((steps.home / "state.json").read_text())["cells"][step["cell"]].get("state")
                if carried:
                    while steps.next(minutes=0.1) and json.loads((steps.home / "in/step.json").read_text())["pull"]:
                        steps.do(work)
                        steps.take()
                work = folder / f"machine-{number}"
        found = contents(steps.home / "results" / "results.db")
        for part in expected:
            assert found[part] == expected[part], f"{part} differ: {set(found[part]) ^ set(expected[part])}"
        assert steps.largest <= LIMIT_MIB * 2**20, f"a step carried {steps.largest} bytes"
        sent = json.loads((steps.home / "state.json").read_text())["items"]
        assert sum(len(item["pieces"]) for item in sent) > 3, "the limit was never in the way"
        print(f"equal after {number} steps, {cut} cut by the clock, {int(killed)} killed; "
              f"at most {steps.largest / 2**20:.2f} of {LIMIT_MIB} MiB a step")


if __name__ == "__main__":
    main()
