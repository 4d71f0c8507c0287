"""What is told while a caller speaks: stable words, and confidences that mean something."""

from __future__ import annotations

from pathlib import Path

import pytest

from asr.confidence import UNKNOWN_WORD, Calibration, PartialCalibration
from asr.engines.partials import Guesses
from asr.errors import ModelDamagedError
from asr.recogniser import Word

UNCHANGED = PartialCalibration()


def test_words_take_times_and_confidences_from_the_lattice() -> None:
    """
    The newest word is not in the lattice yet: it ends now, as sure as newest words are.
    """
    guesses = Guesses(0.1, PartialCalibration(newest=0.4))
    lattice = [Word("ik", 0.1, 0.3, 0.9), Word("wil", 0.3, 0.6, 0.8)]

    partial = guesses.add([], ["ik", "wil", "een"], lattice, 0.9)

    assert "ik wil een" == partial.text
    assert [0.9, 0.8, 0.4] == pytest.approx([word.confidence for word in partial.words])
    assert [0.3, 0.6, 0.9] == [word.end_seconds for word in partial.words]
    assert 0.4 < partial.confidence < 0.9


def test_a_word_that_the_lattice_reads_otherwise_lies_between_its_neighbours() -> None:
    """
    The best path is believed, with no more confidence than a newest word has.
    """
    guesses = Guesses(0.1, PartialCalibration(newest=0.3))
    lattice = [
        Word("de", 0.0, 0.2, 0.9), Word("brand", 0.2, 0.6, 0.5), Word("voor", 0.6, 0.8, 0.9)
    ]  # fmt: skip

    partial = guesses.add([], ["de", "krant", "voor"], lattice, 1.0)

    assert (0.2, 0.6, 0.3) == (
        partial.words[1].start_seconds,
        partial.words[1].end_seconds,
        partial.words[1].confidence,
    )


def test_unknown_speech_is_not_told_and_lowers_the_confidence() -> None:
    """
    The mark for speech that is no known word reaches nobody.
    """
    lattice = [Word("premie", 0.0, 0.5, 0.9), Word(UNKNOWN_WORD, 0.5, 2.5, 0.9)]

    partial = Guesses(0.1, UNCHANGED).add([], ["premie", UNKNOWN_WORD], lattice, 2.6)

    assert ("premie", 1) == (partial.text, len(partial.words))
    assert partial.confidence < 0.4


@pytest.mark.parametrize(("interval", "needed"), [(0.1, 5), (0.2, 3), (1.0, 2)])
def test_words_are_stable_after_the_same_time_at_any_interval(interval: float, needed: int) -> None:
    """
    All guesses of 400 ms must agree; a word that changed begins anew.
    """
    guesses = Guesses(interval, UNCHANGED)
    for _ in range(needed - 1):
        assert "" == guesses.add([], ["ik", "wil"], [], 1.0).stable_text

    assert "ik wil" == guesses.add([], ["ik", "wil"], [], 1.0).stable_text
    assert "ik" == guesses.add([], ["ik", "wilde"], [], 1.0).stable_text
    assert ["ik"] == guesses.last_stable[0]


def test_a_new_utterance_remembers_nothing() -> None:
    """
    What one caller said is stable for nobody else.
    """
    guesses = Guesses(1.0, UNCHANGED)
    for _ in range(3):
        guesses.add([], ["ja"], [], 1.0)
    guesses.forget()

    assert ([], 0.0) == guesses.last_stable
    assert "" == guesses.add([], ["ja"], [], 1.0).stable_text


def test_calibration_is_kept_with_its_part_for_partials(tmp_path: Path) -> None:
    """
    What is written is read again; a number that is none is damage.
    """
    path = tmp_path / "confidence.json"
    calibration = Calibration(1.0, 0.5, -2.0, PartialCalibration(-0.8, 1.1, 0.5), 0.04)
    calibration.save(path)

    assert calibration == Calibration.load(path)
    for wrong in ("NaN", "true", '"1"', "null", "1e999"):
        partial = '{"bias": ' + wrong + "}"
        path.write_text(
            '{"bias": 1, "confidence": 1, "cost_per_letter": -1, "partial": ' + partial + "}",
            encoding="utf-8",
        )
        with pytest.raises(ModelDamagedError, match="is no calibration"):
            Calibration.load(path)


def test_calibrated_confidences_stay_within_bounds() -> None:
    """
    Whatever the numbers in a model's file: 0..1, and nothing overflows.
    """
    for bias in (-1e9, 0.0, 1e9):
        assert 0.0 <= PartialCalibration(bias, 1.0, 0.5).apply(0.5) <= 1.0
        assert 0.0 <= Calibration(bias, 1.0, -1e9).apply(0.5, 3.0) <= 1.0
