"""Every prompt has words and sound; what is prepared once serves every start; voices that fail."""

from __future__ import annotations

import shutil
import stat
import time
import tomllib
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from ivr.call.prompts import Prompt, SpokenPrompt
from ivr.errors import PromptError
from ivr.prompts import audio, make
from ivr.prompts.book import PromptBook
from ivr.prompts.texts import RECORDINGS, embedded_texts
from ivr.prompts.tts import EspeakNg
from tests.unit.prompts.sounds import pcm, tone

ROOT = Path(__file__).parents[3]
THEMAS = ("belastingen", "onderwijs", "bouwen-wonen", "energie")
EVERY = [
    SpokenPrompt(prompt=prompt, thema="energie", group="energie", options=THEMAS)
    for prompt in Prompt
]


class FakeVoice:
    """A tone as long as the text; counts how often it spoke."""

    identity = "fake"

    def __init__(self) -> None:
        self.spoken: list[str] = []

    def speak(self, text: str) -> tuple[NDArray[np.float32], int]:
        self.spoken.append(text)
        return tone(0.02 * len(text), 22050), 22050


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> PromptBook:
    return PromptBook(None, tmp_path_factory.mktemp("cache"))


@pytest.mark.parametrize("spoken", EVERY, ids=lambda spoken: spoken.prompt)
def test_every_prompt_has_words_and_sound(book: PromptBook, spoken: SpokenPrompt) -> None:
    """
    Without a voice and without the operator's recordings, all prompts can be played.
    """
    samples = pcm(book.wavs(spoken))
    speech = audio.speech_level_dbfs((samples / 32768).astype(np.float32), 8000)

    assert () == book.check()
    assert "{" not in book.text(spoken)
    assert book.text(spoken).endswith((".", "?"))
    assert len(samples) / 8000 == pytest.approx(book.seconds(spoken))
    assert 0.5 < book.seconds(spoken) < 20
    assert -22 < speech < -18
    assert np.abs(samples).max() < 0.95 * 32768


@pytest.mark.parametrize("thema", embedded_texts().themas)
def test_every_thema_and_group_can_be_named(book: PromptBook, thema: str) -> None:
    """
    Each of the twelve themas is confirmed, offered and announced by name.
    """
    name = embedded_texts().themas[thema]
    confirm = SpokenPrompt(prompt=Prompt.CONFIRM, thema=thema)
    menu = SpokenPrompt(prompt=Prompt.KEUZEMENU, options=(thema,))
    announce = SpokenPrompt(prompt=Prompt.ANNOUNCE, group=thema)

    assert f"Gaat uw vraag over {name}?" in book.text(confirm)
    assert f"Voor {name}, druk op één. Voor een voorlichter, druk op nul." in book.text(menu)
    assert book.text(announce).startswith("Ik verbind u door met een voorlichter voor ")
    assert all(path.is_file() for spoken in (confirm, menu, announce) for path in book.wavs(spoken))


def test_embedded_names_are_those_of_the_catalogue() -> None:
    """
    Otherwise a machine without a voice could not say the embedded catalogue.
    """
    catalogue = tomllib.loads((ROOT / "training_data/catalogue.toml").read_text(encoding="utf-8"))
    themas = {
        entry["slug"]: entry["spoken"]
        for entry in catalogue["themas"]
        if not entry.get("non_thema", False)
    }
    groups = {entry["slug"]: entry["spoken"] for entry in catalogue["groups"]}

    assert themas == embedded_texts().themas
    assert groups == embedded_texts().groups


def test_recordings_and_texts_agree(tmp_path: Path) -> None:
    """
    A changed text without a new recording, and the reverse, are found.
    """
    assert [] == make.disagreements(RECORDINGS)
    assert sum(path.stat().st_size for path in RECORDINGS.iterdir()) < 1_500_000

    manifest = (RECORDINGS / "manifest.json").read_text(encoding="utf-8")
    (tmp_path / "manifest.json").write_text(manifest.replace('"notice"', '"old"'))
    for name in ("question", "goodbye", "extra"):
        (tmp_path / f"{name}.wav").write_bytes((RECORDINGS / "question.wav").read_bytes())
    found = "\n".join(make.disagreements(tmp_path))

    assert "notice.wav: missing" in found
    assert "goodbye.wav: differs" in found
    assert "extra.wav: no text" in found
    assert "question.wav" not in found


def test_unusable_cache_is_an_error(tmp_path: Path) -> None:
    """
    Without a place for prepared files nothing can be played.
    """
    (tmp_path / "cache").write_text("")

    with pytest.raises(PromptError, match="give the folder to this user"):
        PromptBook(None, tmp_path / "cache")


def test_work_is_done_once(folder: Path, tmp_path: Path) -> None:
    """
    A second start finds everything prepared; the voice is not asked again.
    """
    voice = FakeVoice()
    names = {"boter": "boter en kaas"}
    cache = tmp_path / "cache"

    def start() -> PromptBook:
        return PromptBook(folder, cache, names, "op maandag", voice)

    first = start()
    files = {path: path.stat().st_ino for path in (cache / "prompts").iterdir()}
    second = start()

    assert ["Gaat uw vraag over boter en kaas?", "Voor boter en kaas,"] == voice.spoken[:2]
    assert "U kunt ons bereiken op maandag." in voice.spoken
    assert 3 == len(voice.spoken)
    assert files == {path: path.stat().st_ino for path in (cache / "prompts").iterdir()}
    spoken = SpokenPrompt(prompt=Prompt.CONFIRM, thema="boter")
    assert first.wavs(spoken) == second.wavs(spoken)
    assert {0o700} == {stat.S_IMODE((cache / "prompts").stat().st_mode)}


