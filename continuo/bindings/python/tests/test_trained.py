"""Trained vocabularies. tools/make_trained_golden.py has MidiTok write the ids to compare with."""

from __future__ import annotations

import copy
import json
import pickle

import numpy as np
import pytest
from conftest import SOURCE, equal, peer

import continuo as ct

TOKENS = SOURCE / "testdata" / "tokens"
GOLDEN = {release: json.loads((TOKENS / "trained" / f"ids-{release}.json").read_text()) for release in ("3.0.4", "3.1.0")}
CASES = [(name, release) for release, names in GOLDEN.items() for name in names]


def load(name: str, release: str) -> ct.Tokenizer:
    return ct.Tokenizer.from_file(TOKENS / "trained" / f"{name}-{release}.json")


@pytest.fixture(scope="module")
def trained() -> ct.Tokenizer:
    return load("remi_bar", "3.1.0")


@pytest.mark.parametrize(("name", "release"), CASES)
def test_ids_are_those_of_miditok_and_decode_to_its_tokens(name, release):
    tok = load(name, release)
    assert tok.is_trained and tok.miditok == release and not tok.base.is_trained
    for file, expected in GOLDEN[release][name].items():
        path = TOKENS / "files" / f"{file}.mid"
        streams = tok.encode_tracks(path)
        assert equal(streams, [np.array(ids, np.int32) for ids in expected]), file
        # WordPiece has one unknown token, id 0, for a word that is too long, which loses it.
        if name == "wordpiece_no" and any(0 in ids for ids in expected):
            continue
        base = tok.base.encode_tracks(path)
        assert equal([tok.decode_token_ids(ids) for ids in streams], base), file
        assert tok.decode(streams) == tok.base.decode(base), file


@pytest.mark.parametrize("release", ["3.0.4", "3.1.0"])
@pytest.mark.parametrize("name", ["remi_bar", "tsd_beat", "midilike_no", "unigram_bar", "wordpiece_bar"])
def test_all_ways_to_encode_agree(name, release):
    tok = load(name, release)
    files = [TOKENS / "files" / f"{file}.mid" for file in GOLDEN[release][name]]
    expected = [tok.encode(file) for file in files]
    assert all(map(equal, tok.encode_files(files, threads=2), expected))
    assert all(equal(tok.encode(file.read_bytes()), ids) for file, ids in zip(files, expected))


@pytest.mark.parametrize("release", ["3.0.4", "3.1.0"])
@pytest.mark.parametrize("name", ["remi_bar", "midilike_no", "unigram_bar", "wordpiece_bar"])
def test_trained_tokenizers_pickle_compare_and_are_saved(name, release, tmp_path):
    tok = load(name, release)
    tok.save(tmp_path)
    for again in (pickle.loads(pickle.dumps(tok)), copy.deepcopy(tok), ct.Tokenizer(tmp_path / "tokenizer.json")):
        assert again == tok and hash(again) == hash(tok) and again.miditok == release
        assert again.vocab == tok.vocab and again.vocab_sha256 == tok.vocab_sha256
    assert tok != tok.base and tok.config == tok.base.config


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", ["remi_bar", "tsd_beat", "midilike_no", "unigram_no", "wordpiece_bar"])
def test_sizes_names_and_scores_are_those_of_miditok(name, tmp_path, prompt):
    miditok, symusic = peer("miditok"), peer("symusic")
    ours = load(name, "3.1.0")
    ours.save(tmp_path)
    theirs = getattr(miditok, ours.representation)(params=tmp_path / "tokenizer.json")
    # With Unigram, MidiTok adds names of its own to the tokens.
    assert len(ours) == len(theirs) and ours.base.vocab.items() <= theirs.vocab.items()
    # Unigram has special tokens twice: under their names, which are the ids that count, and as
    # bytes.
    for token, number in list(ours.base.vocab.items())[0 if "unigram" not in name else 4 :]:
        assert theirs.vocab_model[theirs._vocab_base_id_to_byte[number]] == ours[token]
    ids = ours.encode(prompt)
    assert ids.tolist() == theirs(symusic.Score(str(prompt)))[0].ids
    merged = miditok.TokSequence(ids=ids.tolist(), are_ids_encoded=True)
    expected = ct.Score.from_symusic(theirs.decode([merged]))
    decoded = ours.decode(ids)
    assert [sorted(track.notes.tolist()) for track in decoded.tracks] == [
        sorted(track.notes.tolist()) for track in expected.tracks
    ]


