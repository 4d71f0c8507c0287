"""From studio to telephone: what a room, a line, a codec and a network do to speech."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray
from scipy.signal import butter, fftconvolve, sosfilt

RATE_HZ = 8000
Audio = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Background noises and room responses, 8000 Hz."""

    noises: tuple[Audio, ...]
    rooms: tuple[Audio, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lines:
    """How rough the lines are.

    Attributes:
        noisy: Share of lines with noise.
        noise_below_db: Least and most that the noise is below the speech.
        losing: Share of lines that lose packets.
        clipped: Share of lines on which a microphone or an amplifier clips.
        tone: Standard deviation of the tilt of the spectrum, in nepers of power at its edges: what
            microphones and rooms differ in.
    """

    noisy: float
    noise_below_db: tuple[float, float]
    losing: float
    clipped: float
    tone: float


ORDINARY = Lines(noisy=0.55, noise_below_db=(5, 30), losing=0.35, clipped=0.0, tone=0.4)
ROUGH = Lines(noisy=0.7, noise_below_db=(5, 25), losing=0.5, clipped=0.08, tone=1.0)


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
    for packet in np.flatnonzero(rng.random(max(0, len(out) // 160 - 1)) < share) + 1:
        start = 160 * packet
        before = out[start - 160 : start] * np.float32(0.6)
        out[start : start + 160] = before if conceal else 0.0
    return out


def _noise(count: int, surroundings: Surroundings, rng: np.random.Generator) -> Audio:
    """Return noise at a level of 1: hiss of some colour, or what the surroundings offer."""
    if not surroundings.noises or rng.random() < 0.5:
        sound = rng.standard_normal(count, np.float32)
        if rng.random() < 0.5:  # from white to about pink
            sound[1:] += np.float32(rng.uniform(0, 0.95)) * sound[:-1]
    else:
        source = surroundings.noises[rng.integers(len(surroundings.noises))]
        start = int(rng.integers(len(source)))
        sound = np.take(source, np.arange(start, start + count), mode="wrap")
    level = float(np.sqrt(np.mean(sound**2)))
    return np.asarray(sound / np.float32(level + 1e-6), np.float32)


def clip(audio: Audio, rng: np.random.Generator) -> Audio:
    """Cut off peaks at 3..18 dB below the highest; the result may be as loud as can be."""
    peak = np.float32(np.abs(audio).max() + 1e-6)
    ceiling = peak * np.float32(10 ** (-rng.uniform(3, 18) / 20))
    loudest = np.float32(10 ** (-rng.uniform(0, 15) / 20))
    return np.asarray(np.clip(audio / ceiling, -1, 1) * loudest, np.float32)


def telephone(
    audio: Audio, surroundings: Surroundings, rng: np.random.Generator, lines: Lines = ORDINARY
) -> Audio:
    """Send one utterance through a random room, line and codec, with some quiet around it.

    Packets are lost before the codec or after it.
    """
    if surroundings.rooms and rng.random() < 0.2:
        room = surroundings.rooms[rng.integers(len(surroundings.rooms))]
        audio = np.asarray(fftconvolve(audio, room)[: len(audio)], np.float32)
    if rng.random() < 0.5:
        edges = [rng.uniform(100, 350), rng.uniform(3000, 3800)]
        sos = butter(2, edges, btype="band", fs=RATE_HZ, output="sos")
        audio = np.asarray(sosfilt(sos, audio), np.float32)
    level = np.float32(10 ** (rng.uniform(-32, -12) / 20))
    audio = audio * (level / (np.float32(np.sqrt(np.mean(audio**2))) + np.float32(1e-6)))
    quiet = [np.zeros(rng.integers(800, 4000), np.float32) for _ in range(2)]
    audio = np.concatenate([quiet[0], audio, quiet[1]])
    if rng.random() < lines.noisy:
        below = np.float32(10 ** (-rng.uniform(*lines.noise_below_db) / 20))
        audio = audio + _noise(len(audio), surroundings, rng) * (level * below)
    elif rng.random() < 0.6:
        hiss = np.float32(10 ** rng.uniform(-4.5, -3.2))
        audio = audio + rng.standard_normal(len(audio), np.float32) * hiss
    if lines.clipped and rng.random() < lines.clipped:
        audio = clip(audio, rng)
    audio = np.clip(audio + np.float32(rng.normal(0, 0.003)), -1, 1)
    loss = rng.uniform(0.01, 0.12) if rng.random() < lines.losing else 0.0
    early = rng.random() < 0.5
    if loss and early:
        audio = lose_packets(audio, loss, rng)
    codec = rng.choice(["ALAW", "ULAW", "GSM610", ""], p=[0.6, 0.15, 0.1, 0.15])
    if codec:
        audio = through_codec(audio, str(codec))
    if loss and not early:
        audio = lose_packets(audio, loss, rng)
    return np.asarray(audio, np.float32)


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
