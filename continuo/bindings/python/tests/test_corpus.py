"""Corpora and data sets."""

from __future__ import annotations

import copy
import multiprocessing
import pickle

import numpy as np
import pytest
from conftest import equal, peer

import continuo as ct


def test_a_corpus_holds_the_ids_of_its_songs(corpus, songs, remi):
    assert len(corpus) == len(songs) == corpus.report.files
    by_name = {song.name: song for song in corpus}
    for path in songs:
        assert equal(by_name[path.name].ids, remi.encode(path))
        assert equal(by_name[path.name].bar_offsets, remi.bar_offsets(remi.encode(path)))
    assert corpus.tokenizer == ct.Tokenizer.from_file(corpus.directory)
    assert corpus.report.train_tokens == sum(len(song.ids) for song in corpus if song.split == "train")


def test_songs_are_views_of_the_mapped_file(corpus):
    song = corpus[0]
    assert song.ids.dtype == np.uint16 and not song.ids.flags.writeable and song.ids.base is not None
    assert corpus[-1].name == corpus[len(corpus) - 1].name
    assert [each.name for each in corpus[1:3]] == [corpus[1].name, corpus[2].name]
    with pytest.raises(IndexError):
        corpus[len(corpus)]


def test_arrays_outlive_the_corpus(corpus):
    ids = ct.Corpus(corpus.directory)[0].ids
    assert equal(ids, corpus[0].ids)


@pytest.mark.parametrize("length", [8, 64, 257, 1024, 100000])
@pytest.mark.parametrize("split", ["train", "valid"])
@pytest.mark.parametrize("frame", [True, False])
def test_windows_are_all_ids_once_and_fit(corpus, length, split, frame):
    dataset = corpus.dataset(length, split=split, frame=frame)
    joined = np.concatenate([item["input_ids"] for item in dataset])
    ends = ([1], [2]) if frame else ([], [])
    expected = [np.concatenate([ends[0], song.ids, ends[1]]) for song in corpus if song.split == split]
    assert np.array_equal(joined, np.concatenate(expected))
    assert max(len(item["input_ids"]) for item in dataset) <= length


def test_windows_begin_on_bars(corpus):
    bar = corpus.tokenizer["Bar_None"]
    starts = [item["input_ids"][0] for item in corpus.dataset(512, frame=False)]
    assert set(starts) == {bar}


def test_windows_inside_a_song_are_views(corpus):
    items = [item["input_ids"] for item in corpus.dataset(128, frame=False)]
    assert all(not item.flags.owndata and not item.flags.writeable for item in items)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [({"length": 2}, "length is 2"), ({"length": 9.5}, "length is 9.5"), ({"split": "test"}, "split is 'test'")],
)
def test_wrong_arguments_are_named(corpus, arguments, message):
    with pytest.raises(ct.InvalidError, match=message):
        corpus.dataset(**arguments)


def test_directories_that_are_none_are_named(tmp_path, songs, corpus):
    for missing in (tmp_path / "none", tmp_path / ("x" * 5000)):
        with pytest.raises(FileNotFoundError, match="does not exist, expected a corpus directory"):
            ct.Corpus(missing)
    with pytest.raises(FileNotFoundError, match="none: cannot list the folder"):
        ct.Corpus.build(tmp_path / "none", "remi", tmp_path / "c")
    with pytest.raises(ct.InvalidError, match="threads is -1"):
        ct.Corpus.build(songs[0].parent, "remi", tmp_path / "c", threads=-1)
    with pytest.raises(ct.InvalidError, match="valid_fraction"):
        ct.Corpus.build(songs[0].parent, "remi", tmp_path / "c", valid_fraction=2)
    with pytest.raises(ct.Error):
        ct.Corpus.build(tmp_path, "remi", tmp_path / "c")
    damaged = tmp_path / "damaged"
    damaged.mkdir()
    for file in corpus.directory.iterdir():
        (damaged / file.name).write_bytes(file.read_bytes()[:-2])
    with pytest.raises(ct.Error, match="damaged"):
        ct.Corpus(damaged)


def test_failures_are_reported(tmp_path, prompt):
    folder = tmp_path / "songs"
    folder.mkdir()
    (folder / "good.mid").write_bytes(prompt.read_bytes())
    (folder / "bad.mid").write_bytes(b"bad")
    report = ct.Corpus.build(folder, "midilike", tmp_path / "c", valid_fraction=0).report
    assert report.songs == 1 and report.failures[0][0] == "bad.mid"


