"""From studio to telephone: what a line, a room and a network do to speech.

Waveform effects are applied once, when the features are made; effects that are sums and shifts of
log-mel features (noise, level, tone, tempo, vocal tract) are drawn anew for each batch.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray
from scipy.signal import butter, fftconvolve, sosfilt

from asr.training.features import FRAME_BANDS, band_centres_hz, log_mel

RATE_HZ = 8000
Audio = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Background noises and room responses, 8000 Hz."""

    noises: tuple[Audio, ...]
    rooms: tuple[Audio, ...]


def load_surroundings(folder: Path) -> Surroundings:
    """Read ``noise_*.flac`` and ``rir_*.flac``; without files there is only synthetic noise."""
    noises = tuple(_read(path) for path in sorted(folder.glob("noise_*.flac")))
    rooms: list[Audio] = []
    for path in sorted(folder.glob("rir_*.flac")):
        response = _read(path)
        peak = int(np.argmax(np.abs(response)))
        rooms.append(response[peak : peak + 3000] / np.abs(response[peak]))
    return Surroundings(noises, tuple(rooms))


def _read(path: Path) -> Audio:
    audio, rate_hz = soundfile.read(path, dtype="float32")
    if rate_hz != RATE_HZ:
        raise ValueError(f"{path}: {rate_hz} Hz, but the recipe wants 8000 Hz")
    return np.asarray(audio if audio.ndim == 1 else audio.mean(axis=1), np.float32)


def through_codec(audio: Audio, codec: str) -> Audio:
    """Encode and decode.

    Args:
        audio: Shape ``(n,)``, full scale ±1.
        codec: ``ALAW``, ``ULAW`` or ``GSM610``, as libsndfile calls them.
    """
    buffer = io.BytesIO()
    soundfile.write(buffer, audio, RATE_HZ, format="WAV", subtype=codec)
    buffer.seek(0)
    decoded, _ = soundfile.read(buffer, dtype="float32")
    return np.asarray(decoded[: len(audio)], np.float32)


def lose_packets(audio: Audio, share: float, rng: np.random.Generator) -> Audio:
    """Replace 20 ms packets by silence, or by the fading packet before (simple concealment)."""
    out = audio.copy()
    conceal = rng.random() < 0.6
    for start in range(160, len(out) - 160, 160):
        if rng.random() < share:
            before = out[start - 160 : start] * 0.6
            out[start : start + 160] = before if conceal else 0.0
    return out


def telephone(audio: Audio, surroundings: Surroundings, rng: np.random.Generator) -> Audio:
    """Send one utterance through a random room, line and codec, with some quiet around it."""
    if surroundings.rooms and rng.random() < 0.25:
        room = surroundings.rooms[rng.integers(len(surroundings.rooms))]
        audio = np.asarray(fftconvolve(audio, room)[: len(audio)], np.float32)
    if rng.random() < 0.6:
        edges = [rng.uniform(100, 350), rng.uniform(3000, 3800)]
        sos = butter(2, edges, btype="band", fs=RATE_HZ, output="sos")
        audio = np.asarray(sosfilt(sos, audio), np.float32)
    quiet = [np.zeros(rng.integers(800, 4000), np.float32) for _ in range(2)]
    audio = np.concatenate([quiet[0], audio, quiet[1]])
    speech_level = float(np.sqrt(np.mean(audio**2))) + 1e-6
    audio = audio * np.float32(10 ** (rng.uniform(-30, -12) / 20) / speech_level)
    if rng.random() < 0.5:
        hiss = rng.normal(0, 10 ** rng.uniform(-4.5, -3.2), len(audio))
        audio = audio + hiss.astype(np.float32)
    audio = np.clip(audio, -1, 1).astype(np.float32)
    codec = rng.choice(["ALAW", "ULAW", "GSM610", ""], p=[0.55, 0.15, 0.12, 0.18])
    if codec:
        audio = through_codec(audio, str(codec))
    if rng.random() < 0.12:
        audio = lose_packets(audio, rng.uniform(0.01, 0.08), rng)
    return audio


