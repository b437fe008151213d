"""Corpora: folders of MIDI files as ids on disk, and data sets of them to train on."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from continuo import _core
from continuo._errors import InvalidError
from continuo._files import Progress, StrPath, to_bytes_path, to_progress, whole
from continuo._tokenizer import Tokenizer


@dataclass(frozen=True, eq=False)
class Song:
    """One stream of ids of a corpus. The arrays lie in the mapped files; they are read-only."""

    name: str  # the file's path within the folder that the corpus was built from
    split: str  # "train" or "valid"
    ids: npt.NDArray[np.uint16] = field(repr=False)  # without BOS and EOS
    bar_offsets: npt.NDArray[np.uint32] = field(repr=False)  # index in ids of each bar's first id


@dataclass(frozen=True)
class CorpusReport:
    """What `Corpus.build` has read."""

    files: int
    songs: int  # files that gave ids
    duplicates: int  # songs whose content another file has too; kept once
    train_tokens: int
    valid_tokens: int
    failures: list[tuple[str, str]]  # a file, and why it was skipped


class Corpus(Sequence[Song]):
    """A corpus directory, as `continuo corpus build` writes it, mapped into memory.

    A sequence of songs. Raises NotFoundError, or InvalidError on a directory that is damaged. It
    pickles as its path: processes that get a copy share the mapped pages.
    """

    def __init__(self, directory: StrPath) -> None:
        #: The corpus directory.
        self.directory: Path = Path(directory)
        self._core = _core.Corpus.open(to_bytes_path(directory))
        #: The tokenizer whose ids these are.
        self.tokenizer: Tokenizer = Tokenizer.from_bytes(self._core.tokenizer_json)
        #: What `build` has read; None of a corpus that was there.
        self.report: CorpusReport | None = None

    @classmethod
    def build(
        cls,
        folder: StrPath,
        tokenizer: Tokenizer | str,
        output: StrPath,
        *,
        valid_fraction: float = 0.05,
        threads: int = 0,
        progress: Progress = False,
    ) -> Corpus:
        """Tokenizes the MIDI files of a folder into a corpus directory, which appears whole or not at all.

        A song's split depends on its content alone. Files that cannot be read are listed in
        `report`. Raises InvalidError if none gives ids.
        """
        if not 0.0 <= valid_fraction <= 1.0:
            raise InvalidError(f"valid_fraction is {valid_fraction}, expected 0 to 1")
        tok = tokenizer if isinstance(tokenizer, Tokenizer) else Tokenizer(tokenizer)
        report = _core.build_corpus(
            to_bytes_path(folder),
            tok._core,
            to_bytes_path(output),
            valid_fraction,
            whole("threads", threads, 0),
            to_progress(progress, "files"),
        )
        corpus = cls(output)
        corpus.report = CorpusReport(**report)
        return corpus

    def __len__(self) -> int:
        return self._core.song_count

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        number = index + len(self) if index < 0 else index
        if not 0 <= number < len(self):
            raise IndexError(f"song {index} of {len(self)}")
        name, valid, ids, bar_offsets = self._core.song(number)
        return Song(name, "valid" if valid else "train", ids, bar_offsets)

    def dataset(self, length: int = 1024, *, split: Literal["train", "valid"] = "train", frame: bool = True) -> Dataset:
        """The songs of a split in windows of at most `length` ids: see `Dataset`."""
        return Dataset(self, length, split=split, frame=frame)

    def __reduce__(self) -> tuple[type[Corpus], tuple[Path]]:
        return Corpus, (self.directory,)

    def __repr__(self) -> str:
        return f"Corpus({str(self.directory)!r}, {len(self)} songs, {self.tokenizer!r})"


class Dataset:
    """Windows of a corpus, for torch.utils.data.DataLoader and transformers' Trainer.

    Item i is {"input_ids": uint16 [at most `length`]}. Windows hold whole bars, as many as fit; a
    bar longer than a window is cut. Together they are all ids of the split, each once. With `frame`,
    a song's first window begins with BOS and its last ends with EOS. Except for these two, items are
    views of the mapped files. `Collator` makes batches of them.

    Pickles as the corpus's path, and may be used in forked workers.
    """

    def __init__(self, corpus: Corpus, length: int = 1024, *, split: Literal["train", "valid"] = "train", frame: bool = True) -> None:
        length = whole("length", length, 8)
        if split not in ("train", "valid"):
            raise InvalidError(f"split is {split!r}, expected 'train' or 'valid'")
        tok = corpus.tokenizer
        if frame and (tok.bos_id is None or tok.eos_id is None):
            raise InvalidError("the vocabulary has no BOS and EOS (dataset(..., frame=False) leaves them out)")
        self.corpus = corpus
        self.length = length
        self.split = split
        self.frame = frame
        self._songs: list[npt.NDArray[np.uint16]] = []
        bounds: list[tuple[int, int, int]] = []
        for song in corpus:
            if song.split == split:
                bounds += _windows(len(self._songs), len(song.ids), song.bar_offsets, length, 1 if frame else 0)
                self._songs.append(song.ids)
        self._bounds = bounds
        self._bos = np.array([tok.bos_id or 0], np.uint16)
        self._eos = np.array([tok.eos_id or 0], np.uint16)

    @property
    def collator(self) -> Collator:
        """A Collator for this corpus's vocabulary."""
        return Collator(self.corpus.tokenizer.pad_id or 0)

    def __len__(self) -> int:
        return len(self._bounds)

    def __getitem__(self, index: int) -> dict[str, npt.NDArray[np.uint16]]:
        song, begin, end = self._bounds[index]
        all_ids = self._songs[song]
        ids = all_ids[begin:end]
        if self.frame:
            if begin == 0:
                ids = np.concatenate([self._bos, ids])
            if end == len(all_ids):
                ids = np.concatenate([ids, self._eos])
        return {"input_ids": ids}

    def __iter__(self) -> Iterator[dict[str, npt.NDArray[np.uint16]]]:
        return (self[i] for i in range(len(self)))

    def __reduce__(self) -> tuple[Any, ...]:
        return _dataset, (self.corpus, self.length, self.split, self.frame)


