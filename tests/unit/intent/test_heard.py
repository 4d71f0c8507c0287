"""What a recogniser made of questions: read, aligned and counted."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from intent.augment import Augmenter
from intent.errors import TrainingDataError
from intent.heard import HEADER, HeardQuestion, confusions, errors, load_heard


def test_readings_are_kept_by_question(tmp_path: Path) -> None:
    """
    Several readings of one question stand together, normalised, in file order.
    """
    file = tmp_path / "heard.tsv"
    file.write_text(f"{HEADER}\nmijn Meter\tmijn meten\t0.50\nmijn meter\tmeter\t0.2\n")

    assert {
        "mijn meter": (HeardQuestion(("mijn", "meten"), 0.5), HeardQuestion(("meter",), 0.2))
    } == load_heard(file)


def test_without_the_file_nothing_was_heard(tmp_path: Path) -> None:
    """
    Training needs no recogniser.
    """
    assert {} == load_heard(tmp_path / "heard.tsv")


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ("text\theard\n", 1),
        ("", 1),
        (f"{HEADER}\nmeter\tmeten\n", 2),
        (f"{HEADER}\nmeter\tmeten\tzeker\n", 2),
        (f"{HEADER}\nmeter\tmeten\t1.5\n", 2),
        (f"{HEADER}\nmeter\tmeten\tnan\n", 2),
    ],
)
def test_broken_file_is_named(tmp_path: Path, content: str, line: int) -> None:
    """
    The message has the file, the line and how to make it again.
    """
    file = tmp_path / "heard.tsv"
    file.write_text(content)

    with pytest.raises(TrainingDataError, match=r"ivr\.learning\.spoken_questions") as raised:
        load_heard(file)

    assert (file, line) == (raised.value.file, raised.value.line)


@pytest.mark.parametrize(
    ("said", "heard", "found"),
    [
        ("ik zoek een school", "ik zoek een school", []),
        ("ik zoek een school", "ik zocht een stoel", [("zoek", "zocht"), ("school", "stoel")]),
        ("de studietoelage komt", "de studie toelage komt", [("studietoelage", "studie toelage")]),
        ("ik wil een premie", "ik een premie", [("wil", "")]),
        ("ik wil een premie", "euh ik wil een premie", []),
        ("a b c d e", "v w x y z", []),
    ],
)
def test_alignment_tells_what_became_of_words(
    said: str, heard: str, found: list[tuple[str, str]]
) -> None:
    """
    Replaced, cut and lost words are found; added words and lost sentences are nobody's error.
    """
    assert found == errors(said.split(), heard.split())


def test_what_was_heard_often_is_made_often() -> None:
    """
    The maker of variants repeats a recogniser's own errors, most frequent first.
    """
    heard = {
        f"mijn meter {number}": (HeardQuestion(("mijn", "meten", str(number)), 0.5),)
        for number in range(3)
    }
    counted = confusions(heard)

    augmenter = Augmenter({}, counted)
    made = [augmenter.corrupt("meter", 1.0, Random(seed)) for seed in range(60)]

    assert {"meter": (("meten", 3),)} == counted
    assert made.count("meten") > 10
