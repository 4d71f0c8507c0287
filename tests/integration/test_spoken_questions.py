"""From our own questions to what the embedded recogniser makes of them."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from asr.engines import load_engine
from asr.recogniser import Alternative, Transcript
from intent.dataset import Row
from intent.heard import load_heard
from ivr.learning.spoken_questions import Spoken, in_order, listen, main, write

NEEDS_ESPEAK = pytest.mark.skipif(
    shutil.which("espeak-ng") is None, reason="install espeak-ng: it speaks for the callers"
)


def row(text: str, thema: str = "energie", language: str = "nl") -> Row:
    return Row(text=text, thema=thema, family=text, language=language)


def spoken(text: str, heard: str, *others: str) -> Spoken:
    alternatives = tuple(Alternative(other, 0.3) for other in others)
    return Spoken(row(text), Transcript(heard, 0.6, (), alternatives, "vosk", "test"))


def test_any_beginning_holds_every_label() -> None:
    """
    A run that stops early has heard all labels, foreign speech among them.
    """
    rows = [
        *(row(f"meter {n}") for n in range(40)),
        *(row(f"school {n}", "onderwijs") for n in range(40)),
        *(row(f"hello {n}", "andere-taal", "en") for n in range(9)),
        row("rhubarb", "andere-taal", "und"),
    ]

    ordered = in_order(rows)

    begun = [r.thema for r in ordered[:20]]
    assert {"energie", "onderwijs", "andere-taal"} == set(begun)
    assert abs(begun.count("energie") - begun.count("onderwijs")) <= 1
    assert len(rows) - 1 == len(ordered)
    assert ordered == in_order(list(reversed(rows)))


def test_file_keeps_transcript_and_one_other_reading(tmp_path: Path) -> None:
    """
    What is written is what training reads; a reading that says the same is left out.
    """
    file = tmp_path / "heard.tsv"
    heard = [spoken("mijn meter", "mijn meten", "mijn meten", "mijn eten", "min eten")]

    lines = write(iter(heard), file, lambda _done: True)

    assert 2 == lines
    assert [("mijn", "eten"), ("mijn", "meten")] == [
        reading.words for reading in load_heard(file)["mijn meter"]
    ]
    assert [file] == list(tmp_path.iterdir())


def test_stopping_keeps_what_was_heard(tmp_path: Path) -> None:
    """
    The time is up after the second question: two are written, the third is not asked for.
    """
    asked: list[str] = []

    def calls() -> Iterator[Spoken]:
        for text in ("een", "twee", "drie"):
            asked.append(text)
            yield spoken(text, text)

    write(calls(), tmp_path / "heard.tsv", lambda done: done < 2)

    assert ["een", "twee"] == asked
    assert {"een", "twee"} == set(load_heard(tmp_path / "heard.tsv"))


@NEEDS_ESPEAK
def test_recogniser_hears_a_caller_and_doubts_a_foreigner() -> None:
    """
    The real way: a Dutch question is mostly understood, Polish gets less confidence.
    """
    engine = load_engine()
    questions = [
        row("ik heb een vraag over mijn rijbewijs"),
        row("dzień dobry czy ktoś mówi po polsku", "andere-taal", "pl"),
    ]

    dutch, polish = listen(engine, questions, voices=("",), seed=3)
    engine.close()

    assert "rijbewijs" in dutch.transcript.text
    assert polish.transcript.confidence < dutch.transcript.confidence


def test_missing_model_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """
    A wrong folder costs exit code 1 and a message, and leaves no file.
    """
    code = main(["--model", str(tmp_path / "none"), "--out", str(tmp_path / "heard.tsv")])

    assert 1 == code
    assert "none" in capsys.readouterr().err
    assert [] == list(tmp_path.iterdir())
