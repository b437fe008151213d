#!/usr/bin/env python3
"""Checks that the modules of continuo/ include exactly what tools/layers.txt lists.

Also: every module has a README.md and a line, and stands after the modules that it includes, so that
there is no circle; only `train` and `engine/torch` include LibTorch; only `os` and what talks to MPI,
NCCL and the test device include headers of the operating system; no code outside `token` spells the
names of tokens. Prints one line per fault and exits 1, or prints "ok".

    tools/check_layers.py [--root DIR]      check
    tools/check_layers.py --mermaid         print the module diagram of docs/architecture.md
"""
import argparse
import re
import sys
from pathlib import Path

INCLUDE = re.compile(r'^\s*#\s*include\s*["<]([^">]+)[">]')
LINE = re.compile(r"^(?P<module>[\w/]+):(?P<direct>[^()]*)(\((?P<aside>[^()]*)\))?\s*$")
LIBTORCH = {"torch", "ATen", "c10"}
USES_LIBTORCH = {"train", "engine/torch"}
SYSTEM_HEADERS = re.compile(r"^(sys/|linux/|unistd\.h|fcntl\.h|signal\.h|poll\.h|dlfcn\.h|sched\.h|spawn\.h|termios\.h)")
# libsndfile writes to a file descriptor, so that a name never shows half a file.
USES_SYSTEM = ("continuo/os/", "continuo/render/render.cc", "continuo/train/mpi/", "continuo/train/nccl/",
               "continuo/train/pretended_gpu/", "continuo/studio/http_server.cc", "continuo/train/program/mkl_kernels.cc")
TOKEN_NAME = re.compile(
    r'"(Bar|Position|Pitch|PitchDrum|NoteOn|NoteOff|DrumOn|DrumOff|Velocity|Duration|TimeShift|Rest|Tempo|Program|TimeSig|'
    r'Pedal|PedalOff|PitchBend|Chord)_')


def read_layers(path):
    """Returns {module: (direct, aside)}, sets of names, and the faults of the table itself."""
    layers, faults = {}, []
    for number, line in enumerate(path.read_text().splitlines(), 1):
        line = line.split("#")[0].strip()
        if not line:
            continue
        match = LINE.match(line)
        if not match:
            faults.append(f"{path.name}:{number}: expected 'module: modules (modules)'")
            continue
        direct, aside = (set((match[part] or "").split()) for part in ("direct", "aside"))
        for name in direct | aside:
            if name not in layers:
                faults.append(f"{path.name}:{number}: {match['module']} includes {name}, which no line above defines")
        layers[match["module"]] = (direct, aside)
    return layers, faults


def is_test(source):
    return source.name.endswith("_test.cc") or "testing" in source.name or source.name.endswith("_test.h")


def module_of(name, modules):
    parts = name.split("/")
    for length in (2, 1):
        if "/".join(parts[:length]) in modules:
            return "/".join(parts[:length])
    return None


def check(root):
    layers, faults = read_layers(root / "tools" / "layers.txt")
    code = root / "continuo"
    folders = {str(path.parent.relative_to(code)) for path in code.rglob("CMakeLists.txt")} - {"."}
    faults += [f"continuo/{folder}: is not in tools/layers.txt" for folder in sorted(folders - set(layers))]
    faults += [f"tools/layers.txt: there is no module continuo/{module}" for module in sorted(set(layers) - folders)]
    used = {module: set() for module in layers}
    for module in sorted(set(layers) & folders):
        if not (code / module / "README.md").exists():
            faults.append(f"continuo/{module}: has no README.md")
    for source in sorted(code.rglob("*")):
        module = module_of(str(source.relative_to(code)), layers)
        if source.suffix not in (".h", ".cc", ".c") or module is None:
            continue
        name = str(source.relative_to(root))
        for number, line in enumerate(source.read_text().splitlines(), 1):
            place = f"{name}:{number}"
            if module != "token" and not is_test(source) and TOKEN_NAME.search(line):
                faults.append(f"{place}: spells the name of a token; ask the Vocabulary for its type and value")
            match = INCLUDE.match(line)
            if not match:
                continue
            included = match[1]
            if included.split("/")[0] in LIBTORCH and module not in USES_LIBTORCH:
                faults.append(f"{place}: only {' and '.join(sorted(USES_LIBTORCH))} include LibTorch")
            if SYSTEM_HEADERS.match(included) and not name.startswith(USES_SYSTEM) and not is_test(source):
                faults.append(f"{place}: only os includes headers of the operating system")
            if included.startswith("continuo/"):
                other = module_of(included.removeprefix("continuo/"), layers)
                if other in (None, module):
                    continue
                used[module].add(other)
                if other not in layers[module][0] | layers[module][1]:
                    faults.append(f"{place}: {module} includes {other}, which tools/layers.txt does not list")
    for module, (direct, aside) in layers.items():
        for name in sorted((direct | aside) - used[module]):
            faults.append(f"tools/layers.txt: {module} does not include {name}")
    document = root / "docs" / "architecture.md"
    if mermaid(root) not in document.read_text():
        faults.append("docs/architecture.md: the diagram is not that of tools/check_layers.py --mermaid")
    return faults


def mermaid(root):
    """The diagram leaves out arrows that follow from others."""
    layers, _ = read_layers(root / "tools" / "layers.txt")
    reach = {}
    for module, (direct, _) in layers.items():
        reach[module] = set(direct).union(*(reach[name] for name in direct)) if direct else set()
    lines = ["graph BT"]
    for module, (direct, _) in layers.items():
        shown = sorted(name for name in direct if not any(name in reach[other] for other in direct if other != name))
        lines += [f"  {module.replace('/', '_')}[{module}] --> {name.replace('/', '_')}[{name}]" for name in shown]
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, default=Path(__file__).resolve().parent.parent)
    parser.add_argument("--mermaid", action="store_true")
    options = parser.parse_args()
    if options.mermaid:
        print(mermaid(options.root))
        return 0
    faults = check(options.root)
    print("\n".join(faults) if faults else "ok: layers hold")
    return 1 if faults else 0


sys.exit(main())
