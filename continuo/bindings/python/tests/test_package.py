"""The package as such: types, examples, the program, what it imports."""

from __future__ import annotations

import ast
import ctypes
import doctest
import importlib
import importlib.metadata
import json
import re
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from conftest import SOURCE, peer

import continuo as ct

PACKAGE = Path(ct.__file__).parent
MODULES = sorted(file.stem for file in PACKAGE.glob("_*.py") if file.stem not in ("__main__", "__init__"))


@pytest.mark.parametrize("module", ["continuo", *(f"continuo.{name}" for name in MODULES)])
def test_examples_of_the_docstrings_hold(module):
    result = doctest.testmod(importlib.import_module(module))
    assert result.failed == 0


def test_the_docstrings_have_examples():
    finder = doctest.DocTestFinder()
    counted = sum(
        len(test.examples) for name in MODULES for test in finder.find(importlib.import_module(f"continuo.{name}"))
    )
    assert counted >= 30


def test_everything_public_has_a_docstring():
    for name in ct.__all__:
        thing = getattr(ct, name)
        if isinstance(thing, type):
            assert thing.__doc__, name
            for attribute, value in vars(thing).items():
                if not attribute.startswith("_") and (callable(value) or isinstance(value, (property, classmethod))):
                    assert value.__doc__ or "dataclass" in str(type(value)) or attribute in ("tokens", "bars"), f"{name}.{attribute}"


def test_it_is_the_installed_wheel_that_is_tested():
    assert SOURCE not in PACKAGE.parents, "the package is the source's; install the wheel"
    assert importlib.metadata.version("continuo") == ct.__version__


def test_types_are_right(tmp_path):
    peer("mypy")
    use = tmp_path / "use.py"
    use.write_text(
        "import continuo as ct\n"
        "tok = ct.Tokenizer('remi')\n"
        "number: int = tok['Bar_None']\n"
        "name: str = tok[4]\n"
        "score: ct.Score = tok.decode([4])\n"
        "pieces: list[ct.Piece] = ct.Model().generate(bars=4, temperature=1.0)\n"
        "mean: dict[str, float] = ct.evaluate(score).mean\n"
        "bars: list[int] = [bar.bars for bar in ct.Model().stream(4)]\n"
        "wrong: str = tok['Bar_None']\n"
        "ct.Model().generate(bars='4')\n"
        "ct.Model().generate(temprature=4)\n"
    )
    command = [sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(tmp_path / "cache")]
    package = subprocess.run([*command, "-p", "continuo"], cwd=tmp_path, capture_output=True, text=True)
    assert package.returncode == 0, package.stdout
    report = subprocess.run([*command, str(use)], cwd=tmp_path, capture_output=True, text=True).stdout
    lines = [int(line) for line in re.findall(r"use\.py:(\d+): error", report)]
    assert lines == [9, 10, 11], report


def test_stubs_are_those_of_the_package(tmp_path):
    peer("mypy")
    # stubtest takes nanobind's functions for none; the next test compares those.
    (tmp_path / "allowed").write_text("continuo\\._core\\..*\n")
    run = subprocess.run(
        [sys.executable, "-m", "mypy.stubtest", "continuo", "--allowlist", "allowed", "--ignore-unused-allowlist"],
        cwd=tmp_path, capture_output=True, text=True,
    )
    assert run.returncode == 0, run.stdout


def signatures(stub: str) -> dict[str, list[str]]:
    """The functions of a stub, by name, with the names of their arguments."""
    found = {}
    for node in ast.parse(stub).body:
        functions = [node] if isinstance(node, ast.FunctionDef) else getattr(node, "body", [])
        prefix = f"{node.name}." if isinstance(node, ast.ClassDef) else ""
        for function in functions:
            if isinstance(function, ast.FunctionDef):
                found[prefix + function.name] = [argument.arg for argument in function.args.args]
    return found


def test_the_stub_of_the_extension_is_what_nanobind_says():
    stubgen = peer("nanobind.stubgen")
    generated = stubgen.StubGen(importlib.import_module("continuo._core"))
    generated.put(importlib.import_module("continuo._core"))
    assert signatures((PACKAGE / "_core.pyi").read_text()) == signatures(generated.get())


