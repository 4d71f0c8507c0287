"""Keys in the audio itself."""

from __future__ import annotations

import numpy as np
import pytest

from tests.unit.audio.signals import Line, hiss, key, silence, to_pcm, voice

EVERY_KEY = "123A456B789C*0#D"


def pressed(sequence: str, *, tone_ms: int, pause_ms: int, offset_samples: int = 0) -> Line:
    line = Line()
    parts = [silence(0.1), np.zeros(offset_samples, dtype=np.int16)]
    for digit in sequence:
        parts += [key(digit, tone_ms), silence(pause_ms / 1000)]
    line.hear(*parts, silence(0.1))
    return line


@pytest.mark.parametrize("offset_samples", [0, 13, 40, 80, 119, 159])
def test_shortest_legal_tone_is_heard_wherever_it_falls(offset_samples: int) -> None:
    """
    Every key of 40 ms with pauses of 40 ms, at any place against the frames.
    """
    line = pressed(EVERY_KEY, tone_ms=40, pause_ms=40, offset_samples=offset_samples)

    assert EVERY_KEY == line.digits()


@pytest.mark.parametrize("offset_samples", [0, 13, 40, 80, 119, 159])
def test_tone_of_twenty_ms_is_no_key(offset_samples: int) -> None:
    """
    So short a tone is a click or a word, not a finger.
    """
    line = pressed(EVERY_KEY, tone_ms=20, pause_ms=60, offset_samples=offset_samples)

    assert "" == line.digits()


def test_held_key_is_one_digit_and_repeated_key_two() -> None:
    """
    What counts is the release in between.
    """
    line = pressed("5", tone_ms=1500, pause_ms=60)
    twice = pressed("55", tone_ms=100, pause_ms=60)

    assert "5" == line.digits()
    assert "55" == twice.digits()


@pytest.mark.parametrize("dbfs_of_noise", [-60, -38])
def test_keys_are_heard_through_noise(dbfs_of_noise: float) -> None:
    """
    Tones of 80 ms, at the louder noise 15 dB above it.
    """
    tones = np.concatenate([np.concatenate([key(d, 80), silence(0.08)]) for d in "0123456789"])
    noisy = to_pcm((tones + hiss(len(tones) / 8000, dbfs=dbfs_of_noise).astype(float)) / 32768)
    line = Line()

    line.hear(noisy, silence(0.1))

    assert "0123456789" == line.digits()


def test_keys_are_heard_with_unequal_tones() -> None:
    """
    Lines damp high tones: up to 6 dB of twist either way must not matter.
    """
    for low, high in ((0.1, 0.195), (0.195, 0.1)):
        parts = [silence(0.1)]
        for digit in "147*":
            both = key(digit, 60).astype(float) / 3276.8
            row_only = _row_tone(digit, 60)
            parts += [to_pcm(low * row_only + high * (both - row_only)), silence(0.06)]
        line = Line()
        line.hear(*parts, silence(0.1))

        assert "147*" == line.digits()


def _row_tone(digit: str, ms: int) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    hz = {"1": 697.0, "4": 770.0, "7": 852.0, "*": 941.0}[digit]
    return np.sin(2 * np.pi * hz * np.arange(ms * 8) / 8000)


@pytest.mark.parametrize("pitch_hz", [85, 120, 180, 250, 330])
def test_voice_is_no_key(pitch_hz: float) -> None:
    """
    The talk-off guard: a speaking caller presses nothing.
    """
    line = Line()

    line.hear(voice(8, pitch_hz=pitch_hz, dbfs=-12))

    assert "" == line.digits()


def test_key_is_no_speech() -> None:
    """
    Pressing a key does not begin a turn.
    """
    line = Line()
    line.attend()

    line.hear(silence(0.5), *[np.concatenate([key(d, 300), silence(0.1)]) for d in "159#"])

    assert [] == line.starts()
    assert "159#" == line.digits()


def test_keys_of_two_callers_do_not_mix() -> None:
    """
    Each caller's keys are theirs, also at the same moment.
    """
    line = Line(callers=2)
    for digits in ("13", "24"):
        one, two = (np.concatenate([key(d, 60), silence(0.06)]) for d in digits)
        for start in range(0, len(one), 160):
            line.deliver(one[start : start + 160], 0)
            line.deliver(two[start : start + 160], 1)
            line.core.tick()

    assert ("12", "34") == (line.digits(0), line.digits(1))


def test_digit_is_in_no_repr() -> None:
    """
    Keys are personal data: a logged event must not show them.
    """
    line = pressed("7", tone_ms=80, pause_ms=60)

    assert "7" not in repr(line.events)
