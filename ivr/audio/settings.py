"""What can be tuned in the audio core, in one place."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioSettings:
    """Thresholds of voice activity and turns. The defaults were tuned on telephone speech.

    Levels are speech-weighted dBFS (see :mod:`ivr.audio.levels`): 0 is a full-scale square wave.
    """

    preroll_ms: int = 300
    """Audio kept before the first voiced frame: the unvoiced start of the first word."""
    chunk_ms: int = 100
    """How much audio a sink is handed at a time."""
    start_voiced_ms: int = 100
    """Voiced time after which speech counts while nothing of ours is playing."""
    barge_in_ms: int = 250
    """Voiced time after which speech counts while our prompt sounds: coughs do not stop it."""
    speech_margin_db: float = 7.0
    """Speech lies this far above the noise floor of its call."""
    minimum_level_dbfs: float = -58.0
    """Below this nothing is speech, however quiet the line."""
    barge_in_margin_db: float = 9.0
    """Like ``speech_margin_db``, while our prompt sounds and its echo comes back."""
    barge_in_level_dbfs: float = -42.0
    """Like ``minimum_level_dbfs``, while our prompt sounds."""
    voiced_periodicity: float = 0.31
    """Share of the compressed spectrum that repeats with a voice's pitch, 0..1."""
    inband_digits: bool = True
    """Listen for DTMF in the audio itself."""

    def __post_init__(self) -> None:
        for name in ("preroll_ms", "chunk_ms", "start_voiced_ms", "barge_in_ms"):
            value = getattr(self, name)
            if not 20 <= value <= 1000:
                raise ValueError(f"{name} = {value}: need 20..1000 ms")
        # The window that voiced time is counted in must fit the 64 frames of history.
        if self.barge_in_ms > 600 or self.start_voiced_ms > 600 or self.preroll_ms > 500:
            raise ValueError(
                "barge_in_ms and start_voiced_ms may be at most 600, preroll_ms at most 500"
            )
        if not 0.0 < self.voiced_periodicity < 1.0:
            raise ValueError(f"voiced_periodicity = {self.voiced_periodicity}: need 0..1")
