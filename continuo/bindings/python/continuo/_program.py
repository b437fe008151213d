"""The program `continuo`, which the wheel contains."""

from __future__ import annotations

import ctypes
import importlib.metadata
import importlib.util
import os
import re
import sys
from pathlib import Path

PROGRAM = Path(__file__).parent / "bin" / "continuo"
TRAINER = PROGRAM.with_name("continuo-train")

_NO_TRAINER = (
    "this build of the package has no continuo-train: train with transformers on Corpus.dataset(), or build Continuo "
    "from its source (tools/bootstrap.sh, make build)"
)
# What continuo-render takes of the system.
_AUDIO_LIBRARIES = ("libfluidsynth.so.3", "libsndfile.so.1")
_NO_AUDIO = "is not installed (on Debian and Ubuntu: apt install libfluidsynth3 timgm6mb-soundfont)"


def main() -> int:
    """Becomes the program."""
    words = [argument for argument in sys.argv[1:] if not argument.startswith("-")]
    command = words[0] if words else ""
    trains = _trains(words, sys.argv)
    if trains and (problem := _trainer_problem()):
        return _fail(command, problem)
    if command == "render" and (missing := _missing_library()):
        return _fail(command, f"{missing} {_NO_AUDIO}")
    return _become(PROGRAM, with_torch=trains)


def train() -> int:
    """Becomes `continuo-train`, with the LibTorch of the installed torch."""
    if problem := _trainer_problem():
        return _fail("train", problem)
    return _become(TRAINER, with_torch=True)


def _trains(words: list[str], arguments: list[str]) -> bool:
    """Whether the command starts continuo-train."""
    if words[:2] == ["experiment", "run"]:
        return not {"--dry-run", "--help", "-h"} & set(arguments)
    return words[:1] in (["train"], ["pretrain"]) or words[:2] == ["bench", "train"]


def _trainer_problem() -> str:
    """What continuo-train can't run for, empty if nothing is known. Does not import torch."""
    if not TRAINER.exists():
        return _NO_TRAINER
    asked = " ".join(importlib.metadata.requires("continuo") or [])
    release = re.search(r"torch==([0-9.]+)\.\*", asked)
    if release is None:
        return f"the package's metadata names no release of torch: {asked!r} (install the wheel again)"
    advice = f"(pip install 'torch=={release[1]}.*'); or train with transformers on Corpus.dataset()"
    if _torch_libraries() is None:
        return f"needs torch {release[1]}, which is not installed {advice}"
    found = next((each.version for each in importlib.metadata.distributions(name="torch")), "another release")
    if not found.startswith(f"{release[1]}."):
        return f"needs torch {release[1]}, and {found} is installed {advice}"
    return ""


def _torch_libraries() -> Path | None:
    torch = importlib.util.find_spec("torch")
    folders = [Path(folder) / "lib" for folder in (torch and torch.submodule_search_locations) or []]
    return next((folder for folder in folders if (folder / "libtorch.so").exists()), None)


def _become(program: Path, with_torch: bool) -> int:
    if not program.exists():
        print(f"continuo: {program}: is not there (install the wheel again)", file=sys.stderr)
        return 1
    environment = dict(os.environ)
    if with_torch:
        folders = [str(_torch_libraries()), environment.get("LD_LIBRARY_PATH", "")]
        environment["LD_LIBRARY_PATH"] = ":".join(filter(None, folders))
    sys.stdout.flush()
    os.execve(program, [program.name, *sys.argv[1:]], environment)


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
