"""The embedded model through vosk: espeak-ng callers are understood, bad sound invents nothing."""

from __future__ import annotations

import json
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from asr.audio_files import read_speech
from asr.engines import load_engine
from asr.errors import ModelDamagedError
from asr.evaluate.items import not_dutch
from asr.evaluate.measure import speech_onset_seconds
from asr.model_files.files import embedded_model_dir
from asr.recogniser import Partial, SpeechEngine
from asr.synthetic.espeak import speak
from asr.synthetic.telephone import through_codec
from asr.transcribe import transcribe_file, transcribe_pcm
from asr.wer import word_error_rate, word_errors

QUESTIONS = (
    "ik heb een vraag over mijn belastingbrief",
    "hoe vraag ik een studietoelage aan voor mijn dochter",
    "wanneer wordt het groeipakket uitbetaald",
    "mijn rijbewijs is verlopen wat moet ik doen",
    "krijg ik nog een premie voor zonnepanelen",
    "ik kan niet inloggen met itsme",
    "ik wil een klacht indienen over de bus",
    "waar kan ik een sociale woning aanvragen",
)
needs_espeak = pytest.mark.skipif(
    shutil.which("espeak-ng") is None, reason="espeak-ng is not installed"
)


@pytest.fixture(scope="module")
def engine() -> Iterator[SpeechEngine]:
    loaded = load_engine()
    yield loaded
    loaded.close()


def say(text: str, voice: str = "nl", rate: int = 165) -> NDArray[np.int16]:
    """A caller over an A-law line."""
    audio = speak(text, voice, rate).audio
    audio = np.concatenate([np.zeros(2000, np.float32), audio * 0.5, np.zeros(2000, np.float32)])
    pcm: NDArray[np.int16] = np.rint(through_codec(audio, "ALAW") * 32767).astype(np.int16)
    return pcm


@needs_espeak
@pytest.mark.parametrize("voice", ["nl", "nl+f4", "nl+m6"])
def test_everyday_questions_are_understood(engine: SpeechEngine, voice: str) -> None:
    """
    At most one word in seven is wrong, with confidence; two of the voices were never trained on.
    """
    transcripts = [transcribe_pcm(engine, say(question, voice)) for question in QUESTIONS]

    rate = word_error_rate(
        word_errors(question, transcript.text)
        for question, transcript in zip(QUESTIONS, transcripts, strict=True)
    )
    assert rate.rate < 0.15, f"{rate.errors} errors in {rate.words} words"
    assert np.mean([transcript.confidence for transcript in transcripts]) > 0.6


@needs_espeak
def test_partials_come_while_the_caller_speaks(engine: SpeechEngine) -> None:
    """
    Soon after the first word, then every 200 ms of audio at most; stable words are not taken back.
    """
    pcm = say("ik heb een vraag over de verkeersbelasting van mijn auto")
    recogniser = engine.open()
    partials: list[tuple[int, Partial]] = []
    for start in range(0, len(pcm), 160):
        partial = recogniser.accept(pcm[start : start + 160])
        if partial is not None and partial.text:
            partials.append((start, partial))
    final = recogniser.finish().text
    recogniser.close()

    assert partials[0][0] / 8000 - speech_onset_seconds(pcm) < 0.7
    times = [start for start, _ in partials]
    assert max(np.diff(times)) <= 1600
    stable = partials[-1][1].stable_text
    assert stable
    assert final.startswith(stable.rsplit(" ", 1)[0])


@needs_espeak
def test_words_of_partials_have_confidences_and_times(engine: SpeechEngine) -> None:
    """
    A partial's words are its text; they lie in order within the audio given.
    """
    pcm = say("ik heb een vraag over de verkeersbelasting van mijn auto")
    recogniser = engine.open()
    for start in range(0, len(pcm), 160):
        partial = recogniser.accept(pcm[start : start + 160])
        if partial is None:
            continue
        assert partial.text == " ".join(word.text for word in partial.words)
        before = 0.0
        for word in partial.words:
            assert 0.0 < word.confidence <= 1.0
            assert before <= word.end_seconds <= (start + 160) / 8000 + 0.1
            assert word.start_seconds <= word.end_seconds
            before = word.end_seconds
    recogniser.close()


@needs_espeak
def test_words_carry_times_of_the_audio(engine: SpeechEngine) -> None:
    """
    A word before a second of pause ends by the first sounds after it, the next word ends later.
    """
    first, second = say("goedendag"), say("rijbewijs")
    pcm = np.concatenate([first, np.zeros(8000, np.int16), second])

    words = transcribe_pcm(engine, pcm).words

    # The pause counts with the word before it, and the network tells a phone up to 0.2 s late.
    quiet_seconds = 1.0 + 0.25
    assert words[0].end_seconds < len(first) / 8000 + quiet_seconds + 0.2
    assert len(first) / 8000 + 1.0 < words[-1].end_seconds < len(pcm) / 8000 + 0.3


