"""Dead air from a recording, on sounds whose times are known."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from ivr.demo.dead_air import dead_air_ms, dead_airs


def channel(seconds: float, *sounds: tuple[float, float]) -> NDArray[np.int16]:
    """Silence with a tone from each start to its end, in seconds."""
    samples = np.zeros(round(seconds * 8000), dtype=np.int16)
    for start, end in sounds:
        at = slice(round(start * 8000), round(end * 8000))
        samples[at] = (6000 * np.sin(np.arange(at.stop - at.start))).astype(np.int16)
    return samples


def test_prompt_after_speech_is_measured() -> None:
    """
    From the caller's last energy to the first of the prompt; the greeting does not count.
    """
    said = channel(8, (2.0, 4.0))
    heard = channel(8, (0.1, 1.2), (4.65, 6.0))

    assert [pytest.approx(650, abs=6)] == dead_air_ms(np.stack([said, heard], axis=1))


def test_each_turn_is_measured_once() -> None:
    """
    A prompt with pauses, and a prompt that follows a prompt, are no further turns.
    """
    said = channel(20, (2.0, 3.0), (3.4, 4.0), (8.0, 9.0))
    heard = channel(20, (0.0, 1.0), (4.5, 5.0), (5.5, 6.0), (7.0, 7.5), (10.0, 11.0), (12.0, 13.0))

    assert [pytest.approx(500, abs=6), pytest.approx(1000, abs=6)] == [
        wait.ms for wait in dead_airs(said, heard)
    ]


def test_talking_over_a_prompt() -> None:
    """
    The prompt that is talked over is not measured, the next one is.
    """
    said = channel(8, (1.5, 3.0))
    heard = channel(8, (0.5, 1.9), (3.8, 5.0))

    assert [pytest.approx(800, abs=6)] == [wait.ms for wait in dead_airs(said, heard)]


def test_times_are_on_the_recordings_clock() -> None:
    """
    Both ends of the wait are told.
    """
    (wait,) = dead_airs(channel(5, (1.0, 2.0)), channel(5, (2.5, 3.0)))

    assert pytest.approx(2.0, abs=0.006) == wait.last_word_seconds
    assert pytest.approx(2.5, abs=0.006) == wait.prompt_seconds


def test_clicks_and_line_noise_are_no_prompt() -> None:
    """
    A click of 5 ms and noise below the threshold are silence.
    """
    heard = channel(6, (3.0, 3.005), (4.0, 5.0))
    heard += np.random.default_rng(1).integers(-30, 30, heard.size).astype(np.int16)

    assert [pytest.approx(2000, abs=6)] == [
        wait.ms for wait in dead_airs(channel(6, (1.0, 2.0)), heard)
    ]


@pytest.mark.parametrize("samples", [0, 17, 8000])
def test_nothing_heard(samples: int) -> None:
    """
    No prompt, no dead air; any length will do.
    """
    empty = np.zeros((samples, 2), dtype=np.int16)

    assert [] == dead_air_ms(empty)
