"""What every speech engine promises, on the fake and on the real thing alike."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from asr.audio_files import read_speech
from asr.engines import load_engine
from asr.errors import AsrError, ModelMissingError, RecogniserFailedError
from asr.recogniser import Engine, Recogniser
from asr.transcribe import transcribe_pcm
from tests.unit.asr.fakes import FakeEngine


def _make(name: str) -> Engine:
    if name == "fake":
        return FakeEngine()
    try:
        return load_engine(name)
    except ModelMissingError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module", params=["fake", "vosk"])
def engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    made = _make(request.param)
    yield made
    made.close()


def babble(seconds: float) -> NDArray[np.int16]:
    """Sound with the rhythm and the level of speech; nobody need understand it."""
    rng = np.random.default_rng(3)
    time = np.arange(int(seconds * 8000)) / 8000
    gate = (np.sin(2 * np.pi * 3 * time) > -0.3) * 4000.0
    tone = np.sin(2 * np.pi * 150 * time) + 0.5 * np.sin(2 * np.pi * 1200 * time)
    sound: NDArray[np.int16] = (gate * (tone + 0.2 * rng.normal(size=len(time)))).astype(np.int16)
    return sound


def _spoken(folder: Path) -> NDArray[np.int16]:
    """A sentence that the embedded model knows, by espeak-ng."""
    if shutil.which("espeak-ng") is None:
        pytest.skip("espeak-ng is not installed: apt-get install espeak-ng")
    wav = folder / "spoken.wav"
    sentence = "ik wil mijn rijbewijs verlengen"
    subprocess.run(
        ["espeak-ng", "-v", "nl", "-s", "140", "-w", str(wav), sentence], check=True, timeout=60
    )
    return read_speech(wav)


def test_engine_and_recogniser_fit_the_port(engine: Engine) -> None:
    """
    Both have every member that the port names.
    """
    recogniser = engine.open()
    recogniser.close()

    assert isinstance(engine, Engine)
    assert isinstance(recogniser, Recogniser)


def test_capabilities_are_those_of_dutch_telephony(engine: Engine) -> None:
    """
    The language is Dutch and the rate is a multiple of the telephone's.
    """
    capabilities = engine.capabilities

    assert "nl" == capabilities.language
    assert 0 == capabilities.sample_rate_hz % 8000


def test_nothing_heard_is_an_empty_text(engine: Engine) -> None:
    """
    No audio at all, and silence, both give an empty text with confidence 0.
    """
    for pcm in (np.zeros(0, np.int16), np.zeros(16000, np.int16)):
        transcript = transcribe_pcm(engine, pcm)

        assert ("", 0.0) == (transcript.text, transcript.confidence)
        assert () == transcript.words


@pytest.mark.parametrize("packet", [1, 37, 160, 4000, 16000])
def test_any_number_of_samples_may_come_at_once(engine: Engine, packet: int) -> None:
    """
    The packet size changes nothing in what is heard in the end.
    """
    pcm = babble(1.0)
    whole = engine.open()
    whole.accept(pcm)
    recogniser = engine.open()
    for start in range(0, len(pcm), packet):
        recogniser.accept(pcm[start : start + packet])

    assert whole.finish().text == recogniser.finish().text
    whole.close()
    recogniser.close()


def test_confidences_and_times_are_within_bounds(engine: Engine) -> None:
    """
    Confidences are 0..1, words are in order and within the audio.
    """
    pcm = babble(2.0)

    transcript = transcribe_pcm(engine, pcm)

    assert 0.0 <= transcript.confidence <= 1.0
    starts = [word.start_seconds for word in transcript.words]
    assert sorted(starts) == starts
    for word in transcript.words:
        assert 0.0 <= word.start_seconds <= word.end_seconds <= 3.0
        assert 0.0 <= word.confidence <= 1.0
    assert 1.001 >= sum(alternative.confidence for alternative in transcript.alternatives)


def test_stable_text_begins_the_partial_of_its_time(engine: Engine) -> None:
    """
    Stable words are leading words of the partial that names them.
    """
    recogniser = engine.open()
    pcm = babble(3.0)
    for start in range(0, len(pcm), 160):
        partial = recogniser.accept(pcm[start : start + 160])
        if partial is not None:
            assert partial.text.startswith(partial.stable_text)
            assert 0.0 <= partial.confidence <= 1.0
    recogniser.close()


def test_recogniser_is_fresh_after_finish(engine: Engine) -> None:
    """
    The second utterance of a recogniser does not hear the first.
    """
    recogniser = engine.open()
    recogniser.accept(babble(2.0))
    recogniser.finish()
    recogniser.accept(np.zeros(8000, np.int16))

    assert "" == recogniser.finish().text
    recogniser.close()


def test_times_of_words_begin_with_the_utterance(engine: Engine, tmp_path: Path) -> None:
    """
    Words of a second utterance, and of the next caller, are timed from its own first sample.
    """
    spoken = _spoken(tmp_path) if engine.name == "vosk" else babble(2.0)
    seconds = len(spoken) / 8000
    recogniser = engine.open()
    recogniser.accept(spoken)
    first = recogniser.finish()
    recogniser.accept(spoken)
    again = recogniser.finish()
    recogniser.accept(spoken)
    recogniser.close()
    other = transcribe_pcm(engine, spoken)

    assert first.words
    for transcript in (again, other):
        assert transcript.words
        assert first.words[0].start_seconds == pytest.approx(
            transcript.words[0].start_seconds, abs=0.2
        )
        assert transcript.words[-1].end_seconds <= seconds + 0.5


def test_abandoned_utterance_leaves_no_trace(engine: Engine) -> None:
    """
    A caller who hung up in the middle is not heard in the next call.
    """
    recogniser = engine.open()
    recogniser.accept(babble(2.0))
    recogniser.close()

    assert "" == transcribe_pcm(engine, np.zeros(8000, np.int16)).text


def test_wrong_audio_is_an_error_of_ours(engine: Engine) -> None:
    """
    Samples that are no 16-bit integers in one row are refused, not guessed.
    """
    recogniser = engine.open()
    for wrong in (np.zeros(160, np.float32), np.zeros((160, 2), np.int16)):
        with pytest.raises(RecogniserFailedError):
            recogniser.accept(wrong)  # type: ignore[arg-type]
    recogniser.close()


def test_closed_recogniser_takes_no_audio(engine: Engine) -> None:
    """
    Closing twice is harmless; audio after it is an error of this package.
    """
    recogniser = engine.open()
    recogniser.close()
    recogniser.close()

    with pytest.raises(AsrError):
        recogniser.accept(np.zeros(160, np.int16))


def test_words_are_kept_out_of_every_repr(engine: Engine) -> None:
    """
    What a caller said must not reach a log by way of repr.
    """
    fake = FakeEngine("marmeladepot groeipakket")
    recogniser = fake.open()
    partial = recogniser.accept(babble(1.0))
    transcript = recogniser.finish()

    assert "marmeladepot" == transcript.words[0].text
    shown = f"{partial!r} {transcript!r} {transcript.words!r} {transcript.alternatives!r}"
    assert "marmeladepot" not in shown


@pytest.mark.parametrize("name", ["fake", "vosk"])
def test_closed_engine_opens_nothing(name: str) -> None:
    """
    After close, open is an error of this package, and close may come again.
    """
    engine = _make(name)
    engine.close()
    engine.close()

    with pytest.raises(AsrError):
        engine.open()