def _dataset(corpus: Corpus, length: int, split: Literal["train", "valid"], frame: bool) -> Dataset:
    return Dataset(corpus, length, split=split, frame=frame)


def _windows(
    song: int, size: int, bar_offsets: npt.NDArray[np.uint32], length: int, frame: int
) -> Iterator[tuple[int, int, int]]:
    """(song, begin, end) of each window; `frame` ids more stand at either end of the song."""
    begin = 0
    while begin < size:
        room = length - (frame if begin == 0 else 0)
        if size - begin + frame <= room:
            end = size
        else:
            # With EOS, the last window would be too long by one id.
            limit = min(begin + room, size - frame)
            bar = int(np.searchsorted(bar_offsets, limit, side="right")) - 1
            end = int(bar_offsets[bar]) if bar >= 0 else 0
            if end <= begin:
                end = limit
        yield song, begin, end
        begin = end


class Collator:
    """Makes a batch of items of a Dataset, for DataLoader's `collate_fn` and Trainer's `data_collator`.

    Returns input_ids, attention_mask and labels: int64 [items, longest], torch tensors, or NumPy
    arrays if `tensors` is "np". Padding has the id `pad_id`, the mask 0 and the label -100, which
    losses pass over. Labels are the ids themselves: Hugging Face's models shift them. `pad_to`
    pads every batch to this many ids.

    >>> batch = Collator(0, tensors="np")([{"input_ids": [4, 5, 6]}, {"input_ids": [7]}])
    >>> batch["labels"].tolist()
    [[4, 5, 6], [7, -100, -100]]
    """

    def __init__(self, pad_id: int = 0, *, pad_to: int | None = None, tensors: Literal["pt", "np"] = "pt") -> None:
        if tensors not in ("pt", "np"):
            raise InvalidError(f"tensors is {tensors!r}, expected 'pt' or 'np'")
        self.pad_id = pad_id
        self.pad_to = pad_to
        self.tensors = tensors

    def __call__(self, items: Sequence[Any]) -> dict[str, Any]:
        rows = [item["input_ids"] if isinstance(item, dict) else item for item in items]
        longest = max(map(len, rows), default=0)
        if self.pad_to is not None:
            if longest > self.pad_to:
                raise InvalidError(f"an item has {longest} ids, expected at most pad_to, {self.pad_to}")
            longest = self.pad_to
        shape = (len(rows), longest)
        ids = np.full(shape, self.pad_id, np.int64)
        mask = np.zeros(shape, np.int64)
        labels = np.full(shape, -100, np.int64)
        for i, row in enumerate(rows):
            size = len(row)
            ids[i, :size] = row
            mask[i, :size] = 1
            labels[i, :size] = row
        batch: dict[str, Any] = {"input_ids": ids, "attention_mask": mask, "labels": labels}
        if self.tensors == "pt":
            torch: Any = importlib.import_module("torch")
            return _Batch({name: torch.from_numpy(array) for name, array in batch.items()})
        return batch


class _Batch(dict[str, Any]):
    """A batch that a DataLoader's worker sends as bytes, in as few bits as hold its whole numbers.

    torch itself sends each tensor as shared memory, with a connection between the processes for
    each, which takes several times as long for tensors of this size.
    """

    def __reduce__(self) -> tuple[Any, ...]:
        torch: Any = importlib.import_module("torch")
        arrays, others = {}, {}
        for name, value in self.items():
            if type(value) is torch.Tensor and value.dtype == torch.int64 and value.device.type == "cpu":
                arrays[name] = _packed(value.numpy())
            else:
                others[name] = value
        return _batch_of, (arrays, others)


def _batch_of(arrays: dict[str, npt.NDArray[Any]], others: dict[str, Any]) -> _Batch:
    torch: Any = importlib.import_module("torch")
    return _Batch({name: torch.from_numpy(array.astype(np.int64)) for name, array in arrays.items()} | others)


def _packed(array: npt.NDArray[np.int64]) -> npt.NDArray[Any]:
    """The same values in the smallest type that holds them."""
    low, high = (int(array.min()), int(array.max())) if array.size else (0, 0)
    for kind in (np.int8, np.int16, np.int32):
        if np.iinfo(kind).min <= low and high <= np.iinfo(kind).max:
            return array.astype(kind)
    return array
