"""What counts as a caller speaking, and what does not."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.unit.audio.signals import Line, at_level, hiss, key, moments, silence, to_pcm, voice

Sound = Callable[[], NDArray[np.int16]]
SECONDS = 8.0
TIME = moments(SECONDS)


def sine(hz: float, amplitude: float = 0.1) -> NDArray[np.float64]:
    return amplitude * np.sin(2 * np.pi * hz * TIME)


def clicks() -> NDArray[np.int16]:
    wave = np.zeros(len(TIME))
    wave[::3777] = 0.8
    wave[1::3777] = -0.6
    return to_pcm(wave)


def comfort_noise() -> NDArray[np.int16]:
    """Digital silence, then noise whose level steps, as a gateway makes it."""
    return np.concatenate([silence(1), *[hiss(1, dbfs=d, seed=-d) for d in (-62, -52, -57, -48)]])


NO_SPEECH: dict[str, Sound] = {
    "digital silence": lambda: silence(SECONDS),
    "idle noise of G.711": lambda: (
        np.random.default_rng(3)
        .choice(np.array([-8, 8], dtype=np.int16), len(TIME))
        .astype(np.int16)
    ),
    "hiss": lambda: hiss(SECONDS, dbfs=-30),
    "hiss that begins suddenly": lambda: np.concatenate([silence(2), hiss(6, dbfs=-25)]),
    "comfort noise": comfort_noise,
    "DC offset": lambda: np.full(len(TIME), 6000, dtype=np.int16),
    "DC steps": lambda: to_pcm(0.3 * ((TIME % 2) < 1)),
    "clicks": clicks,
    "mains hum": lambda: to_pcm(sum((sine(50 * h, 0.1 / h) for h in range(1, 12)), start=0 * TIME)),
    "buzz": lambda: to_pcm(0.05 * np.sign(sine(100))),
    "dial tone": lambda: to_pcm(sine(425)),
    "busy tone": lambda: to_pcm(sine(425) * ((TIME % 1) < 0.5)),
    "ringing": lambda: to_pcm((sine(400) + sine(450)) * ((TIME % 3) < 1)),
    "fax calling": lambda: to_pcm(sine(1100) * ((TIME % 3.5) < 0.5)),
    "held key": lambda: key("5", 4000),
}


@pytest.mark.parametrize("playing", [False, True])
@pytest.mark.parametrize("name", list(NO_SPEECH))
def test_what_is_not_a_voice_starts_no_turn(name: str, playing: bool) -> None:
    """
    Neither while we listen nor while our prompt sounds.
    """
    line = Line()
    line.attend(playing=playing)

    line.hear(silence(0.5), NO_SPEECH[name]())

    assert [] == line.starts()


@pytest.mark.parametrize("pitch_hz", [78, 120, 210, 300])
@pytest.mark.parametrize("dbfs", [-6, -22, -35])
def test_voices_of_any_pitch_and_loudness_count(dbfs: float, pitch_hz: float) -> None:
    """
    Within 150 ms of its start, from a whisper of a line to one that nearly clips.
    """
    line = Line()
    line.attend()

    line.hear(hiss(1.0, dbfs=-66), voice(1.5, dbfs=dbfs, pitch_hz=pitch_hz), silence(1))

    (start,) = line.starts()
    (end,) = line.ends()
    assert pytest.approx(1.0, abs=0.15) == start.at_seconds
    assert pytest.approx(2.5, abs=0.1) == end.last_energy_seconds


@pytest.mark.parametrize("pitch_hz", [100, 220])
def test_voice_counts_in_noise_fifteen_db_below_it(pitch_hz: float) -> None:
    """
    A caller in the street is heard, and the street does not keep the turn open.
    """
    speech = np.concatenate([silence(3), voice(2, dbfs=-22, pitch_hz=pitch_hz), silence(3)])
    noisy = to_pcm((speech + hiss(8, dbfs=-37).astype(float)) / 32768)
    line = Line()
    line.attend()

    line.hear(noisy)

    (start,) = line.starts()
    (end,) = line.ends()
    assert pytest.approx(3.0, abs=0.15) == start.at_seconds
    assert pytest.approx(5.0, abs=0.2) == end.last_energy_seconds


def test_hum_and_offset_do_not_hide_a_voice() -> None:
    """
    A bad line with a voice on it is still a voice.
    """
    speech = np.concatenate([silence(3), voice(2), silence(3)]).astype(float) / 32768
    hum = sum((sine(50 * h, 0.02 / h) for h in range(1, 8)), start=0 * TIME)
    line = Line()
    line.attend()

    line.hear(to_pcm(speech + hum + 0.1))

    (start,) = line.starts()
    (end,) = line.ends()
    assert pytest.approx(3.0, abs=0.15) == start.at_seconds
    assert pytest.approx(5.0, abs=0.15) == end.last_energy_seconds


@pytest.mark.parametrize("cut_samples", [0, 40, 100, 159])
def test_last_energy_is_known_to_the_frame(cut_samples: int) -> None:
    """
    Dead air is measured from it, so the hangover of the detector must not be in it.
    """
    speech = voice(1.2)[: 8000 + cut_samples]
    spoken_until = 0.5 + len(speech) / 8000
    line = Line()
    line.attend(pause_ms=400)

    line.hear(silence(0.5), speech, silence(0.02 - cut_samples / 8000), silence(1))

    (end,) = line.ends()
    assert pytest.approx(spoken_until, abs=0.0201) == end.last_energy_seconds


def test_unvoiced_ending_belongs_to_the_turn_and_late_noise_does_not() -> None:
    """
    A final s is energy of the caller; hiss a second after the last word is not.
    """
    s = to_pcm(at_level(np.diff(np.random.default_rng(5).standard_normal(1281)), -30))
    line = Line()
    line.attend(pause_ms=1500)

    line.hear(silence(0.5), voice(1), s, silence(1.0), hiss(0.5, dbfs=-30), silence(1))

    (end,) = line.ends()
    assert pytest.approx(1.66, abs=0.041) == end.last_energy_seconds


def test_echo_of_our_prompt_does_not_barge_in() -> None:
    """
    A voice at the level of line echo stops no prompt, but counts once the prompt is over.
    """
    echo = voice(3, dbfs=-48)
    while_playing, while_listening = Line(), Line()
    while_playing.attend(playing=True)
    while_listening.attend()

    while_playing.hear(silence(0.5), echo)
    while_listening.hear(silence(0.5), echo)

    assert [] == while_playing.starts()
    assert 1 == len(while_listening.starts())
