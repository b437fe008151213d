"""Measures of pieces and sets."""

from __future__ import annotations

import html
import json
import math
import subprocess
import sys

import numpy as np
import pytest
from conftest import peer

import continuo as ct


@pytest.fixture(scope="module")
def measured(songs):
    return ct.evaluate(songs[:6], bars=8)


def test_values_are_those_of_the_program(songs, measured):
    run = subprocess.run(
        [sys.executable, "-m", "continuo", "eval", "--bars", "8", "--json", *songs[:6]],
        check=True, stdout=subprocess.PIPE, text=True,
    )
    expected = json.loads(run.stdout)
    for row, file in zip(measured.to_dict(), expected["files"]):
        assert row["name"] == file["file"] and row["key"] == file["key"]
        for metric in measured.metrics:
            assert file[metric] is None and math.isnan(row[metric]) or row[metric] == file[metric]
    for metric, mean in expected["mean"].items():
        assert measured.mean[metric] == mean
        assert [measured.summary[metric][end] for end in ("low", "high")] == expected["ci95"][metric]


def test_a_set_has_a_row_for_each_piece(measured):
    assert measured.values.shape == (6, len(measured.metrics)) == (len(measured), len(measured.metrics))
    assert measured["H1"].tolist() == measured.values[:, measured.metrics.index("H1")].tolist()
    assert measured.mean["H1"] == pytest.approx(np.nanmean(measured["H1"]))
    assert measured.std["H1"] == pytest.approx(np.nanstd(measured["H1"], ddof=1))
    with pytest.raises(KeyError):
        measured["H9"]


def test_entropy_of_one_pitch_class_is_0_and_of_two_is_1():
    one = ct.Score(480, [ct.Track([(0, 480, 60, 90), (480, 480, 72, 90)])])
    two = ct.Score(480, [ct.Track([(0, 480, 60, 90), (480, 480, 61, 90)])])
    assert ct.evaluate([one, two])["H1"].tolist() == [0.0, 1.0]


def test_all_kinds_of_music_are_measured(model, prompt):
    (piece,) = model.generate(bars=2)
    results = ct.evaluate([prompt, prompt.read_bytes(), ct.Score.read(prompt), piece])
    assert results.names == [str(prompt), "piece 2", "piece 3", "piece 4"]
    assert results["notes"][0] == results["notes"][1] == results["notes"][2] == 105
    assert results["bars"][3] == 2
    assert ct.evaluate(prompt.read_bytes()).names == ["piece 1"]
    assert ct.evaluate(piece.score)["bars"].tolist() == [2.0]


def test_folders_are_searched(songs, tmp_path):
    assert len(ct.evaluate(songs[0].parent, bars=4, si=False)) == len(songs)
    with pytest.raises(FileNotFoundError, match="no MIDI files"):
        ct.evaluate(tmp_path)


def test_a_file_that_cannot_be_read_is_left_out_and_listed(prompt, tmp_path):
    (tmp_path / "bad.mid").write_bytes(b"bad")
    results = ct.evaluate([tmp_path / "bad.mid", prompt, tmp_path / "none.mid"])
    assert results.names == [str(prompt)] and len(results.failures) == 2
    assert "bad.mid" in results.failures[0] and "none.mid" in results.failures[1]
    for text in (str(results), html.unescape(results._repr_html_())):
        assert "2 could not be measured:" in text and all(failure in text for failure in results.failures)
    many = ct.evaluate([f"none-{i}.mid" for i in range(8)])
    assert "none-4.mid" in str(many) and "none-5.mid" not in str(many) and "and 3 more" in str(many)
    assert "measured" not in str(ct.evaluate(prompt))


def test_si_is_left_out_on_demand(prompt):
    assert math.isnan(ct.evaluate(prompt, si=False)["SI_short"][0])
    assert not math.isnan(ct.evaluate(prompt, si=True)["SI_short"][0])