def test_importing_is_quick_and_starts_nothing():
    script = (
        "import sys, time, threading\nimport numpy\nbegin = time.process_time()\n"
        "import continuo\nassert time.process_time() - begin < 1.0\nassert threading.active_count() == 1\n"
        "import os\nassert len(os.listdir('/proc/self/task')) == LEFT\n"
        "assert not {'torch', 'miditok', 'symusic', 'pandas', 'pretty_midi'} & set(sys.modules)\n"
    )
    # NumPy's own threads apart.
    count = "import numpy, os; print(len(os.listdir('/proc/self/task')))"
    left = subprocess.run([sys.executable, "-c", count], check=True, capture_output=True, text=True).stdout.strip()
    run = subprocess.run([sys.executable, "-W", "error", "-c", script.replace("LEFT", left)], capture_output=True, text=True)
    assert (run.returncode, run.stdout, run.stderr) == (0, "", "")


def run_program(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([Path(sys.executable).with_name("continuo"), *arguments], capture_output=True, text=True)


def test_the_program_is_installed():
    version = run_program("--version")
    assert version.returncode == 0 and ct.__version__ in version.stdout
    wrong = run_program("--no-such-flag")
    assert wrong.returncode == 2


def test_the_program_finds_the_model_that_ships(tmp_path):
    run = run_program("-q", "generate", "--bars", "1", "-o", tmp_path / "new")
    assert run.returncode == 0 and (tmp_path / "new" / "piece-001.mid").exists()


@pytest.mark.parametrize("command", ["train", "pretrain"])
def test_what_the_wheel_has_not_says_how_to_get_it(command):
    run = run_program(command, "x")
    assert run.returncode == 1 and run.stdout == ""
    assert run.stderr.startswith(f"continuo: {command}: ") and "build" in run.stderr and "Corpus" in run.stderr


def test_continuo_train_says_how_to_get_it():
    program = Path(sys.executable).with_name("continuo-train")
    run = subprocess.run([program, "--corpus", "x"], capture_output=True, text=True)
    assert run.returncode == 1 and run.stderr.startswith("continuo: train: the wheel has no trainer")


def test_audio_is_rendered_where_the_system_has_fluidsynth(prompt, tmp_path):
    run = run_program("render", prompt, "-o", tmp_path)
    try:
        ctypes.CDLL("libfluidsynth.so.3")
    except OSError:
        assert run.returncode == 1 and "libfluidsynth.so.3 is not installed" in run.stderr and "apt install" in run.stderr
        return
    if run.returncode == 0:
        assert (tmp_path / "prompt.wav").stat().st_size > 100_000
    else:
        assert "soundfont" in run.stderr


def test_a_library_that_is_missing_is_named(monkeypatch, capsys):
    monkeypatch.setattr("continuo._program._AUDIO_LIBRARIES", ("libno-such.so.3",))
    monkeypatch.setattr(sys, "argv", ["continuo", "-q", "render", "x.mid"])
    assert importlib.import_module("continuo._program").main() == 1
    assert capsys.readouterr().err.startswith("continuo: render: libno-such.so.3 is not installed (")


def test_the_studio_is_served():
    command = [PACKAGE / "bin" / "continuo", "studio", "--no-open", "--port", "0", "--json"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        answer = json.loads(process.stdout.readline())
        with urllib.request.urlopen(answer["page"], timeout=60) as page:
            assert b"<title>" in page.read()
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(60) in (0, 130)
        process.stdout.close()


def test_the_wheel_holds_all_it_needs():
    files = importlib.metadata.files("continuo") or []
    names = {str(file) for file in files}
    assert {"continuo/py.typed", "continuo/_core.pyi", "continuo/bin/continuo"} <= names
    assert any(name.endswith("pop-piano/model.safetensors") for name in names)
    assert {"continuo/bin/continuo-serve", "continuo/share/continuo/studio-page.html"} <= names
    binaries = [PACKAGE / "_core.abi3.so", *(PACKAGE / "bin" / name for name in ("continuo", "continuo-serve"))]
    for binary in binaries:
        linked = subprocess.run(["ldd", binary], capture_output=True, text=True).stdout
        assert "not found" not in linked
        for line in linked.splitlines():
            if any(name in line for name in ("fmt", "hwy", "sqlite", "microhttpd")):
                assert "continuo.libs" in line, line


@pytest.mark.parametrize(
    ("kind", "bases"),
    [
        (ct.InvalidError, (ct.Error, ValueError)),
        (ct.NotFoundError, (ct.Error, FileNotFoundError)),
        (ct.FileSystemError, (ct.Error, OSError)),
        (ct.TooLargeError, (ct.Error, ValueError)),
    ],
)
def test_errors_are_also_those_of_python(kind, bases):
    assert issubclass(kind, bases[0]) and issubclass(kind, bases[1])
    with pytest.raises(ct.Error, match="^the message$"):
        raise kind("the message")
