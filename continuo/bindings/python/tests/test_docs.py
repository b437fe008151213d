"""The code of docs/python.md runs as it stands there."""

from __future__ import annotations

import re
import shutil

import numpy as np
import pytest
from conftest import peer

import continuo as ct

pytestmark = pytest.mark.filterwarnings("ignore")


def test_the_blocks_of_the_guide_run_one_after_the_other(source, songs, prompt, tmp_path, monkeypatch, capsys):
    pandas, torch, transformers = peer("pandas"), peer("torch"), peer("transformers")
    peer("accelerate")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my-midi").mkdir()
    for number in range(4):  # the few songs, in enough bars for a validation song
        for song in songs:
            score = ct.Score.read(song)
            lower = [ct.Track(_lower(track.notes, number), program=0) for track in score.tracks]
            score.replace(tracks=lower).write(tmp_path / "my-midi" / f"{song.stem}-{number}.mid")
    shutil.copy(prompt, "song.mid")
    ct.Model(threads=1).generate(bars=16)[0].write("mine.mid")
    shutil.copy(source / "testdata" / "tokens" / "trained" / "remi_bar-3.1.0.json", "tokenizer.json")
    names = {
        "paths": sorted((tmp_path / "my-midi").glob("*.mid")),
        "torch": torch,
        "transformers": transformers,
        "gpt2": transformers.GPT2LMHeadModel(transformers.GPT2Config(vocab_size=316, n_embd=32, n_layer=1, n_head=2)),
        "arguments": transformers.TrainingArguments("out/trainer", report_to=[], max_steps=1, use_cpu=True),
    }
    blocks = re.findall(r"^```python\n(.*?)^```$", (source / "docs" / "python.md").read_text(), re.DOTALL | re.MULTILINE)
    assert len(blocks) == 4
    for number, block in enumerate(blocks):
        exec(compile(block, f"docs/python.md, block {number + 1}", "exec"), names)  # noqa: S102
        if number == 0:
            assert "[" in capsys.readouterr().out  # the pitches of the bars
            assert isinstance(ct.evaluate(names["paths"], bars=32, reference="pop1k7").to_pandas(), pandas.DataFrame)
        elif number == 2:
            batch = next(iter(names["loader"]))
            assert batch["input_ids"].shape[1] <= 512 and batch["labels"].shape == batch["input_ids"].shape
            names["trainer"].train()
    assert (tmp_path / "3.mid").exists() and (tmp_path / "out.mid").exists()
    assert len(names["tok"].base) < len(names["tok"])


def _lower(notes: np.ndarray, steps: int) -> np.ndarray:
    notes = notes.copy()
    notes["pitch"] -= steps
    return notes
