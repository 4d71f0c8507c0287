"""Which WAV files say a prompt. All work is done at start; a call only looks them up."""

from __future__ import annotations

import contextlib
import difflib
import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ivr.call.prompts import Prompt, SpokenPrompt
from ivr.errors import PromptError
from ivr.prompts import audio
from ivr.prompts.texts import RECORDINGS, Snippet, embedded_texts
from ivr.prompts.tts import Speaker

_VERSION = "1"  # part of every cache key: raise it when audio.py prepares differently
_MOST_CACHED_FILES = 1000
_LARGEST_RECORDING_OCTETS = 64 << 20
_AUDIO_SUFFIXES = frozenset({".wav", ".mp3", ".flac", ".ogg", ".opus", ".m4a", ".aac"})
_MOST_OPTIONS = 9


@dataclass(frozen=True, slots=True)
class _Ready:
    path: Path
    seconds: float


class PromptBook:
    """Prepares every recording once: 8000 Hz mono 16-bit WAV files of one level.

    A snippet is taken from the operator's folder; else from the embedded recordings, when these
    say the same words; else from the voice. What is wrong is kept for :meth:`check`.

    Args:
        recordings_dir: The operator's folder with NAME.wav files, which win over all others.
        cache_dir: Prepared files, keyed by content; may be shared and may be deleted while no
            service runs.
        names: Spoken name of each thema, by slug; the embedded catalogue's by default.
        hours_text: From :func:`ivr.prompts.hours.spoken_hours`; empty: hours are not spoken;
            ``None``: the embedded recording's.
        tts: Says what nobody recorded; needed for other names or hours than the embedded ones.
        group_names: Spoken name of each voorlichter group, by slug.
        audio_days: How long recordings are kept, which the notice must say; the embedded
            recording's 30 by default.

    Raises:
        PromptError: ``cache_dir`` cannot be written, or the installation is incomplete.
    """

    def __init__(
        self,
        recordings_dir: Path | None,
        cache_dir: Path,
        names: Mapping[str, str] | None = None,
        hours_text: str | None = None,
        tts: Speaker | None = None,
        *,
        group_names: Mapping[str, str] | None = None,
        audio_days: float | None = None,
    ) -> None:
        self._snippets = embedded_texts().fill(names, group_names, hours_text, audio_days)
        self._tts = tts
        self._cache = cache_dir / "prompts"
        self._problems: list[PromptError] = []
        self._ready: dict[str, _Ready] = {}
        try:
            self._cache.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise PromptError(
                f"{self._cache}: prompts cannot be kept there: {error.strerror}; "
                "give the folder to this user"
            ) from None
        embedded = _embedded_recordings()
        recorded = self._recorded(recordings_dir)
        for snippet in self._snippets.values():
            ready = self._prepare(snippet, recorded.get(snippet.name), embedded)
            if ready is not None:
                self._ready[snippet.name] = ready
        self._prune()

    def wavs(self, spoken: SpokenPrompt) -> tuple[Path, ...]:
        """The files that say ``spoken``, to be played in a row; pauses are in them.

        Raises:
            PromptError: A thema, a choice or a recording is missing; :meth:`check` told so at
                start.
        """
        return tuple(self._get(name).path for name in self._parts(spoken))

    def seconds(self, spoken: SpokenPrompt) -> float:
        """How long ``spoken`` takes, pauses included.

        Raises:
            PromptError: As for :meth:`wavs`.
        """
        return sum(self._get(name).seconds for name in self._parts(spoken))

    def text(self, spoken: SpokenPrompt) -> str:
        """What the caller hears, for transcripts.

        Raises:
            PromptError: As for :meth:`wavs`.
        """
        return " ".join(self._snippets[name].text for name in self._parts(spoken))

    def check(self) -> tuple[PromptError, ...]:
        """Everything that is wrong: each names the file, what is wrong, and the remedy."""
        return tuple(self._problems)

    def _parts(self, spoken: SpokenPrompt) -> tuple[str, ...]:
        match spoken.prompt:
            case Prompt.CONFIRM:
                return self._known(f"confirm-{spoken.thema}"), "confirm_how"
            case Prompt.KEUZEMENU | Prompt.INVALID_CHOICE:
                return spoken.prompt.value, *self._options(spoken.options), "press_0"
            case Prompt.ANNOUNCE:
                name = f"announce-{spoken.group}"
                # A group without a name must not cost the caller the transfer.
                return (name if name in self._ready else "announce_general",)
            case Prompt.CLOSED:
                hours = ("hours",) if "hours" in self._ready else ()
                return "closed", *hours
            case _:
                return (spoken.prompt.value,)

    def _options(self, options: tuple[str, ...]) -> tuple[str, ...]:
        if len(options) > _MOST_OPTIONS:
            raise PromptError(
                f"a keuzemenu has {len(options)} choices; a keypad has {_MOST_OPTIONS} keys"
            )
        parts: list[str] = []
        for digit, thema in enumerate(options, start=1):
            parts += self._known(f"option-{thema}"), f"press_{digit}"
        return tuple(parts)

    def _known(self, name: str) -> str:
        if name not in self._snippets:
            raise PromptError(f"there is no prompt {name!r}; add the thema to the catalogue")
        return name

    def _get(self, name: str) -> _Ready:
        ready = self._ready.get(name)
        if ready is None:
            raise PromptError(f"prompt {name!r} has no recording; run 'wegwijs check'")
        return ready

    def _recorded(self, folder: Path | None) -> dict[str, Path]:
        """The operator's recordings by snippet; a file that replaces nothing is a mistake."""
        if folder is None:
            return {}
        try:
            files = sorted(folder.iterdir())
        except OSError as error:
            self._problems.append(
                PromptError(
                    f"{folder}: recorded prompts cannot be read: {error.strerror}; "
                    "make the folder, or leave it out of the configuration"
                )
            )
            return {}
        recorded: dict[str, Path] = {}
        for path in files:
            if path.suffix.lower() not in _AUDIO_SUFFIXES or path.name.startswith("."):
                continue
            if path.suffix.lower() != ".wav":
                self._problems.append(PromptError(f"{path}: is not a WAV file; convert it to WAV"))
            elif path.stem not in self._snippets:
                near = difflib.get_close_matches(path.stem, self._snippets, 1)
                remedy = f"did you mean {near[0]}.wav?" if near else "remove or rename it"
                self._problems.append(PromptError(f"{path}: no prompt has this name; {remedy}"))
            else:
                recorded[path.stem] = path
        return recorded

    def _prepare(
        self, snippet: Snippet, recorded: Path | None, embedded: Mapping[str, str]
    ) -> _Ready | None:
        sources = [recorded] if recorded is not None else []
        if embedded.get(snippet.name) == snippet.text_sha256:
            sources.append(RECORDINGS / f"{snippet.name}.wav")
        for path in sources:
            try:
                return self._from_file(snippet, path)
            except PromptError as problem:
                self._problems.append(problem)
        try:
            return self._from_voice(snippet)
        except PromptError as problem:
            self._problems.append(problem)
            return None

    def _from_file(self, snippet: Snippet, path: Path) -> _Ready:
        try:
            if path.stat().st_size > _LARGEST_RECORDING_OCTETS:
                raise PromptError(f"{path}: is larger than 64 MiB; cut it to the prompt itself")
            content = path.read_bytes()
        except OSError as error:
            raise PromptError(
                f"{path}: cannot be read: {error.strerror}; record it again, or remove the file"
            ) from None
        target = self._target(snippet, hashlib.sha256(content).hexdigest())
        return _cached(target) or self._keep(target, snippet, *audio.read_recording(path))

    def _from_voice(self, snippet: Snippet) -> _Ready:
        if self._tts is None:
            raise PromptError(
                f"prompt {snippet.name!r} has no recording that says its text, and no voice is "
                f"set; record it as {snippet.name}.wav in the prompts folder, or install espeak-ng"
            )
        target = self._target(snippet, f"{self._tts.identity}\0{snippet.text}")
        ready = _cached(target)
        if ready is None:
            try:
                samples, rate_hz = self._tts.speak(snippet.text)
            except PromptError as error:
                raise PromptError(f"prompt {snippet.name!r}: {error}") from None
            ready = self._keep(target, snippet, samples, rate_hz)
        return ready

    def _target(self, snippet: Snippet, source: str) -> Path:
        key = f"{_VERSION}\0{source}\0{snippet.lead_ms}\0{snippet.pause_ms}"
        digest = hashlib.sha256(key.encode()).hexdigest()[:24]
        return self._cache / f"{snippet.name}-{digest}.wav"

    def _keep(self, target: Path, snippet: Snippet, samples: audio.Samples, rate_hz: int) -> _Ready:
        speech = audio.prepare(samples, rate_hz)
        whole = (audio.silence(snippet.lead_ms), speech, audio.silence(snippet.pause_ms))
        audio.write_wav(target, audio.joined(whole))
        ready = _cached(target)
        if ready is None:
            raise PromptError(f"{target}: was not kept whole; free some space on this disk")
        return ready

    def _prune(self) -> None:
        """Forget the longest unused of too many files, never one of this book."""
        used = {ready.path for ready in self._ready.values()}
        with contextlib.suppress(OSError):
            for path in used:
                os.utime(path)
            files = sorted(self._cache.glob("*.wav"), key=lambda path: path.stat().st_mtime)
            for path in files[: max(0, len(files) - _MOST_CACHED_FILES)]:
                if path not in used:
                    path.unlink()


def _cached(path: Path) -> _Ready | None:
    seconds = audio.wav_seconds(path)
    return None if seconds is None else _Ready(path, seconds)


def _embedded_recordings() -> dict[str, str]:
    """Hash of the words of each embedded recording.

    Raises:
        PromptError: The manifest is missing or damaged: the installation is incomplete.
    """
    path = RECORDINGS / "manifest.json"
    try:
        snippets = json.loads(path.read_text(encoding="utf-8"))["snippets"]
        return {name: entry["text_sha256"] for name, entry in snippets.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise PromptError(
            f"{path}: cannot be read ({type(error).__name__}); install wegwijs again"
        ) from None