@needs_espeak
@pytest.mark.parametrize(
    "fault", ["soft", "offset of 10 %", "offset of -20 %", "clipped by 12 dB", "full scale"]
)
def test_loudness_offset_and_clipping_do_not_hide_the_words(
    engine: SpeechEngine, fault: str
) -> None:
    """
    At most one word in seven more is lost than on a good line.
    """
    change: dict[str, Callable[[NDArray[np.float64]], NDArray[np.float64]]] = {
        "soft": lambda pcm: pcm * 0.1,
        "offset of 10 %": lambda pcm: pcm + 3277,
        "offset of -20 %": lambda pcm: pcm - 6554,
        "clipped by 12 dB": lambda pcm: 4 * np.clip(pcm, -abs(pcm).max() / 4, abs(pcm).max() / 4),
        "full scale": lambda pcm: pcm * 32767 / abs(pcm).max(),
    }
    errors = {"good": 0, "bad": 0}
    for question in QUESTIONS:
        pcm = say(question)
        bad = np.clip(change[fault](pcm.astype(np.float64)), -32768, 32767).astype(np.int16)
        for line, sound in (("good", pcm), ("bad", bad)):
            heard = transcribe_pcm(engine, sound).text
            errors[line] += word_errors(question, heard).errors
    said = sum(len(question.split()) for question in QUESTIONS)

    assert errors["bad"] - errors["good"] <= said / 7


@needs_espeak
@pytest.mark.parametrize("rate_hz", [8000, 16000, 44100, 48000])
def test_files_of_any_rate_and_stereo_are_understood(
    engine: SpeechEngine, tmp_path: Path, rate_hz: int
) -> None:
    """
    The same words come out of a recording at any rate, in two channels.
    """
    audio = say("wanneer wordt het groeipakket uitbetaald").astype(np.float64) / 32768
    count = len(audio) * rate_hz // 8000
    wide = np.interp(np.arange(count) * 8000 / rate_hz, np.arange(len(audio)), audio)
    path = tmp_path / "question.wav"
    soundfile.write(path, np.stack([wide, wide], axis=1), rate_hz)

    transcript = transcribe_file(engine, path)

    assert "groeipakket" in transcript.text
    assert len(audio) / 8000 == pytest.approx(transcript.audio_seconds, abs=0.01)
    assert {"file", "text", "confidence", "words", "audio_seconds", "seconds"} == set(
        transcript.as_json()
    )


def _sounds() -> dict[str, NDArray[np.float64]]:
    rng = np.random.default_rng(9)
    time_seconds = np.arange(5 * 8000) / 8000
    music = np.zeros(len(time_seconds))
    for beat in range(10):
        envelope = np.where(time_seconds >= beat / 2, np.exp(-4 * (time_seconds - beat / 2)), 0)
        for note in rng.choice(24, 3, replace=False):
            music += envelope * np.sin(2 * np.pi * 196 * 2 ** (note / 12) * time_seconds)
    return {
        "silence": np.zeros(len(time_seconds)),
        "faint noise": rng.normal(0, 10, len(time_seconds)),
        "loud noise": rng.normal(0, 3000, len(time_seconds)),
        "ringing tone": 5000 * np.sin(2 * np.pi * 425 * time_seconds) * (time_seconds % 3 < 1),
        "keypad tone": 4000
        * (np.sin(2 * np.pi * 770 * time_seconds) + np.sin(2 * np.pi * 1336 * time_seconds)),
        "music": 3000 * music,
        "offset only": np.full(len(time_seconds), 8000.0),
        "square wave at full scale": 32767 * np.sign(np.sin(2 * np.pi * 120 * time_seconds)),
    }


@pytest.mark.parametrize("name", sorted(_sounds()))
def test_sound_without_speech_invents_nothing(engine: SpeechEngine, name: str) -> None:
    """
    Hardly a word comes out, and what does has a confidence that nobody would act on.
    """
    pcm = np.clip(_sounds()[name], -32768, 32767).astype(np.int16)

    transcript = transcribe_pcm(engine, pcm)

    assert len(transcript.text.split()) <= 2
    assert transcript.confidence < 0.5
    if name in {"silence", "faint noise", "offset only"}:
        assert "" == transcript.text


@needs_espeak
@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en", "good morning my husband lost his job and we need some help with the rent"),
        ("fr", "bonjour mon mari a perdu son travail et nous cherchons de l'aide"),
        ("de", "guten Morgen mein Mann hat seine Arbeit verloren und wir brauchen Hilfe"),
    ],
)
def test_other_languages_are_not_taken_for_dutch(
    engine: SpeechEngine, language: str, text: str
) -> None:
    """
    The confidence is far below that of a Dutch question.
    """
    transcript = transcribe_pcm(engine, say(text, language))

    assert transcript.confidence < 0.5