def synthetic_noise(seconds: float, rng: np.random.Generator) -> Audio:
    """Make noise, tones, music-like chords or hum: sounds that hold no speech."""
    count = int(seconds * RATE_HZ)
    time = np.arange(count) / RATE_HZ
    kind = rng.integers(5)
    if kind == 0:
        sound = rng.normal(0, 1, count)
    elif kind == 1:
        spectrum = np.fft.rfft(rng.normal(0, 1, count))
        spectrum /= np.maximum(np.arange(len(spectrum)), 1) ** rng.uniform(0.3, 1.0)
        sound = np.fft.irfft(spectrum, count)
    elif kind == 2:
        sound = np.zeros(count)
        tempo, root = rng.uniform(0.2, 0.8), rng.uniform(110, 330)
        for beat in np.arange(0, seconds, tempo):
            envelope = np.where(time >= beat, np.exp(-np.maximum(time - beat, 0) * 3), 0)
            for note in rng.choice(13, 3, replace=False):
                pitch = root * 2 ** (note / 12)
                for harmonic in range(1, 5):
                    sound += envelope * np.sin(2 * np.pi * pitch * harmonic * time) / harmonic
    elif kind == 3:
        low, high = rng.choice([697, 770, 852, 941, 425]), rng.choice([1209, 1336, 1477, 450])
        gate = (time % rng.uniform(0.3, 2.0)) < rng.uniform(0.1, 1.0)
        sound = (np.sin(2 * np.pi * low * time) + np.sin(2 * np.pi * high * time)) * gate
    else:
        hum = sum(np.sin(2 * np.pi * 50 * k * time) / k for k in range(1, 12))
        sound = np.asarray(hum) + 0.2 * rng.normal(0, 1, count)
    level = 10 ** (rng.uniform(-45, -12) / 20)
    return np.asarray(sound / (np.sqrt(np.mean(sound**2)) + 1e-9) * level, np.float32)


def noise_bank(surroundings: Surroundings, rng: np.random.Generator) -> list[NDArray[np.float32]]:
    """Return log-mel features of noises, each shape ``(frames, 40)``, of about equal energy."""
    sounds = [*surroundings.noises, *(synthetic_noise(12, rng) for _ in range(20))]
    bank: list[NDArray[np.float32]] = []
    for sound in sounds:
        frames = log_mel(sound[: 60 * RATE_HZ])
        bank.append(frames - np.float32(np.log(np.exp(frames).mean())))
    return bank


class MelAugmenter:
    """Draws a new tempo, vocal tract, level, tone and noise for log-mel features.

    Args:
        noises: From :func:`noise_bank`.
        rng: Source of chance.
    """

    def __init__(self, noises: list[NDArray[np.float32]], rng: np.random.Generator) -> None:
        self._noises = noises
        self._rng = rng
        self._warps = [_warp_matrix(factor) for factor in np.linspace(0.86, 1.16, 25)]

    def __call__(self, frames: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return changed features.

        Args:
            frames: Shape ``(t, 40)``, log-mel.

        Returns:
            Shape ``(t', 40)``, t' within 15 % of t.
        """
        rng = self._rng
        x = frames
        if rng.random() < 0.7:
            count = max(2, round(len(x) * rng.uniform(0.87, 1.15)))
            at = np.linspace(0, len(x) - 1, count)
            low = np.minimum(at.astype(np.int64), len(x) - 2)
            share = (at - low)[:, None].astype(np.float32)
            x = x[low] * (1 - share) + x[low + 1] * share
        if rng.random() < 0.8:
            x = x @ self._warps[rng.integers(len(self._warps))]
        bands = np.linspace(-1, 1, FRAME_BANDS)
        tone = rng.normal(0, 0.5) * bands + rng.normal(0, 0.4) * (bands**2 - 0.33)
        x = x + (rng.normal(0, 1.0) + tone).astype(np.float32)
        if self._noises and rng.random() < 0.65:
            noise = self._noises[rng.integers(len(self._noises))]
            start = int(rng.integers(len(noise)))
            piece = noise[(start + np.arange(len(x))) % len(noise)]
            energy = np.log(np.exp(np.minimum(x, 30)).mean() + 1e-9)
            snr = rng.uniform(4, 32) * 0.2303
            x = np.logaddexp(x, piece + np.float32(energy - snr)).astype(np.float32)
        else:
            x = x.copy()
        for _ in range(2):
            start = int(rng.integers(max(1, len(x) - 20)))
            x[start : start + int(rng.integers(0, 16))] = x.mean()
        if rng.random() < 0.5:
            band = int(rng.integers(FRAME_BANDS - 5))
            x[:, band : band + int(rng.integers(0, 6))] = x.mean()
        return np.asarray(x, np.float32)


def _warp_matrix(factor: float) -> NDArray[np.float32]:
    """Move energy along the frequency axis, as a longer or shorter vocal tract does."""
    centres = band_centres_hz()
    at = np.interp(centres * factor, centres, np.arange(FRAME_BANDS))
    low = np.minimum(at.astype(np.int64), FRAME_BANDS - 2)
    matrix = np.zeros((FRAME_BANDS, FRAME_BANDS), np.float32)
    for band in range(FRAME_BANDS):
        matrix[low[band], band] = 1 - (at[band] - low[band])
        matrix[low[band] + 1, band] = at[band] - low[band]
    return matrix
