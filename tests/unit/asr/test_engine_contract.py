"""What every speech engine promises, on the fake and on the real thing alike."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray

from asr.engines import ENGINES, load_engine
from asr.errors import AsrError, ModelMissingError, RecogniserFailedError
from asr.recogniser import Recogniser, SpeechEngine
from asr.transcribe import transcribe_pcm
from tests.unit.asr import sherpa_folders, tiny_whisper
from tests.unit.asr.fakes import FakeEngine
from tests.unit.asr.speaking import say

# The first test of an engine waits until its model is trained.
pytestmark = pytest.mark.timeout(1200)


class UnderTest(NamedTuple):
    """An engine with a model.

    Attributes:
        engine: Name in the registry.
        sentence: Something that the model knows.
        folder: Gives the model's folder; None for the embedded one.
    """

    engine: str
    sentence: str
    folder: Callable[[pytest.FixtureRequest], Path] | None = None


ALL = {
    "vosk": UnderTest("vosk", "ik wil mijn rijbewijs verlengen"),
    "whisper": UnderTest(
        "whisper",
        tiny_whisper.SENTENCES[0],
        lambda request: Path(request.getfixturevalue("tiny_whisper_folder")),
    ),
    "sherpa streaming": UnderTest(
        "sherpa",
        sherpa_folders.SENTENCES[0],
        lambda _: sherpa_folders.model_folders()["streaming"],
    ),
    "sherpa offline": UnderTest(
        "sherpa", sherpa_folders.SENTENCES[0], lambda _: sherpa_folders.model_folders()["offline"]
    ),
}


def _load(name: str, request: pytest.FixtureRequest) -> SpeechEngine:
    if name == "fake":
        return FakeEngine()
    under_test = ALL[name]
    folder = under_test.folder(request) if under_test.folder is not None else None
    try:
        return load_engine(under_test.engine, folder)
    except ModelMissingError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module", params=["fake", *ALL])
def engine(request: pytest.FixtureRequest) -> Iterator[SpeechEngine]:
    made = _load(request.param, request)
    yield made
    made.close()


@pytest.fixture
def spoken(engine: SpeechEngine, tmp_path: Path) -> NDArray[np.int16]:
    """Something that the engine understands."""
    known = {under_test.engine: under_test.sentence for under_test in ALL.values()}
    return say(known[engine.name], "nl", tmp_path) if engine.name in known else babble(2.0)


def babble(seconds: float) -> NDArray[np.int16]:
    """Sound with the rhythm and the level of speech; nobody need understand it."""
    rng = np.random.default_rng(3)
    time = np.arange(int(seconds * 8000)) / 8000
    gate = (np.sin(2 * np.pi * 3 * time) > -0.3) * 4000.0
    tone = np.sin(2 * np.pi * 150 * time) + 0.5 * np.sin(2 * np.pi * 1200 * time)
    sound: NDArray[np.int16] = (gate * (tone + 0.2 * rng.normal(size=len(time)))).astype(np.int16)
    return sound


def test_engine_and_recogniser_fit_the_port(engine: SpeechEngine) -> None:
    """
    Both have every member that the port names.
    """
    recogniser = engine.open()
    recogniser.close()

    assert isinstance(engine, SpeechEngine)
    assert isinstance(recogniser, Recogniser)


def test_capabilities_are_those_of_dutch_telephony(engine: SpeechEngine) -> None:
    """
    The language is Dutch and the rate is a multiple of the telephone's.
    """
    capabilities = engine.capabilities

    assert "nl" == capabilities.language
    assert 0 == capabilities.sample_rate_hz % 8000


def test_nothing_heard_is_an_empty_text(engine: SpeechEngine) -> None:
    """
    No audio at all, and silence, both give an empty text with confidence 0.
    """
    for pcm in (np.zeros(0, np.int16), np.zeros(16000, np.int16)):
        transcript = transcribe_pcm(engine, pcm)

        assert ("", 0.0) == (transcript.text, transcript.confidence)
        assert () == transcript.words


@pytest.mark.parametrize("packet", [1, 37, 160, 4000, 16000])
def test_any_number_of_samples_may_come_at_once(
    engine: SpeechEngine, packet: int, spoken: NDArray[np.int16]
) -> None:
    """
    The packet size changes nothing in what is heard in the end.
    """
    whole = engine.open()
    whole.accept(spoken)
    recogniser = engine.open()
    for start in range(0, len(spoken), packet):
        recogniser.accept(spoken[start : start + packet])

    heard = recogniser.finish().text
    assert heard
    assert whole.finish().text == heard
    whole.close()
    recogniser.close()


def test_confidences_and_times_are_within_bounds(
    engine: SpeechEngine, spoken: NDArray[np.int16]
) -> None:
    """
    Confidences are 0..1, words are in order and within the audio.
    """
    transcript = transcribe_pcm(engine, spoken)

    assert transcript.words
    assert 0.0 <= transcript.confidence <= 1.0
    starts = [word.start_seconds for word in transcript.words]
    assert sorted(starts) == starts
    for word in transcript.words:
        assert 0.0 <= word.start_seconds <= word.end_seconds <= len(spoken) / 8000 + 1.0
        assert 0.0 <= word.confidence <= 1.0
    assert 1.001 >= sum(alternative.confidence for alternative in transcript.alternatives)


def test_partials_come_where_they_are_promised(
    engine: SpeechEngine, spoken: NDArray[np.int16]
) -> None:
    """
    A streaming engine gives partials while the caller speaks, another one never does.
    """
    recogniser = engine.open()
    partials = [
        recogniser.accept(spoken[start : start + 160]) for start in range(0, len(spoken), 160)
    ]
    recogniser.close()

    assert engine.capabilities.streaming == any(
        partial is not None and bool(partial.text) for partial in partials
    )


def test_stable_text_begins_the_partial_of_its_time(engine: SpeechEngine) -> None:
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


def test_recogniser_is_fresh_after_finish(engine: SpeechEngine, spoken: NDArray[np.int16]) -> None:
    """
    The second utterance of a recogniser does not hear the first.
    """
    recogniser = engine.open()
    recogniser.accept(spoken)
    recogniser.finish()
    recogniser.accept(np.zeros(8000, np.int16))

    assert "" == recogniser.finish().text
    recogniser.close()


def test_times_of_words_begin_with_the_utterance(
    engine: SpeechEngine, spoken: NDArray[np.int16]
) -> None:
    """
    Words of a second utterance, and of the next caller, are timed from its own first sample.
    """
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


@pytest.mark.parametrize("share", [0.25, 0.4, 0.55, 0.7, 0.85, 1.0])
def test_abandoned_utterance_leaves_no_trace(
    engine: SpeechEngine, spoken: NDArray[np.int16], share: float
) -> None:
    """
    A caller who hung up in the middle of a word is not heard in the next call.
    """
    recogniser = engine.open()
    for packet in np.array_split(spoken[: int(share * len(spoken))], 20):
        recogniser.accept(packet)
    recogniser.close()

    assert "" == transcribe_pcm(engine, np.zeros(8000, np.int16)).text


def test_wrong_audio_is_an_error_of_ours(engine: SpeechEngine) -> None:
    """
    Samples that are no 16-bit integers in one row are refused, not guessed.
    """
    recogniser = engine.open()
    for wrong in (np.zeros(160, np.float32), np.zeros((160, 2), np.int16)):
        with pytest.raises(RecogniserFailedError):
            recogniser.accept(wrong)  # type: ignore[arg-type]
    recogniser.close()


def test_closed_recogniser_takes_no_audio(engine: SpeechEngine) -> None:
    """
    Closing twice is harmless; audio after it is an error of this package.
    """
    recogniser = engine.open()
    recogniser.close()
    recogniser.close()

    with pytest.raises(AsrError):
        recogniser.accept(np.zeros(160, np.int16))


def test_words_are_kept_out_of_every_repr(engine: SpeechEngine) -> None:
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


@pytest.mark.parametrize("name", ["fake", *ALL])
def test_closed_engine_opens_nothing(name: str, request: pytest.FixtureRequest) -> None:
    """
    After close, open is an error of this package, and close may come again.
    """
    engine = _load(name, request)
    engine.close()
    engine.close()

    with pytest.raises(AsrError):
        engine.open()


def test_every_engine_of_the_registry_is_under_this_contract() -> None:
    """
    An engine that operators can name has its line above.
    """
    assert set(ENGINES) == {under_test.engine for under_test in ALL.values()}
