"""The package as such: types, examples, the program, what it imports."""

from __future__ import annotations

import ast
import ctypes
import doctest
import errno
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


PROGRAM = importlib.import_module("continuo._program")
TRAINS = (["train", "x"], ["--quiet", "pretrain", "x"], ["bench", "train"], ["experiment", "run", "x.toml"])


def refused(monkeypatch, capsys, arguments: list[str]) -> str:
    """What the program answers instead of becoming another."""
    monkeypatch.setattr(sys, "argv", ["continuo", *arguments])
    assert PROGRAM.main() == 1
    output = capsys.readouterr()
    assert output.out == ""
    return output.err


@pytest.mark.parametrize("arguments", TRAINS)
def test_training_without_torch_says_how_to_get_it(arguments, monkeypatch, capsys, tmp_path):
    (tmp_path / "continuo-train").touch()
    monkeypatch.setattr(PROGRAM, "TRAINER", tmp_path / "continuo-train")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    answer = refused(monkeypatch, capsys, arguments)
    assert answer.startswith(f"continuo: {arguments[-2] if 'pretrain' in arguments else arguments[0]}: needs torch 2.")
    assert "not installed" in answer and "pip install 'torch==2." in answer and "Corpus.dataset()" in answer


def test_training_with_another_torch_names_both_releases(monkeypatch, capsys, tmp_path):
    (tmp_path / "continuo-train").touch()
    monkeypatch.setattr(PROGRAM, "TRAINER", tmp_path / "continuo-train")
    monkeypatch.setattr(PROGRAM, "_torch_libraries", lambda: tmp_path)
    (tmp_path / "torch-2.1.3.dist-info").mkdir()
    (tmp_path / "torch-2.1.3.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: torch\nVersion: 2.1.3\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert "needs torch 2.13, and 2.1.3 is installed" in refused(monkeypatch, capsys, ["train"])


def test_training_without_a_trainer_says_how_to_get_it(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(PROGRAM, "TRAINER", tmp_path / "continuo-train")
    answer = refused(monkeypatch, capsys, ["train"])
    assert "no continuo-train" in answer and "make build" in answer and "Corpus.dataset()" in answer


def test_what_does_not_train_needs_no_torch(monkeypatch):
    monkeypatch.setattr(PROGRAM, "_trainer_problem", lambda: pytest.fail("asked for torch"))
    monkeypatch.setattr(PROGRAM, "_become", lambda program, with_torch: int(with_torch))
    for arguments in ([], ["generate"], ["experiment", "run", "x", "--dry-run"], ["experiment", "list"], ["bench", "train.mid"]):
        monkeypatch.setattr(sys, "argv", ["continuo", *arguments])
        assert PROGRAM.main() == 0


def trainer() -> Path:
    """The console script; skips the test where the wheel has no trainer or this Python no torch."""
    peer("torch")
    if not PROGRAM.TRAINER.exists():
        pytest.skip("the wheel has no continuo-train: no LibTorch where it was built")
    return Path(sys.executable).with_name("continuo-train")


SMALL = ("--layers", "1", "--heads", "2", "--width", "16", "--context", "64", "--batch", "2", "--threads", "1", "--device", "cpu")


@pytest.mark.parametrize("script", ["continuo-train", "continuo"])
def test_the_program_trains_with_the_torch_that_is_installed(script, corpus, tmp_path):
    command = [trainer().with_name(script), *(["train"] if script == "continuo" else [])]
    command += ["--corpus", corpus.directory, "-o", tmp_path / "run", *SMALL, "--steps", "2", "--quiet"]
    run = subprocess.run(command, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    pieces = ct.Model(tmp_path / "run" / "final").generate(bars=1)
    assert len(pieces) == 1


def test_the_program_trains_on_text(tmp_path):
    command = trainer()
    text = [SOURCE / "docs" / name for name in ("training.md", "generation.md", "metrics.md", "python.md")]
    arguments = ["pretrain", "--text", *text, "--pieces", "500", "--valid", "0", "--samples", "0", "-o", tmp_path / "run", *SMALL, "--steps", "2"]
    run = subprocess.run([command, *arguments], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr


def test_the_extra_asks_for_the_torch_that_the_wheel_is_built_with():
    built = re.search(r"^torch_version=(.*)$", (SOURCE / "tools" / "bootstrap.sh").read_text(), re.M)
    asked = [line for line in importlib.metadata.requires("continuo") or [] if line.startswith("torch==")]
    assert built and len(asked) == 1
    assert built[1].startswith(re.match(r"torch==([0-9.]+\.)\*", asked[0])[1])


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
    for binary in [*binaries, *filter(Path.exists, [PROGRAM.TRAINER])]:
        linked = subprocess.run(["ldd", binary], capture_output=True, text=True).stdout
        missing = {line.split()[0] for line in linked.splitlines() if "not found" in line}
        assert missing == ({"libtorch.so", "libtorch_cpu.so", "libc10.so"} if binary == PROGRAM.TRAINER else set())
        assert not any(name in linked for name in ("libmpi", "libnccl", "libcudart"))
        for line in linked.splitlines():
            if any(name in line for name in ("fmt", "hwy", "sqlite", "microhttpd", "sentencepiece")):
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


def test_a_missing_file_has_the_errno_of_one(tmp_path):
    with pytest.raises(FileNotFoundError, match="none.mid") as caught:
        ct.Score.read(tmp_path / "none.mid")
    assert caught.value.errno == errno.ENOENT
