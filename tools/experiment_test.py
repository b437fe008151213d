#!/usr/bin/env python3
"""Kills a small experiment at many moments and checks that the same command ends with the same pieces and values.

    tools/experiment_test.py build/bin/continuo

The experiment is that of experiments/smoke.toml. One run is left alone. Another is killed (SIGKILL, the trainer's process
and all) again and again, each time a little later. One is run on a disk that has too little room, and gets more again and
again (a tmpfs, where it can be mounted). Two shards, each in a folder of its own, do what is theirs.
"""

import os
import pathlib
import signal
import sqlite3
import subprocess
import sys
import tempfile

SOURCE = pathlib.Path(__file__).resolve().parent.parent
FIRST_KILL_S, LAST_KILL_S, GROWTH = 0.15, 12.0, 1.6


def command(program, folder, *more):
    spec = SOURCE / "experiments" / "smoke.toml"
    return [program, "experiment", "run", spec, "--data", SOURCE / "examples", "-o", folder, *more]


def run(program, folder, *more):
    done = subprocess.run(command(program, folder, *more), capture_output=True, text=True)
    assert done.returncode == 0, f"exit status {done.returncode}:\n{done.stdout}{done.stderr}"


def kill_after(seconds, program, folder):
    """Whether the run was still going and was killed."""
    process = subprocess.Popen(
        command(program, folder), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        return True
    assert process.returncode == 0, f"exit status {process.returncode} after a kill"
    return False


def contents(folder):
    """The pieces' bytes, their metrics and the learning curves, without what depends on the clock."""
    database = sqlite3.connect(f"file:{folder}/results.db?mode=ro", uri=True)
    queries = {
        "statuses": "SELECT id, status FROM runs UNION SELECT id, status FROM sets",
        "pieces": "SELECT set_id, number, name, sha256, bars, notes, nll_note, copied_notes FROM pieces",
        "metrics": "SELECT set_id, metric, count, mean, low, high FROM set_metrics",
        "distances": "SELECT set_id, feature, overlap, kl FROM distances",
        "curves": "SELECT run, step, train_loss, valid_nll_token FROM curve",
    }
    found = {name: sorted(database.execute(query), key=repr) for name, query in queries.items()}
    database.close()
    return found


def run_on_full_disk(program, folder):
    """Runs with as much room as lets it go a little further, until it is done. How often it was full, None if there can be no tmpfs."""
    folder.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=128k", "tmpfs", folder], capture_output=True).returncode != 0:
        return None
    refusals, room = 0, 128
    while (done := subprocess.run(command(program, folder), capture_output=True, text=True)).returncode != 0:
        assert done.returncode == 1, f"exit status {done.returncode} with {room} KiB:\n{done.stdout}{done.stderr}"
        assert "disk is full" in done.stderr, f"{room} KiB: {done.stderr}"
        refusals += 1
        room *= 2
        assert room < 1 << 20, "never enough room"
        subprocess.run(["mount", "-o", f"remount,size={room}k", folder], check=True)
    return refusals


def check_equal(expected, found, what):
    for name in expected:
        assert found[name] == expected[name], (
            f"{what}: {name} differ: {sorted(set(map(repr, found[name])) ^ set(map(repr, expected[name])))[:6]}"
        )


def main():
    program = pathlib.Path(sys.argv[1]).resolve()
    with tempfile.TemporaryDirectory() as temporary:
        whole, killed = pathlib.Path(temporary, "whole"), pathlib.Path(temporary, "killed")
        run(program, whole)
        expected = contents(whole)
        assert {status for _, status in expected["statuses"]} == {"done"}, expected["statuses"]

        kills, seconds = 0, FIRST_KILL_S
        while kill_after(seconds, program, killed):
            kills += 1
            seconds = min(seconds * GROWTH, LAST_KILL_S)
            assert kills < 40, "killed runs get nowhere"
        check_equal(expected, contents(killed), f"killed {kills} times")

        small = pathlib.Path(temporary, "small")
        try:
            refusals = run_on_full_disk(program, small)
            if refusals is None:
                print("skipped: a full disk: no tmpfs can be mounted here")
            else:
                assert refusals > 3, "the disk was never full"
                check_equal(expected, contents(small), f"{refusals} full disks")
        finally:
            subprocess.run(["umount", small], check=False, capture_output=True)

        # Each shard has the trainings that are its own; `best` needs the whole grid, so neither has
        # continuations.
        parts = []
        for shard in range(2):
            folder = pathlib.Path(temporary, f"shard-{shard}")
            run(program, folder, "--shard", f"{shard}/2")
            parts.append({row for row in contents(folder)["curves"]})
        assert not parts[0] & parts[1] and sorted(parts[0] | parts[1], key=repr) == expected["curves"]
        print(f"equal after {kills} kills, on {refusals or 'no'} full disks, and in two shards")


if __name__ == "__main__":
    main()
