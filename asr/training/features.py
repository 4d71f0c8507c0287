"""Log-mel features, and how they relate to the MFCCs that vosk computes.

The network learns on log-mel bands, where noise, level and vocal-tract length are simple to vary.
vosk feeds it MFCCs, which are a linear map of the same bands: the export folds the inverse map into
the first layer.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

RATE_HZ = 8000
FRAME_BANDS = 40
LOW_HZ = 20.0
HIGH_HZ = 3800.0
_LIFTER = 22.0
"""Kaldi's default ``--cepstral-lifter``."""


def _frame_options(options: Any) -> None:
    options.samp_freq = RATE_HZ
    options.dither = 0.0
    options.snip_edges = True


def log_mel(audio: NDArray[np.float32]) -> NDArray[np.float32]:
    """Compute log-mel energies as Kaldi does.

    Args:
        audio: Shape ``(n,)``, 8000 Hz, full scale ±1.

    Returns:
        Shape ``(frames, 40)``, 10 ms apart, 25 ms long; no frames below 200 samples.
    """
    import kaldi_native_fbank as knf  # only training needs it, not those who read our settings

    options = knf.FbankOptions()
    _frame_options(options.frame_opts)
    options.mel_opts.num_bins = FRAME_BANDS
    options.mel_opts.low_freq = LOW_HZ
    options.mel_opts.high_freq = HIGH_HZ
    options.use_energy = False
    return _run(knf.OnlineFbank(options), audio)


def mfcc(audio: NDArray[np.float32]) -> NDArray[np.float32]:
    """Compute MFCCs with the options of the model's ``conf/mfcc.conf``; shape as log_mel."""
    import kaldi_native_fbank as knf

    options = knf.MfccOptions()
    _frame_options(options.frame_opts)
    options.mel_opts.num_bins = FRAME_BANDS
    options.num_ceps = FRAME_BANDS
    options.mel_opts.low_freq = LOW_HZ
    options.mel_opts.high_freq = HIGH_HZ
    options.use_energy = False
    return _run(knf.OnlineMfcc(options), audio)


def _run(extractor: Any, audio: NDArray[np.float32]) -> NDArray[np.float32]:
    extractor.accept_waveform(RATE_HZ, (audio * 32768).tolist())
    extractor.input_finished()
    count = extractor.num_frames_ready
    if not count:
        return np.zeros((0, FRAME_BANDS), np.float32)
    return np.stack([extractor.get_frame(i) for i in range(count)]).astype(np.float32)


def mfcc_to_log_mel() -> NDArray[np.float64]:
    """Return the matrix M for which ``log_mel = mfcc @ M``, shape ``(40, 40)``.

    Source: Kaldi's ``ComputeDctMatrix`` (orthonormal DCT-II) and ``ComputeLifterCoeffs``.
    """
    bands = np.arange(FRAME_BANDS)
    dct = np.sqrt(2.0 / FRAME_BANDS) * np.cos(
        np.pi / FRAME_BANDS * (bands[None, :] + 0.5) * bands[:, None]
    )
    dct[0] = np.sqrt(1.0 / FRAME_BANDS)
    lifter = 1.0 + 0.5 * _LIFTER * np.sin(np.pi * bands / _LIFTER)
    return np.asarray(np.linalg.inv((lifter[:, None] * dct).T), np.float64)


def band_centres_hz() -> NDArray[np.float64]:
    """Return the centres of the mel bands, shape ``(40,)``, in Hz."""
    low, high = (1127.0 * np.log(1.0 + hz / 700.0) for hz in (LOW_HZ, HIGH_HZ))
    mel = np.linspace(low, high, FRAME_BANDS + 2)[1:-1]
    return np.asarray(700.0 * (np.exp(mel / 1127.0) - 1.0), np.float64)
