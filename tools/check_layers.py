#!/usr/bin/env python3
"""Checks that each module of continuo/ includes only the modules that tools/layers.txt allows it.

Also: only `train` includes LibTorch, every module has a README.md, and the table lists a module after
those that it includes, so that there is no circle. Prints one line a fault and exits 1, or "ok".
"""
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
INCLUDE = re.compile(r'^\s*#\s*include\s*["<]([^">]+)[">]')


def read_layers(path):
    """Returns {module: every module that it may include, itself among them}."""
    allowed = {}
    for number, line in enumerate(path.read_text().splitlines(), 1):
        line = line.split("#")[0].strip()
        if not line:
            continue
        module, _, names = line.partition(":")
        reach = {module}
        for name in names.split():
            if name not in allowed:
                sys.exit(f"{path}:{number}: {module} may include {name}, which no line above defines")
            reach |= allowed[name]
        allowed[module] = reach
    return allowed


def main():
    allowed = read_layers(ROOT / "tools" / "layers.txt")
    faults = []
    for folder in sorted((ROOT / "continuo").iterdir()):
        if not folder.is_dir():
            continue
        module = folder.name
        if module not in allowed:
            faults.append(f"continuo/{module}: is not in tools/layers.txt")
            continue
        if not (folder / "README.md").exists():
            faults.append(f"continuo/{module}: has no README.md")
        for source in sorted(folder.rglob("*")):
            if source.suffix not in (".h", ".cc", ".c"):
                continue
            for number, line in enumerate(source.read_text().splitlines(), 1):
                match = INCLUDE.match(line)
                if not match:
                    continue
                place = f"{source.relative_to(ROOT)}:{number}"
                parts = match.group(1).split("/")
                if parts[0] in ("torch", "ATen", "c10") and module != "train":
                    faults.append(f"{place}: only train includes LibTorch")
                if parts[0] == "continuo" and len(parts) > 2:
                    if parts[1] not in allowed[module]:
                        faults.append(f"{place}: {module} may not include {parts[1]}")
    print("\n".join(faults) if faults else "ok: layers hold")
    sys.exit(1 if faults else 0)


main()
