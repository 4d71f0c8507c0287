"""Loudness and the noise floor."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from ivr.audio.levels import SILENCE_DBFS, NoiseFloor, weighted_dbfs
from tests.unit.audio.signals import level_dbfs, moments, silence, to_pcm


def weighted(samples: NDArray[np.floating]) -> float:
    return float(weighted_dbfs((samples * 32768).astype(np.float32)[None, :161])[0])


def test_full_scale_square_wave_is_zero_dbfs() -> None:
    """
    That is the reference of every level here.
    """
    square = np.tile(np.array([32767, -32768], dtype=np.int16), 80)

    assert pytest.approx(0.0, abs=0.01) == level_dbfs(square)


def test_full_scale_sine_is_three_db_less() -> None:
    """
    A sine's RMS is its peak divided by the square root of two.
    """
    sine = to_pcm(0.9999 * np.sin(2 * np.pi * 1000 * moments(0.1)))

    assert pytest.approx(-3.01, abs=0.02) == level_dbfs(sine)


@pytest.mark.parametrize("pcm", [silence(0), silence(0.02)])
def test_digital_silence_has_a_level(pcm: NDArray[np.int16]) -> None:
    """
    No infinities: silence is the lowest level there is.
    """
    assert SILENCE_DBFS == level_dbfs(pcm)


def test_weighting_ignores_dc_and_turns_hum_down() -> None:
    """
    A DC offset is nearly nothing, 50 Hz loses more than ten decibels, speech keeps its level.
    """
    time = moments(0.0202)
    tone = 0.1 * np.sqrt(2) * np.sin(2 * np.pi * 665 * time)
    hum = 0.1 * np.sqrt(2) * np.sin(2 * np.pi * 50 * time)

    assert pytest.approx(-20.0, abs=1.0) == weighted(tone)
    assert weighted(hum) < -30
    assert weighted(np.full_like(time, 0.1)) < -33


def test_floor_follows_louder_noise_within_two_seconds() -> None:
    """
    A caller who walks into the street is judged against the street.
    """
    floor = NoiseFloor(1, 1)
    slot = np.array([0])

    def hear(dbfs: float, frames: int) -> float:
        for _ in range(frames):
            level = floor.update(slot, np.array([[dbfs]], dtype=np.float32))
        return float(level[0, 0])

    assert pytest.approx(-60, abs=0.5) == hear(-60, 100)
    assert pytest.approx(-60, abs=0.5) == hear(-35, 50)
    assert pytest.approx(-35, abs=0.5) == hear(-35, 60)
    assert pytest.approx(-60, abs=0.5) == hear(-60, 15)


def test_new_call_forgets_the_floor_of_the_last() -> None:
    """
    A slot's next caller is not judged against the last one's street.
    """
    floor = NoiseFloor(2, 1)
    both = np.array([0, 1])
    for _ in range(200):
        floor.update(both, np.array([[-30.0], [-30.0]], dtype=np.float32))

    floor.reset(0)
    levels = floor.update(both, np.array([[-30.0], [-30.0]], dtype=np.float32))

    assert levels[0, 0] < -40
    assert pytest.approx(-30, abs=0.1) == float(levels[1, 0])