def test_ids_have_the_names_of_their_tokens(trained):
    assert len(trained) == len(trained.base) + 60 and len(list(trained)) == len(trained)
    kinds = set()
    for number in range(len(trained)):
        info = trained.info(number)
        kinds.add(info.type)
        assert info.id == number and info.name == trained[number]
        assert "+".join(info.tokens) == info.name or (info.tokens == () and info.name == "+")
        assert info.begins_note == any(trained.base.info(token).begins_note for token in info.tokens)
        if len(info.tokens) == 1:
            token = trained.base.info(info.tokens[0])
            assert (info.type, info.value) == (token.type, token.value)
        else:
            assert (info.type, info.value) == ("Merged", None)
    assert {"Merged", "Pitch"} <= kinds
    for token in trained.base:
        assert trained[trained[token]] == token and trained.info(token).tokens == (token,)
    merged = next(name for name in trained if "_" in name and "+" in name)
    assert trained.info(merged).id == trained[merged] and merged in trained


def test_a_token_that_the_vocabulary_lacks_is_a_key_error():
    tok = load("remi_bar", "3.0.4")
    lacking = [token for token in tok.base if token not in tok]
    assert lacking  # releases before 3.1.0 leave tokens out that its files did not have
    with pytest.raises(KeyError):
        tok[lacking[0]]
    number = next(n for n in range(21, 108) if f"Pitch_{n}" in tok and f"Pitch_{n + 1}" in lacking)
    with pytest.raises(ct.InvalidError, match="leaves the trained vocabulary"):
        tok.transpose([tok[f"Pitch_{number}"]], 1)


def test_base_ids_become_trained_ones_and_back(trained, prompt):
    ids, base = trained.encode(prompt), trained.base.encode(prompt)
    assert len(ids) < len(base)
    assert equal(trained.decode_token_ids(ids), base)
    assert equal(trained.encode_token_ids(base), ids)
    plain = trained.base
    assert plain.base is plain and equal(plain.encode_token_ids(base), base) and equal(plain.decode_token_ids(base), base)


def test_bars_and_transposition_are_those_of_the_tokens(trained, prompt):
    ids, base = trained.encode(prompt), trained.base
    offsets = trained.bar_offsets(ids)
    assert len(offsets) == 8 and offsets[0] == 0
    for number, begin in enumerate(offsets):
        tokens = trained.decode_token_ids(ids[begin:])
        assert base[int(tokens[0])] == "Bar_None" and len(base.bar_offsets(tokens)) == 8 - number
    moved = trained.transpose(ids, 2)
    assert equal(trained.decode_token_ids(moved), base.transpose(base.encode(prompt), 2))
    with pytest.raises(ct.InvalidError, match="leaves the vocabulary"):
        trained.transpose(ids, 100)


@pytest.mark.parametrize("method", ["decode", "decode_token_ids", "bar_offsets"])
def test_ids_beyond_the_trained_vocabulary_are_refused(trained, method):
    size = len(trained)
    getattr(trained, method)([size - 1])
    with pytest.raises(ct.InvalidError, match=f"id {size} at place 1 .* 0 to {size - 1}"):
        getattr(trained, method)([4, size])
    base = len(trained.base)
    with pytest.raises(ct.InvalidError, match=f"0 to {base - 1}"):
        trained.encode_token_ids([base])
    with pytest.raises(IndexError, match=f"0 to {size - 1}"):
        trained[size]
    with pytest.raises(IndexError):
        trained.info(-1)


@pytest.mark.parametrize("name", ["remi_bar", "unigram_bar", "midilike_no"])
def test_a_corpus_holds_trained_ids(name, songs, tmp_path):
    tok = load(name, "3.1.0")
    corpus = ct.Corpus.build(songs[0].parent, tok, tmp_path / "corpus", valid_fraction=0)
    assert corpus.tokenizer == tok and ct.Corpus(tmp_path / "corpus").tokenizer == tok
    by_name = {song.name: song for song in corpus}
    for path in songs:
        assert equal(by_name[path.name].ids, tok.encode(path))
    item = corpus.dataset(64)[0]["input_ids"]
    assert item[0] == tok.bos_id == tok["BOS_None"]
    assert corpus.dataset(64).collator.pad_id == tok.pad_id
    again = pickle.loads(pickle.dumps(corpus.dataset(64)))
    assert again.corpus.tokenizer == tok and equal(again[0]["input_ids"], item)


def test_a_broken_trained_file_is_named(tmp_path, trained):
    file = json.loads(trained.to_json())
    file["_model"] = "{}"
    (tmp_path / "tokenizer.json").write_text(json.dumps(file))
    with pytest.raises(ct.InvalidError, match="tokenizer.json.*_model"):
        ct.Tokenizer.from_file(tmp_path)


def test_repr_says_that_it_is_trained(trained):
    assert repr(trained) == f"Tokenizer(REMI, MidiTok 3.1.0, {len(trained)} trained ids)"