def test_damaged_cache_is_prepared_again(tmp_path: Path) -> None:
    """
    A power cut may leave a file of the right name and the wrong length.
    """
    cache = tmp_path / "cache"
    spoken = SpokenPrompt(prompt=Prompt.GOODBYE)
    [path] = PromptBook(None, cache).wavs(spoken)
    whole = path.read_bytes()
    for damaged in (b"", whole[:30], whole[: len(whole) // 2]):
        path.write_bytes(damaged)

        assert (path,) == PromptBook(None, cache).wavs(spoken)
        assert whole == path.read_bytes()


def test_new_name_without_a_voice_is_named(tmp_path: Path) -> None:
    """
    The message says which file would help; other prompts still work.
    """
    book = PromptBook(None, tmp_path, {"boter": "boter"}, "", None, group_names={})
    problems = [str(problem) for problem in book.check()]

    assert 2 == len(problems)
    assert "confirm-boter.wav" in problems[0]
    with pytest.raises(PromptError, match="confirm-boter"):
        book.wavs(SpokenPrompt(prompt=Prompt.CONFIRM, thema="boter"))
    announce = SpokenPrompt(prompt=Prompt.ANNOUNCE, group="boter")
    assert "Ik verbind u door met een voorlichter." == book.text(announce)
    assert "bereiken" not in book.text(SpokenPrompt(prompt=Prompt.CLOSED))
    assert book.wavs(SpokenPrompt(prompt=Prompt.GOODBYE))


@pytest.mark.parametrize(
    "spoken",
    [
        SpokenPrompt(prompt=Prompt.CONFIRM, thema="onbekend"),
        SpokenPrompt(prompt=Prompt.CONFIRM),
        SpokenPrompt(prompt=Prompt.KEUZEMENU, options=("energie",) * 10),
        SpokenPrompt(prompt=Prompt.KEUZEMENU, options=("onbekend",)),
    ],
)
def test_impossible_prompts_are_errors(book: PromptBook, spoken: SpokenPrompt) -> None:
    """
    A menu never says another digit than the one it means.
    """
    for ask in (book.wavs, book.text, book.seconds):
        with pytest.raises(PromptError):
            ask(spoken)


def test_looking_up_is_quick(book: PromptBook) -> None:
    """
    In a call nothing is read or computed; the bound is a thousand times what it takes.
    """
    started = time.monotonic()
    for _ in range(100):
        for spoken in EVERY:
            book.wavs(spoken)

    assert time.monotonic() - started < 15


@pytest.mark.parametrize(
    ("days", "said"), [(30, "na 30 dagen"), (1, "na 1 dag"), (0, "na 1 dag"), (6.5, "na 7 dagen")]
)
def test_notice_says_how_long_recordings_are_kept(tmp_path: Path, days: float, said: str) -> None:
    """
    Belgian law wants it said; an embedded recording of other days is not played.
    """
    voice = FakeVoice()
    book = PromptBook(None, tmp_path, tts=voice, audio_days=days)

    assert f"wissen dat {said}." in book.text(SpokenPrompt(prompt=Prompt.NOTICE))
    assert (0 if days == 30 else 1) == len(voice.spoken)


def test_missing_voice_program_is_named() -> None:
    """
    The remedy is in the message; the text is not.
    """
    voice = EspeakNg(program="no-such-voice")

    with pytest.raises(PromptError, match="apt-get install espeak-ng") as caught:
        voice.speak("kwikstaartmarkering")
    assert "kwikstaart" not in str(caught.value)


def test_broken_voice_programs_are_errors(tmp_path: Path) -> None:
    """
    Too slow, silent or failing: each a PromptError.
    """
    scripts = {
        "slow": ("#!/bin/sh\nexec sleep 30\n", "took more than"),
        "mute": ("#!/bin/sh\nexit 0\n", "made no sound"),
        "failing": ("#!/bin/sh\nexit 3\n", "made no sound"),
    }
    for name, (script, says) in scripts.items():
        program = tmp_path / name
        program.write_text(script)
        program.chmod(0o755)
        with pytest.raises(PromptError, match=says):
            EspeakNg(program=str(program), timeout_seconds=0.3).speak("goeiedag")


@pytest.mark.skipif(shutil.which("espeak-ng") is None, reason="espeak-ng is not on this machine")
def test_real_voice_speaks_odd_texts() -> None:
    """
    Options, mark-up and other scripts are spoken, not obeyed.
    """
    voice = make.embedded_voice()
    for text in ("-v en goeiedag", "<break time='10s'/> goeiedag", "--help", "één ‘twee’ 😀"):
        samples, rate_hz = voice.speak(text)

        assert rate_hz >= 8000
        assert 0.2 < len(samples) / rate_hz < 8


@pytest.mark.skipif(shutil.which("espeak-ng") is None, reason="espeak-ng is not on this machine")
def test_making_recordings_again_gives_agreeing_ones(tmp_path: Path) -> None:
    """
    The committed recordings can be made by anybody who has the voice.
    """
    assert 0 == make.main(["--out", str(tmp_path)])
    assert 0 == make.main(["--check", "--out", str(tmp_path)])
    made = soundfile.info(tmp_path / "notice.wav")
    committed = soundfile.info(RECORDINGS / "notice.wav")
    assert (8000, 1, "ALAW") == (made.samplerate, made.channels, made.subtype)
    assert committed.duration == pytest.approx(made.duration, rel=0.2)
