"""Made-up telephone sounds and a line to hear them on, for every test of the audio core."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ivr.audio.core import AudioCore, AudioSettings
from ivr.audio.dtmf import COLUMN_HZ, KEYS, ROW_HZ
from ivr.audio.frames import FRAME_OCTETS, FRAME_SAMPLES, FrameMatrix, FrameSlot
from ivr.audio.levels import FULL_SCALE, power_dbfs
from ivr.ports import AudioEvent, InbandDigit, SpeechStarted, UtteranceEnded
from ivr.ports.audio import SAMPLE_RATE_HZ

Pcm = NDArray[np.int16]


def to_pcm(samples: NDArray[np.floating]) -> Pcm:
    """Full scale 1.0 to int16, clipped."""
    return np.clip(np.round(samples * 32768.0), -32768, 32767).astype(np.int16)


def moments(seconds: float) -> NDArray[np.float64]:
    """Time of every sample."""
    return np.arange(round(seconds * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ


def at_level(samples: NDArray[np.floating], dbfs: float) -> NDArray[np.floating]:
    """Scale to an RMS level."""
    rms = float(np.sqrt(np.mean(samples * samples)))
    return samples * (10 ** (dbfs / 20) / rms)


def level_dbfs(pcm: Pcm) -> float:
    """Plain level of a stretch of audio; an empty one is silence."""
    power = np.mean(np.square(pcm / FULL_SCALE)) if len(pcm) else 0.0
    return float(power_dbfs(np.array([power], dtype=np.float32))[0])


def silence(seconds: float) -> Pcm:
    return np.zeros(round(seconds * SAMPLE_RATE_HZ), dtype=np.int16)


def voice(seconds: float, *, dbfs: float = -22.0, pitch_hz: float = 120.0) -> Pcm:
    """A vowel that moves: gliding pitch, two formants, syllables, a tremor."""
    time = moments(seconds)
    pitch = pitch_hz * (1 + 0.08 * np.sin(2 * np.pi * 1.3 * time))
    phase = 2 * np.pi * np.cumsum(pitch) / SAMPLE_RATE_HZ
    wave = np.zeros_like(time)
    for h in range(1, int(3400 / (1.1 * pitch_hz))):
        hz = h * pitch_hz
        gain = 0.03 + 1 / (1 + ((hz - 600) / 300) ** 2) + 0.5 / (1 + ((hz - 1500) / 300) ** 2)
        wave += gain * np.sin(h * phase + h * h)
    wave *= 1 + 0.4 * np.sin(2 * np.pi * 4 * time) + 0.1 * np.sin(2 * np.pi * 9 * time)
    return to_pcm(at_level(wave, dbfs))


def hiss(seconds: float, *, dbfs: float, seed: int = 1) -> Pcm:
    noise = np.random.default_rng(seed).standard_normal(round(seconds * SAMPLE_RATE_HZ))
    return to_pcm(at_level(noise, dbfs))


def key(digit: str, ms: int, *, amplitude: float = 0.1) -> Pcm:
    """The two tones of a key."""
    row = next(i for i, keys in enumerate(KEYS) if digit in keys)
    time = moments(ms / 1000)
    tones = (ROW_HZ[row], COLUMN_HZ[KEYS[row].index(digit)])
    return to_pcm(sum((amplitude * np.sin(2 * np.pi * hz * time) for hz in tones), start=0 * time))


@dataclass
class Line:
    """A core with one open slot per caller, and what it said."""

    callers: int = 1
    settings: AudioSettings = field(default_factory=AudioSettings)
    events: list[AudioEvent] = field(default_factory=list)
    chunks: dict[int, list[Pcm]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.matrix = FrameMatrix(self.callers)
        self.core = AudioCore(self.matrix, self.events.append, self.settings)
        self.slots: list[FrameSlot] = []
        for _ in range(self.callers):
            slot = self.matrix.claim()
            assert slot is not None
            self.slots.append(slot)
            self.chunks[slot.index] = []
            self.core.open(slot.index)

    def attend(
        self,
        slot: int = 0,
        *,
        playing: bool = False,
        pause_ms: int = 600,
        max_seconds: float = 12.0,
    ) -> None:
        self.core.attend(
            slot,
            playing=playing,
            pause_ms=pause_ms,
            max_seconds=max_seconds,
            sink=self.chunks[slot].append,
        )

    def deliver(self, pcm: Pcm, slot: int = 0) -> None:
        """Whole frames, without a tick."""
        octets = pcm.tobytes()
        target = self.slots[slot]
        for start in range(0, len(octets) - FRAME_OCTETS + 1, FRAME_OCTETS):
            target.rows[target.count % len(target.rows)][:] = octets[start : start + FRAME_OCTETS]
            target.count += 1

    def hear(self, *parts: Pcm, slot: int = 0, frames_per_tick: Sequence[int] = (1,)) -> None:
        """Audio in order, some frames a tick."""
        pcm = np.concatenate(parts)
        start = turn = 0
        while start < len(pcm):
            size = FRAME_SAMPLES * frames_per_tick[turn % len(frames_per_tick)]
            self.deliver(pcm[start : start + size], slot)
            self.core.tick()
            start += size
            turn += 1

    def starts(self, slot: int = 0) -> list[SpeechStarted]:
        return [e for e in self.events if isinstance(e, SpeechStarted) and e.slot == slot]

    def ends(self, slot: int = 0) -> list[UtteranceEnded]:
        return [e for e in self.events if isinstance(e, UtteranceEnded) and e.slot == slot]

    def digits(self, slot: int = 0) -> str:
        return "".join(
            e.digit for e in self.events if isinstance(e, InbandDigit) and e.slot == slot
        )

    def sunk(self, slot: int = 0) -> Pcm:
        return np.concatenate([silence(0), *self.chunks[slot]])