def test_corpora_and_datasets_pickle(corpus):
    dataset = corpus.dataset(128)
    again = pickle.loads(pickle.dumps(dataset))
    assert len(again) == len(dataset) and equal(again[3]["input_ids"], dataset[3]["input_ids"])


def _sum(dataset):
    return sum(int(item["input_ids"].sum()) for item in dataset)


@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_other_processes_read_the_same(corpus, method):
    dataset = corpus.dataset(128)
    with multiprocessing.get_context(method).Pool(1) as pool:
        assert pool.apply(_sum, (dataset,)) == _sum(dataset)


def test_batches_are_padded_and_labelled(corpus):
    dataset = corpus.dataset(64)
    collator = ct.Collator(0, tensors="np")
    items = [dataset[i] for i in range(8)]
    batch = collator(items)
    for i, item in enumerate(items):
        size = len(item["input_ids"])
        assert equal(batch["input_ids"][i, :size], item["input_ids"]) and equal(batch["labels"][i, :size], item["input_ids"])
        assert batch["attention_mask"][i].sum() == size
        assert set(batch["labels"][i, size:].tolist()) <= {-100}
    assert batch["input_ids"].dtype == np.int64
    assert ct.Collator(9, pad_to=70, tensors="np")(items)["input_ids"].shape == (8, 70)
    with pytest.raises(ct.InvalidError, match="pad_to"):
        ct.Collator(0, pad_to=2, tensors="np")(items)
    with pytest.raises(ct.InvalidError, match="tensors"):
        ct.Collator(0, tensors="tf")


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("workers", [0, 2])
def test_a_data_loader_gives_all_ids(corpus, workers):
    data = peer("torch.utils.data")
    dataset = corpus.dataset(128)
    loader = data.DataLoader(dataset, batch_size=16, num_workers=workers, collate_fn=dataset.collator)
    total = sum(int((batch["input_ids"] * batch["attention_mask"]).sum()) for batch in loader)
    assert total == _sum(dataset)


@pytest.mark.filterwarnings("ignore")
def test_batches_pickle_without_loss(corpus):
    torch = peer("torch")
    dataset = corpus.dataset(64)
    batch = dataset.collator([dataset[i] for i in range(4)])
    edges = [0, 127, 128, -129, 2**15, 2**31, -(2**63), 2**63 - 1]
    batch |= {str(edge): torch.tensor([[0, edge]]) for edge in edges}
    batch |= {
        "none": torch.zeros((0, 3), dtype=torch.int64),
        "transposed": torch.arange(6).reshape(2, 3).T,
        "half": torch.ones(2, dtype=torch.bfloat16),
        "floats": torch.tensor([0.5, float("nan")]),
        "weight": torch.ones(2, requires_grad=True),
        "text": "a",
    }
    for again in (pickle.loads(pickle.dumps(batch)), copy.deepcopy(batch)):
        assert again.keys() == batch.keys() and again["text"] == "a" and again["weight"].requires_grad
        for name, value in batch.items():
            if name != "text":
                assert again[name].dtype == value.dtype and again[name].shape == value.shape
                assert torch.equal(again[name].nan_to_num(7), value.nan_to_num(7)), name
        again["input_ids"][0, 0] = 5  # may be written to


@pytest.mark.filterwarnings("ignore")
def test_transformers_trains_on_a_corpus_and_the_result_is_a_model(corpus, tmp_path):
    torch, transformers = peer("torch"), peer("transformers")
    torch.manual_seed(0)
    dataset = corpus.dataset(128)
    config = transformers.GPT2Config(vocab_size=len(corpus.tokenizer), n_positions=128, n_embd=32, n_layer=1, n_head=2)
    arguments = transformers.TrainingArguments(
        output_dir=str(tmp_path / "run"), max_steps=8, per_device_train_batch_size=4, learning_rate=1e-2, report_to=[],
        use_cpu=True, save_strategy="no", logging_steps=1, disable_tqdm=True,
    )
    net = transformers.GPT2LMHeadModel(config)
    trainer = transformers.Trainer(model=net, args=arguments, train_dataset=dataset, data_collator=dataset.collator)
    trainer.train()
    losses = [row["loss"] for row in trainer.state.log_history if "loss" in row]
    assert losses[-1] < losses[0]
    net.save_pretrained(tmp_path / "model")
    corpus.tokenizer.save(tmp_path / "model")
    assert ct.Model(tmp_path / "model").generate(bars=1)[0].score.bars == 1
