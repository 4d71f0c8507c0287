"""Log-mel features, and how they relate to the MFCCs that vosk computes.

The network learns on log-mel bands, where noise, level and vocal-tract length are simple to vary.
vosk feeds it MFCCs, which are a linear map of the same bands: the export folds the inverse map into
the first layer.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

RATE_HZ = 8000
FRAME_BANDS = 40
FRAME_SAMPLES = 200
STEP_SAMPLES = 80
LOW_HZ = 20.0
HIGH_HZ = 3800.0
LIFTER = 22.0
"""Kaldi's default ``--cepstral-lifter``."""
FFT_SAMPLES = 256
PREEMPHASIS = 0.97
LEAST_ENERGY = float(np.finfo(np.float32).eps)


def log_mel(audio: NDArray[np.float32]) -> NDArray[np.float32]:
    """Compute log-mel energies as Kaldi does, without dither.

    Source: kaldi/src/feat/{feature-window,mel-computations,feature-fbank}.cc.

    Args:
        audio: Shape ``(n,)``, 8000 Hz, full scale ±1.

    Returns:
        Shape ``(frames, 40)``, 10 ms apart, 25 ms long; no frames below 200 samples.
    """
    if len(audio) < FRAME_SAMPLES:
        return np.zeros((0, FRAME_BANDS), np.float32)
    windows = np.lib.stride_tricks.sliding_window_view(audio, FRAME_SAMPLES)[::STEP_SAMPLES]
    frames = windows * np.float32(32768)
    frames -= frames.mean(axis=1, keepdims=True)
    raised = np.empty_like(frames)
    raised[:, 1:] = frames[:, 1:] - np.float32(PREEMPHASIS) * frames[:, :-1]
    raised[:, 0] = np.float32(1 - PREEMPHASIS) * frames[:, 0]
    raised *= povey_window()
    spectrum = np.fft.rfft(raised, FFT_SAMPLES)[:, : FFT_SAMPLES // 2]
    power = np.square(spectrum.real) + np.square(spectrum.imag)
    energies = power.astype(np.float32) @ mel_bank()
    return np.asarray(np.log(np.maximum(energies, LEAST_ENERGY)), np.float32)


@cache
def povey_window() -> NDArray[np.float32]:
    """Kaldi's ``povey`` window."""
    phase = 2 * np.pi * np.arange(FRAME_SAMPLES) / (FRAME_SAMPLES - 1)
    return ((0.5 - 0.5 * np.cos(phase)) ** 0.85).astype(np.float32)


def _mel(hz: NDArray[np.float64] | float) -> NDArray[np.float64]:
    return np.asarray(1127.0 * np.log(1.0 + np.asarray(hz) / 700.0), np.float64)


@cache
def mel_bank() -> NDArray[np.float32]:
    """Triangles over the mel scale, shape ``(128, 40)``."""
    edges = np.linspace(_mel(LOW_HZ), _mel(HIGH_HZ), FRAME_BANDS + 2)
    at = _mel(np.arange(FFT_SAMPLES // 2) * RATE_HZ / FFT_SAMPLES)[:, None]
    rising = (at - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - at) / (edges[2:] - edges[1:-1])
    return np.maximum(np.minimum(rising, falling), 0).astype(np.float32)


def mfcc_to_log_mel() -> NDArray[np.float64]:
    """Return the matrix M for which ``log_mel = mfcc @ M``, shape ``(40, 40)``.

    Source: Kaldi's ``ComputeDctMatrix`` (orthonormal DCT-II) and ``ComputeLifterCoeffs``.
    """
    bands = np.arange(FRAME_BANDS)
    dct = np.sqrt(2.0 / FRAME_BANDS) * np.cos(
        np.pi / FRAME_BANDS * (bands[None, :] + 0.5) * bands[:, None]
    )
    dct[0] = np.sqrt(1.0 / FRAME_BANDS)
    lifter = 1.0 + 0.5 * LIFTER * np.sin(np.pi * bands / LIFTER)
    return np.asarray(np.linalg.inv((lifter[:, None] * dct).T), np.float64)


def band_centres_hz() -> NDArray[np.float64]:
    """Return the centres of the mel bands, shape ``(40,)``, in Hz."""
    mel = np.linspace(_mel(LOW_HZ), _mel(HIGH_HZ), FRAME_BANDS + 2)[1:-1]
    return np.asarray(700.0 * (np.exp(mel / 1127.0) - 1.0), np.float64)
