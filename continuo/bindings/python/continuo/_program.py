"""The program `continuo`, which the wheel contains."""

from __future__ import annotations

import os
import sys
from pathlib import Path

PROGRAM = Path(__file__).parent / "bin" / "continuo"

_ELSEWHERE = "build Continuo from its source (tools/bootstrap.sh, make build)"
_NOT_IN_WHEEL = {
    "train": f"the wheel has no trainer: train with transformers on Corpus.dataset(), or {_ELSEWHERE}",
    "pretrain": f"the wheel has no trainer: {_ELSEWHERE}",
    "render": f"the wheel renders no audio: {_ELSEWHERE}",
    "serve": f"the wheel has no server: {_ELSEWHERE}",
    "studio": f"the wheel has no server: {_ELSEWHERE}",
}


def main() -> int:
    """Becomes the program."""
    command = next((argument for argument in sys.argv[1:] if not argument.startswith("-")), "")
    if command in _NOT_IN_WHEEL and not PROGRAM.with_name(f"continuo-{command}").exists():
        print(f"continuo: {command}: {_NOT_IN_WHEEL[command]}", file=sys.stderr)
        return 1
    if not PROGRAM.exists():
        print(f"continuo: {PROGRAM}: is not there (install the wheel again)", file=sys.stderr)
        return 1
    sys.stdout.flush()
    os.execv(PROGRAM, ["continuo", *sys.argv[1:]])


if __name__ == "__main__":
    sys.exit(main())
