"""The evaluation counts what it says it counts, and names the line of what it cannot use."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from asr.evaluate import Item, Outcome, recognise
from asr.evaluate.__main__ import main
from asr.evaluate.items import SpeechFolderError, listed_recordings
from asr.evaluate.measure import (
    Judged,
    calibration_error,
    reliability,
    speech_onset_seconds,
    stream_octets,
)
from asr.evaluate.summary import report, table
from asr.wer import WordErrors, right_words, word_errors
from tests.unit.asr.fakes import FakeEngine

_words = st.lists(st.sampled_from(["de", "het", "premie", "dak"]), max_size=7)


@pytest.mark.parametrize(
    ("said", "heard", "expected"),
    [
        ("de premie voor", "de premie voor", [True, True, True]),
        ("de premie voor", "de brand voor", [True, False, True]),
        ("de premie", "de de premie", [False, True, True]),
        ("de premie voor het dak", "het dak", [True, True]),
        ("", "de premie", [False, False]),
        ("de premie", "", []),
    ],
)
def test_each_word_heard_is_right_or_not(said: str, heard: str, expected: list[bool]) -> None:
    """
    As counted by hand; of two readings of a stutter the last counts.
    """
    assert expected == right_words(said.split(), heard.split())


@given(_words, _words)
def test_right_words_agree_with_the_error_count(said: list[str], heard: list[str]) -> None:
    """
    Words heard are right, substituted or inserted: there is no fourth kind.
    """
    errors = word_errors(" ".join(said), " ".join(heard))
    right = sum(right_words(said, heard))

    assert len(said) - errors.errors <= right
    assert max(len(said), len(heard)) - right <= errors.errors + errors.insertions


def test_what_is_still_to_be_said_is_no_error() -> None:
    """
    The beginning of a sentence is judged as a beginning.
    """
    said = ["ik", "wil", "de", "premie", "voor", "het", "dak"]

    assert [True, True, False] == right_words(said, ["ik", "wil", "het"], unfinished=True)


def test_calibration_error_by_hand() -> None:
    """
    Ten words at 0.8 of which six are right: 0.2 off; sure and right: nothing off.
    """
    words = [Judged(0.8, float(index < 6)) for index in range(10)]

    assert 0.2 == pytest.approx(calibration_error(words))
    assert 1 == len(reliability(words))
    assert [0.8, 0.6, 10] == pytest.approx(reliability(words)[0])
    assert 0.1 == pytest.approx(calibration_error([*words, *[Judged(1.0, 1.0)] * 10]))
    assert calibration_error([]) is None


def test_speech_begins_where_it_is_heard() -> None:
    """
    Neither a constant offset nor the line's noise before it is speech.
    """
    noise = np.random.default_rng(2).normal(0, 30, 16000)
    noise[4000:] += np.resize([4000, -4000], 12000)
    pcm = (noise + 3000).astype(np.int16)

    assert 0.5 == pytest.approx(speech_onset_seconds(pcm), abs=0.011)
    assert 0.0 == speech_onset_seconds(np.zeros(0, np.int16))


def spoken(seconds: float) -> np.ndarray[tuple[int], np.dtype[np.int16]]:
    """Sound for the fake engine, which hears a word in each 200 ms of it."""
    return np.resize(np.array([4000, -4000], np.int16), round(8000 * seconds))


def test_waits_and_confidences_of_one_utterance() -> None:
    """
    A caller of the fake engine: one word of four is wrong, the first partial comes after 200 ms.
    """
    engine = FakeEngine("ik heb een vraag", confidence=0.75)
    quiet = np.zeros(4000, np.int16)

    outcome = recognise(engine, Item("ik had een vraag", "c", "s", np.append(quiet, spoken(0.8))))

    assert WordErrors(1, 0, 0, 4) == outcome.errors
    assert 0.75 == outcome.right_share
    assert [1.0, 0.0, 1.0, 1.0] == [word.right for word in outcome.words]
    assert 0.2 == pytest.approx(outcome.first_partial_seconds, abs=0.05)
    assert 0.0 <= outcome.final_seconds < 0.5
    assert 0.0 == calibration_error(outcome.words)
    assert stream_octets(engine, spoken(1.0)) >= 0


def outcomes() -> list[Outcome]:
    """Two speakers, of whom the second is not understood, and a foreigner."""
    one = recognise(FakeEngine(), Item("ik heb een vraag", "people", "an", spoken(1.0)))
    two = replace(
        one, item=replace(one.item, speaker="bo"), heard="", errors=WordErrors(0, 4, 0, 4)
    )
    foreign = replace(
        one, item=Item("", "other languages", "fr", spoken(1.0)), errors=WordErrors(0, 0, 4, 0)
    )
    return [one, two, foreign]


def test_rows_tell_speakers_and_conditions_apart() -> None:
    """
    Errors by kind, intervals, and no rate where no Dutch was said.
    """
    rows = {(row["condition"], row["speaker"]): row for row in report(outcomes(), by_speaker=True)}

    assert 0.5 == rows["people", "all"]["wer"]
    assert (0, 4, 0) == tuple(
        rows["people", "bo"][kind] for kind in ("substitutions", "deletions", "insertions")
    )
    assert rows["people", "all"]["wer_low"] <= 0.5 <= rows["people", "all"]["wer_high"]
    assert rows["other languages", "all"]["wer"] is None
    assert 1.0 == rows["other languages", "fr"]["sure_share"]


def test_table_has_a_line_for_each_row() -> None:
    """
    Engines stand beside each other under the same condition.
    """
    rows = [
        {**row, "model": model, "model_octets": 2**27, "stream_octets": 2**20}
        for model in ("a@1", "b@2")
        for row in report(outcomes(), by_speaker=False)
    ]

    lines = table(rows).splitlines()

    assert 1 + len(rows) == len(lines)
    assert ["a@1", "b@2", "a@1", "b@2"] == [line.split()[0] for line in lines[1:]]
    assert "50.0 % (" in table(rows)
    assert "128/1.0" in lines[1]


def _listing(folder: Path, *lines: str) -> Path:
    (folder / "utterances.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


def test_listing_and_pairs_are_read(tmp_path: Path) -> None:
    """
    Columns that are not needed may lack; of pairs the subfolder is the speaker.
    """
    pairs = tmp_path / "pairs" / "an"
    pairs.mkdir(parents=True)
    soundfile.write(pairs / "a.wav", np.zeros(8000), 8000)
    (pairs / "a.txt").write_text("Ik heb 2 vragen!\n", encoding="utf-8")
    listed = _listing(tmp_path, "file\ttext\tspeaker", "pairs/an/a.wav\tIk heb 2 vragen!\tbo")

    (of_list,) = listed_recordings(listed, "dev")
    (of_pairs,) = listed_recordings(tmp_path / "pairs")

    assert "ik heb twee vragen" == of_list.text == of_pairs.text
    assert ("bo", "an") == (of_list.speaker, of_pairs.speaker)
    assert (8000,) == of_list.item().pcm.shape


def test_half_of_a_pair_is_listed_with_what_it_lacks(tmp_path: Path) -> None:
    """
    A text without recording, a recording without text, and a second recording of one text.
    """
    for name in ("a.WAV", "a.flac", "no_text.wav"):
        soundfile.write(tmp_path / name, np.zeros(8000), 8000)
    for name in ("a", "c"):
        (tmp_path / f"{name}.txt").write_text("ja", encoding="utf-8")

    listed = listed_recordings(tmp_path)

    assert ["a.WAV"] == [recording.path.name for recording in listed if not recording.problem]
    for recording, words in zip(
        (recording for recording in listed if recording.problem),
        (
            r"a\.flac: a\.txt is the text of a\.WAV",
            r"c\.txt: .*no recording",
            r"no_text\.wav: .*no text",
        ),
        strict=True,
    ):
        with pytest.raises(SpeechFolderError, match=words):
            recording.item()


def test_recordings_left_out_are_named_counted_and_fail_the_run(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """
    Of a listing with one absent file: the line, the count in table and JSON, exit code 1.
    """
    soundfile.write(tmp_path / "a.wav", np.zeros(8000), 8000)
    speech = str(_listing(tmp_path, "file\ttext", "a.wav\tja", "zzz.wav\tnee"))

    assert 1 == main(["--speech", speech])
    shown = capfd.readouterr()
    assert 1 == main(["--speech", speech, "--json"])
    (row,) = map(json.loads, capfd.readouterr().out.splitlines())

    assert "left out: " in shown.err
    assert "utterances.tsv:3: " in shown.err
    assert "zzz.wav: there is no such file" in shown.err
    assert "not in these figures: recordings left out: 1, utterances failed: 0\n" in shown.out
    assert (1, 0, 1) == (row["utterances"], row["failures"], row["left_out"])


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (["name\ttext", "a.wav\tja"], r"utterances\.tsv:1: has no column 'file'"),
        (["file\ttext", "a.wav\tja", "b.wav\t"], r"utterances\.tsv:3: 'text' is empty"),
        (["file\ttext", "a.wav\tja", "b.wav"], r"utterances\.tsv:3: 'text' is empty"),
        (["file\ttext", "a.wav\t..."], r"utterances\.tsv:2: the text holds no words"),
        (
            ["file\ttext\tsplit", "a.wav\tja\ttrain"],
            r"no rows of split 'dev'; its splits are: trai",
        ),
    ],
)
def test_mistakes_in_a_listing_are_named_by_line(
    tmp_path: Path, lines: list[str], words: str
) -> None:
    """
    File, line, what is wrong and what to do.
    """
    with pytest.raises(SpeechFolderError, match=words):
        listed_recordings(_listing(tmp_path, *lines), "dev")


def test_recording_that_cannot_be_read_is_named_with_its_line(tmp_path: Path) -> None:
    """
    The listing's line and the recording.
    """
    (tmp_path / "a.wav").write_bytes(b"no audio")
    (recording,) = listed_recordings(_listing(tmp_path, "file\ttext", "a.wav\tja"))

    with pytest.raises(SpeechFolderError, match=r"utterances\.tsv:2: .*a\.wav: is not readable"):
        recording.item()


def test_folder_without_anything_says_what_it_should_hold(tmp_path: Path) -> None:
    """
    An absent folder is told from an empty one.
    """
    with pytest.raises(SpeechFolderError, match="there is no such folder"):
        listed_recordings(tmp_path / "none")
    with pytest.raises(SpeechFolderError, match=r"neither utterances\.tsv nor pairs"):
        listed_recordings(tmp_path)


@pytest.mark.parametrize("option", ["--callers", "--not-dutch"])
def test_number_below_zero_is_refused(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    """
    It would count from the end of all sentences, and run for hours.
    """
    with pytest.raises(SystemExit, match="2"):
        main([option, "-1"])

    assert f"{option}: -1 is below 0" in capsys.readouterr().err


def test_place_without_an_engine_is_told_once(capsys: pytest.CaptureFixture[str]) -> None:
    """
    A comma too many.
    """
    assert 2 == main(["--engines", "vosk,", "--callers", "1"])
    assert 1 == capsys.readouterr().err.count("--engines: has a place without an engine")
