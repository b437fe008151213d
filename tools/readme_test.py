#!/usr/bin/env python3
"""Runs the commands of the README, in their order, as someone would who has ten songs of their own.

    tools/readme_test.py build/bin

Each must end well. Those of `make` and `cmake` are left out; a training takes three updates instead of an hour, and what has
learnt so little writes one piece.
"""

import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

SOURCE = pathlib.Path(__file__).resolve().parent.parent
SHORTER = {r"--minutes \d+": "--steps 3", r"(run/best --bars) 32 --count 4": r"\1 4 --count 1"}


def commands(page):
    """The indented lines that run a program of build/bin, without what a line says after its command."""
    for line in page.read_text().splitlines():
        if match := re.match(r"    (build/bin/\S+(?: ?\S+)*)", line):
            command = match[1]
            for long, short in SHORTER.items():
                command = re.sub(long, short, command)
            yield command


def furnish(folder, programs):
    """What the README takes for granted: a checkout with a build, songs, and a file of ids."""
    (folder / "build").mkdir()
    (folder / "build" / "bin").symlink_to(programs)
    (folder / "build" / "share").symlink_to(programs.parent / "share")
    for name in ("examples", "experiments", "models"):
        (folder / name).symlink_to(SOURCE / name)
    (folder / "my-midi").mkdir()
    for song in sorted((SOURCE / "examples" / "corpus").glob("*.mid"))[:10]:
        shutil.copy(song, folder / "my-midi")
    shutil.copy(SOURCE / "examples" / "prompt.mid", folder / "song.mid")
    # A recording and its beats, at 96 per minute.
    (folder / "my-recordings").mkdir()
    shutil.copy(SOURCE / "examples" / "prompt.mid", folder / "my-recordings")
    beats = "".join(f"{0.625 * beat:.3f} {int(beat % 2 == 0)} {int(beat % 4 == 0)}\n" for beat in range(32))
    (folder / "my-recordings" / "beat_midi.txt").write_text(beats)
    with open(folder / "ids.json", "w") as ids:
        tokenize = [programs / "continuo", "tokenize", "--tokenizer", "remi", folder / "song.mid"]
        subprocess.run(tokenize, stdout=ids, check=True)


def main():
    programs = pathlib.Path(sys.argv[1]).resolve()
    failed = count = 0
    with tempfile.TemporaryDirectory(prefix="continuo-readme-") as name:
        folder = pathlib.Path(name)
        furnish(folder, programs)
        for command in commands(SOURCE / "README.md"):
            start = time.monotonic()
            done = subprocess.run(command, shell=True, cwd=folder, capture_output=True, text=True)
            count += 1
            failed += done.returncode != 0
            print("ok  " if done.returncode == 0 else "FAIL", f"{time.monotonic() - start:5.1f} s ", command)
            if done.returncode != 0:
                print(done.stdout + done.stderr)
    print(f"{count - failed} passed, {failed} failed")
    sys.exit(failed > 0 or count == 0)


if __name__ == "__main__":
    main()
