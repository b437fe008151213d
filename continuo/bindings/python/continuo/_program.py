"""The program `continuo`, which the wheel contains."""

from __future__ import annotations

import ctypes
import os
import sys
from pathlib import Path

PROGRAM = Path(__file__).parent / "bin" / "continuo"

_NO_TRAINER = (
    "the wheel has no trainer: train with transformers on Corpus.dataset(), or build Continuo from its source "
    "(tools/bootstrap.sh, make build)"
)
# What continuo-render takes of the system.
_AUDIO_LIBRARIES = ("libfluidsynth.so.3", "libsndfile.so.1")
_NO_AUDIO = "is not installed (on Debian and Ubuntu: apt install libfluidsynth3 timgm6mb-soundfont)"


def main() -> int:
    """Becomes the program."""
    command = next((argument for argument in sys.argv[1:] if not argument.startswith("-")), "")
    if command in ("train", "pretrain"):
        return _fail(command, _NO_TRAINER)
    if command == "render" and (missing := _missing_library()):
        return _fail(command, f"{missing} {_NO_AUDIO}")
    if not PROGRAM.exists():
        print(f"continuo: {PROGRAM}: is not there (install the wheel again)", file=sys.stderr)
        return 1
    sys.stdout.flush()
    os.execv(PROGRAM, ["continuo", *sys.argv[1:]])


def train() -> int:
    """`continuo-train`, which the wheel does not contain."""
    return _fail("train", _NO_TRAINER)


def _missing_library() -> str | None:
    for name in _AUDIO_LIBRARIES:
        try:
            ctypes.CDLL(name)
        except OSError:
            return name
    return None


def _fail(command: str, message: str) -> int:
    print(f"continuo: {command}: {message}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
