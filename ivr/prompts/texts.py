"""Reads ``texts.toml``: every sentence a caller can hear, as named snippets."""

from __future__ import annotations

import hashlib
import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from ivr.errors import PromptError
from ivr.prompts.hours import spoken_hours

TEXTS = Path(__file__).parent / "texts.toml"
RECORDINGS = Path(__file__).parent / "wav"


@dataclass(frozen=True, slots=True)
class Snippet:
    """One recording's worth of speech."""

    name: str
    """File name of a recording, without ``.wav``."""
    text: str
    lead_ms: int
    """Silence before it."""
    pause_ms: int
    """Silence after it."""

    @property
    def text_sha256(self) -> str:
        """Fingerprint of the words, to know whether a recording still says them."""
        return hashlib.sha256(self.text.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Texts:
    """The content of ``texts.toml``."""

    snippets: Mapping[str, Mapping[str, Any]]
    themas: Mapping[str, str]
    """Spoken name by slug."""
    groups: Mapping[str, str]
    hours_text: str
    audio_days: float
    voice: str
    words_per_minute: int
    pitch: int

    def fill(
        self,
        themas: Mapping[str, str] | None = None,
        groups: Mapping[str, str] | None = None,
        hours_text: str | None = None,
        audio_days: float | None = None,
    ) -> dict[str, Snippet]:
        """Make the snippets; ``None`` is what the embedded recordings say.

        Args:
            themas: Spoken name by slug.
            groups: Spoken name of each voorlichter group, by slug.
            hours_text: Opening hours as a phrase; empty: no snippet speaks of hours.
            audio_days: How long recordings are kept, in days.

        Returns:
            Snippets by name.
        """
        themas = self.themas if themas is None else themas
        groups = self.groups if groups is None else groups
        hours_text = self.hours_text if hours_text is None else hours_text
        retention = _days(self.audio_days if audio_days is None else audio_days)
        filled: dict[str, Snippet] = {}

        def add(name: str, entry: Mapping[str, Any], **slots: str) -> None:
            text = str(entry["text"])
            for slot, value in slots.items():
                text = text.replace("{" + slot + "}", value)
            filled[name] = Snippet(
                name, text, int(entry.get("lead_ms", 0)), int(entry.get("pause_ms", 0))
            )

        for name, entry in self.snippets.items():
            if "{thema}" in entry["text"]:
                for slug, spoken in themas.items():
                    add(f"{name}-{slug}", entry, thema=spoken)
            elif "{group}" in entry["text"]:
                for slug, spoken in groups.items():
                    add(f"{name}-{slug}", entry, group=spoken)
            elif "{hours}" in entry["text"]:
                if hours_text:
                    add(name, entry, hours=hours_text)
            else:
                add(name, entry, retention=retention)
        return filled


def _days(days: float) -> str:
    """Days as a promise: never less than what is done."""
    whole = max(1, math.ceil(days))
    return "1 dag" if whole == 1 else f"{whole} dagen"


@cache
def embedded_texts() -> Texts:
    """The texts that come with the package.

    Raises:
        PromptError: The file is missing or damaged: the installation is incomplete.
    """
    try:
        content = tomllib.loads(TEXTS.read_text(encoding="utf-8"))
        voice = content["voice"]
        return Texts(
            snippets=content["snippets"],
            themas=content["themas"],
            groups=content["groups"],
            hours_text=spoken_hours(content["hours"]),
            audio_days=content["retention"]["audio_days"],
            voice=voice["espeak"],
            words_per_minute=int(voice["words_per_minute"]),
            pitch=int(voice["pitch"]),
        )
    except (OSError, ValueError, KeyError) as error:
        raise PromptError(
            f"{TEXTS}: cannot be read ({type(error).__name__}); install wegwijs again"
        ) from None