@needs_espeak
def test_languages_that_are_no_dutch_are_hardly_ever_believed(engine: SpeechEngine) -> None:
    """
    Of 36 sentences in nine languages at most one reaches a confidence of 0.5, and of sounds without
    speech none.
    """
    believed = {"other languages": 0, "no speech": 0}
    for item in (*not_dutch(2, 5), *not_dutch(2, 6)):
        believed[item.condition] += transcribe_pcm(engine, item.pcm).confidence >= 0.5

    assert believed["other languages"] <= 1
    assert 0 == believed["no speech"]


@needs_espeak
def test_engines_are_measured_beside_each_other(tmp_path: Path) -> None:
    """
    One that cannot be loaded is named and does not end the other; a bad recording is left out.
    """
    for number, question in enumerate(QUESTIONS[:2]):
        soundfile.write(tmp_path / f"{number}.wav", say(question), 8000)
        (tmp_path / f"{number}.txt").write_text(question, encoding="utf-8")
    (tmp_path / "bad.wav").write_bytes(b"no audio")
    (tmp_path / "bad.txt").write_text("ja", encoding="utf-8")
    engines = f"vosk={tmp_path},vosk"
    done = subprocess.run(
        [sys.executable, "-m", "asr.evaluate", "--engines", engines, "--speech", str(tmp_path),
         "--json"],
        check=False, capture_output=True, text=True, timeout=600,
    )  # fmt: skip
    rows = [json.loads(line) for line in done.stdout.splitlines()]

    assert 1 == done.returncode
    assert "holds no model of this engine" in done.stderr
    assert "bad.wav: is not readable audio" in done.stderr
    assert ["asr-nl-8k"] == [row["model"].split("@")[0] for row in rows]
    assert (2, 0, 1) == tuple(rows[0][key] for key in ("utterances", "failures", "left_out"))
    assert rows[0]["wer"] < 0.3
    assert 0 < rows[0]["model_octets"] < 300_000_000


@needs_espeak
def test_a_minute_of_speech_is_bounded(engine: SpeechEngine) -> None:
    """
    60 s of questions: understood, memory within 200 MB of before.
    """
    one = np.concatenate([say(question) for question in QUESTIONS])
    pcm = np.tile(one, 60 * 8000 // len(one) + 1)[: 60 * 8000]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    transcript = transcribe_pcm(engine, pcm)

    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000
    assert len(transcript.text.split()) > 60


@needs_espeak
def test_streams_do_not_hear_each_other(engine: SpeechEngine) -> None:
    """
    Eight callers at once, packet by packet, each hear only themselves.
    """
    callers = [say(question) for question in QUESTIONS]
    alone = [transcribe_pcm(engine, pcm).text for pcm in callers]
    recognisers = [engine.open() for _ in callers]
    for start in range(0, max(len(pcm) for pcm in callers), 160):
        for recogniser, pcm in zip(recognisers, callers, strict=True):
            if start < len(pcm):
                recogniser.accept(pcm[start : start + 160])
    together = [recogniser.finish().text for recogniser in recognisers]
    for recogniser in recognisers:
        recogniser.close()

    assert alone == together


@needs_espeak
def test_whole_question_in_one_piece_is_heard_alike(engine: SpeechEngine) -> None:
    """
    A recording given at once reads as it does in packets.
    """
    pcm = say(QUESTIONS[1])
    recogniser = engine.open()
    recogniser.accept(pcm)
    at_once = recogniser.finish().text
    recogniser.close()

    assert transcribe_pcm(engine, pcm).text == at_once


def test_embedded_model_is_whole_and_small() -> None:
    """
    At most 10 MB, no file above 6 MB, card and checksums included.
    """
    folder = embedded_model_dir()
    sizes = {path.name: path.stat().st_size for path in folder.rglob("*") if path.is_file()}

    assert sum(sizes.values()) <= 10_000_000
    assert max(sizes.values()) <= 6_000_000
    assert {"README.md", "checksums.sha256", "final.mdl", "words.txt"} <= set(sizes)


def test_damaged_model_is_refused(tmp_path: Path) -> None:
    """
    One changed octet in the weights: the file is named, nothing is loaded.
    """
    folder = tmp_path / "model"
    shutil.copytree(embedded_model_dir(), folder)
    path = folder / "am" / "final.mdl"
    octets = bytearray(path.read_bytes())
    octets[len(octets) // 2] ^= 1
    path.write_bytes(bytes(octets))

    with pytest.raises(ModelDamagedError, match=r"final\.mdl: the file differs"):
        load_engine("vosk", folder)


@needs_espeak
def test_words_of_a_caller_reach_no_output(tmp_path: Path) -> None:
    """
    The engine prints nothing: neither words nor vosk's own log.
    """
    path = tmp_path / "question.wav"
    soundfile.write(path, say("groeipakket"), 8000)
    code = (
        "import sys; from pathlib import Path; from asr.engines import load_engine\n"
        "from asr.transcribe import transcribe_file\n"
        "print(repr(transcribe_file(load_engine(), Path(sys.argv[1]))))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)],
        check=True, capture_output=True, text=True, timeout=200,
    )  # fmt: skip

    assert "" == done.stderr
    assert "groeipakket" not in done.stdout
    assert read_speech(path).size > 0
