"""Prompts as the engine sees them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from ivr.call.prompts import SpokenPrompt


class Prompts(Protocol):
    """What a call needs of the prompt book."""

    def wavs(self, spoken: SpokenPrompt) -> Sequence[Path]:
        """Return the WAV files that say it, to be played in a row.

        Raises:
            WegwijsError: A recording is missing.
        """