def test_the_shipped_reference_is_shown(prompt, tmp_path):
    results = ct.evaluate(prompt, reference="pop1k7")
    assert results.describe()["H1"]["reference"] == results.reference["mean"]["H1"] == pytest.approx(1.9157, abs=1e-4)
    assert "Pop1K7" in str(results) and "Pop1K7" in results._repr_html_()
    mine = tmp_path / "mine.json"
    mine.write_text(json.dumps({"mean": {"H1": 1.0}, "std": {}}))
    assert ct.evaluate(prompt, reference=mine).describe()["H1"]["reference"] == 1.0


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"bars": -1}, ct.InvalidError, "bars is -1"),
        ({"threads": -1}, ct.InvalidError, "threads is -1"),
        ({"threads": 1.5}, ct.InvalidError, "threads is 1.5"),
        ({"progress": 5}, TypeError, "progress is 5"),
        ({"si": "maybe"}, ct.InvalidError, "si is 'maybe'"),
        ({"reference": "none"}, FileNotFoundError, "none"),
    ],
)
def test_wrong_arguments_are_named(prompt, arguments, error, message):
    with pytest.raises(error, match=message):
        ct.evaluate(prompt, **arguments)


@pytest.mark.parametrize("text", ["no json", "[]", '{"mean": 3}'])
def test_a_reference_that_is_none_is_named(prompt, tmp_path, text):
    (tmp_path / "r.json").write_text(text)
    with pytest.raises(ct.InvalidError, match="r.json"):
        ct.evaluate(prompt, reference=tmp_path / "r.json")


def test_copies_are_found(songs, prompt):
    results = ct.evaluate([songs[2], prompt], copied_from=songs[:4], si=False)
    copied, other = results.copies
    assert copied.song == str(songs[2]) and (copied.bar, copied.song_bar) == (0, 0)
    assert copied.notes > 0.9 * results["notes"][0] > other.notes


def test_distances_of_a_set_from_itself_are_small(songs):
    distances = ct.evaluate(songs[:8], against=songs[:8], si=False).distances
    far = ct.evaluate(songs[:8], against=songs[8:16], si=False).distances
    assert {each.feature for each in distances} == {each.feature for each in far}
    assert np.mean([each.overlap for each in distances]) > np.mean([each.overlap for each in far])


def test_a_classifier_tells_songs_from_shuffled_ones_and_not_from_themselves(songs):
    rng = np.random.default_rng(0)

    def shuffled(path):
        score = ct.Score.read(path)
        notes = score.tracks[0].notes.copy()
        notes["pitch"] = rng.permutation(notes["pitch"])
        return score.replace(tracks=[ct.Track(notes)])

    result = ct.evaluate(list(map(shuffled, songs)), against=songs, si=False).two_sample
    assert result.pieces == len(songs) and result.forest.value > 0.9
    assert result.forest.low <= result.forest.value <= result.forest.high
    assert len(result.differences) > 100 and isinstance(result.differences[0][0], str)
    assert ct.evaluate(songs[:4], against=songs, si=False).two_sample is None
    with pytest.raises(ct.InvalidError, match="against_tokens"):
        ct.evaluate(songs, against_tokens="remi")


def test_the_reference_can_go_through_tokens(songs, remi):
    back = [remi.decode(remi.encode(song)) for song in songs[:10]]
    plain = ct.evaluate(back, against=songs[:10], si=False)
    through = ct.evaluate(back, against=songs[:10], against_tokens=remi, si=False)
    assert [row.divergence for row in through.distances] != [row.divergence for row in plain.distances]
    assert all(mean == other for _, mean, other, _ in through.two_sample.differences)


def test_pandas_gets_a_row_for_each_piece(measured):
    peer("pandas")
    frame = measured.to_pandas()
    assert frame.shape == (6, len(measured.metrics) + 1)
    assert frame["H1"].mean() == pytest.approx(measured.mean["H1"])


def test_the_result_does_not_depend_on_the_threads(songs, measured):
    again = ct.evaluate(songs[:6], bars=8, threads=2)
    assert np.array_equal(again.values, measured.values, equal_nan=True)
