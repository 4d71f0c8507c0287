"""Voice activity: is this frame a voice, for all calls at once.

A frame is *voiced* when it is loud enough against its call's noise floor, repeats with the
pitch of a voice, and is no steady tone. Noise, clicks and wind are not periodic; hum and buzz
are, but they do not change, so they become part of the noise floor; dial, fax and key tones have
few spectral lines that stand still. A frame is *active* on energy alone: inside a turn that is
how unvoiced consonants are kept.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ivr.audio.frames import FRAME_SAMPLES
from ivr.audio.levels import FULL_SCALE, NoiseFloor, power_dbfs, weighted_dbfs
from ivr.audio.products import one_thread_product
from ivr.audio.settings import AudioSettings
from ivr.ports.audio import SAMPLE_RATE_HZ

WINDOW_SAMPLES: Final = 384
"""48 ms: the harmonics of a deep voice (75 Hz) stand apart only in so long a window."""
_PAST_SAMPLES: Final = WINDOW_SAMPLES - FRAME_SAMPLES
_LOWEST_BIN: Final = 125 * WINDOW_SAMPLES // SAMPLE_RATE_HZ
"""125 Hz: mains hum and its first harmonic stay out of the periodicity."""
_HIGHEST_BIN: Final = 2500 * WINDOW_SAMPLES // SAMPLE_RATE_HZ
"""2500 Hz: above it a voice repeats less and noise counts more."""
_SHORTEST_LAG: Final = 20
_LONGEST_LAG: Final = 118
"""Pitch 68..400 Hz at 8000 Hz."""
_BANDS_HZ: Final = ((200, 700), (700, 1500), (1500, 2500), (2500, 3500))
"""Loudness is judged per band: a vowel stands out low in hiss, an s stands out high in hum."""
_ACTIVE_BELOW_VOICED_DB: Final = 3.0
_NEARLY: Final = 0.7
"""Share of ``voiced_periodicity`` that keeps a speaking caller's turn going, and counts half
for starting one."""
_STEADY_DB: Final = 1.0
_FROZEN_DB: Final = 0.4
_FROZEN_FRAMES: Final = 4
"""No voice holds pitch and level this still for 80 ms; a machine does."""
_TONAL_LINES: Final = 4.3
"""Effective number of spectral bins: a windowed sine has 2, two equal sines 4."""


@dataclass(frozen=True, slots=True, eq=False)
class Activity:
    """What one frame of each slot is; every array has shape ``(n,)``."""

    voiced: NDArray[np.bool_]
    likely: NDArray[np.bool_]
    """Voiced, or nearly so: a creaky or short "ja" in noise. Never while our prompt sounds."""
    active: NDArray[np.bool_]
    """Loud enough for speech, whatever it is."""


class VoiceActivity:
    """Voice activity of ``slots`` calls; a frame in, a yes or no out, no clock.

    Args:
        slots: Rows of the frame matrix.
        settings: Levels and margins.
    """

    def __init__(self, slots: int, settings: AudioSettings) -> None:
        self._settings = settings
        self._floor = NoiseFloor(slots, len(_BANDS_HZ))
        self._frame_window = np.hanning(FRAME_SAMPLES + 2)[1:-1].astype(np.float32)
        self._bands = _band_matrix(self._frame_window)
        self._past = np.zeros((slots, _PAST_SAMPLES), dtype=np.float32)
        self._peak = np.zeros(slots, dtype=np.int64)
        self._level = np.zeros(slots, dtype=np.float32)
        self._frozen = np.zeros(slots, dtype=np.int64)
        self._window = np.hanning(WINDOW_SAMPLES + 1)[:WINDOW_SAMPLES].astype(np.float32)
        bins = np.arange(_LOWEST_BIN, _HIGHEST_BIN)[:, None]
        lags = np.arange(_SHORTEST_LAG, _LONGEST_LAG)
        # The inverse transform, only at the lags and bins that matter.
        self._correlation = np.cos(2 * np.pi * bins * lags / WINDOW_SAMPLES).astype(np.float32)
        self._samples = np.zeros((slots, WINDOW_SAMPLES), dtype=np.float32)

    def reset(self, slot: int) -> None:
        """Forget a slot's past: a new call begins."""
        self._floor.reset(slot)
        self._past[slot] = 0.0
        self._peak[slot] = 0
        self._level[slot] = 0.0
        self._frozen[slot] = 0

    def measure(
        self,
        slots: NDArray[np.intp],
        frames: NDArray[np.float32],
        playing: NDArray[np.bool_],
        speaking: NDArray[np.bool_],
    ) -> Activity:
        """Judge one frame of each of ``n`` slots.

        Args:
            slots: Shape ``(n,)``, no slot twice.
            frames: Shape ``(n, 160)``, int16 scale, 8000 Hz.
            playing: Shape ``(n,)``: our prompt sounds, so its echo must not pass for speech.
            speaking: Shape ``(n,)``: the caller spoke a moment ago, so less will do.
        """
        settings = self._settings
        samples = self._samples[: len(slots)]
        samples[:, :_PAST_SAMPLES] = self._past[slots]
        samples[:, _PAST_SAMPLES:] = frames
        self._past[slots] = samples[:, -_PAST_SAMPLES:]
        samples -= samples.mean(axis=1, keepdims=True)

        # Only the new samples: the end of speech is known to the frame.
        level = weighted_dbfs(samples[:, _PAST_SAMPLES - 1 :])
        spectrum = np.fft.rfft(samples[:, _PAST_SAMPLES:] * self._frame_window, axis=1)
        power = _power(spectrum)
        bands = power_dbfs(one_thread_product(power, self._bands))
        floor = self._floor.update(slots, bands)
        above = (bands - floor).max(axis=1)
        margin = np.where(
            playing,
            np.float32(settings.barge_in_margin_db),
            np.float32(settings.speech_margin_db),
        )
        minimum = np.where(
            playing,
            np.float32(settings.barge_in_level_dbfs),
            np.float32(settings.minimum_level_dbfs),
        )
        periodicity, steady_tone = self._spectrum(slots, samples, level)
        voice_like = (above > margin) & (level > minimum) & ~steady_tone
        sure = np.float32(settings.voiced_periodicity)
        nearly = np.float32(_NEARLY * settings.voiced_periodicity)
        voiced = voice_like & (periodicity > np.where(speaking, nearly, sure))
        likely = voice_like & (periodicity > np.where(playing, sure, nearly))
        less = np.float32(_ACTIVE_BELOW_VOICED_DB)
        active = (above > margin - less) & (level > minimum - less)
        return Activity(voiced, likely, active)

    def _spectrum(
        self,
        slots: NDArray[np.intp],
        samples: NDArray[np.float32],
        level: NDArray[np.float32],
    ) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Periodicity 0..1 and whether the frame belongs to a steady tone, each ``(n,)``."""
        samples *= self._window
        spectrum = np.fft.rfft(samples, axis=1)[:, _LOWEST_BIN:_HIGHEST_BIN]
        power = _power(spectrum)
        # The magnitude, not the power: compression flattens the formants, so that noise with
        # a coloured spectrum does not look periodic (generalised autocorrelation).
        magnitude = np.sqrt(power)
        highest = one_thread_product(magnitude, self._correlation).max(axis=1)
        periodicity = highest / (magnitude.sum(axis=1) + np.float32(1e-6))

        total = power.sum(axis=1)
        lines = total * total / (np.einsum("ij,ij->i", power, power) + np.float32(1e-6))
        peak = power.argmax(axis=1)
        moved = np.abs(level - self._level[slots])
        still = np.abs(peak - self._peak[slots]) <= 1
        frozen = np.where(still & (moved < np.float32(_FROZEN_DB)), self._frozen[slots] + 1, 0)
        self._peak[slots] = peak
        self._level[slots] = level
        self._frozen[slots] = frozen
        tone = still & (moved < np.float32(_STEADY_DB)) & (lines < np.float32(_TONAL_LINES))
        tone |= frozen >= _FROZEN_FRAMES
        return periodicity, tone


def _power(spectrum: NDArray[np.complexfloating]) -> NDArray[np.float32]:
    """Squared magnitude; numpy keeps single precision through ``rfft`` (from 2.0)."""
    power = spectrum.real**2
    power += spectrum.imag**2
    return power.astype(np.float32, copy=False)


def _band_matrix(window: NDArray[np.float32]) -> NDArray[np.float32]:
    """Shape ``(81, bands)``: squared spectrum of a windowed frame to mean power, full scale 1."""
    hz = np.fft.rfftfreq(FRAME_SAMPLES, 1 / SAMPLE_RATE_HZ)
    # Parseval, both halves of the spectrum.
    scale = 2.0 / (FRAME_SAMPLES * float((window**2).sum()) * FULL_SCALE**2)
    columns = [np.where((hz >= low) & (hz < high), scale, 0.0) for low, high in _BANDS_HZ]
    return np.array(columns, dtype=np.float32).T.copy()
