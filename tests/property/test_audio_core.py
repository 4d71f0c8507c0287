"""What holds for the audio core whatever is heard and however it arrives."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from ivr.audio.levels import SILENCE_DBFS
from tests.unit.audio.signals import Line, hiss, key, level_dbfs, silence, voice

Pcm = NDArray[np.int16]

KINDS = ("silence", "voice", "hiss", "key", "wild")


def _sound(kind: str, frames: int, seed: int) -> Pcm:
    seconds = frames * 0.02
    if kind == "silence":
        return silence(seconds)
    if kind == "voice":
        return voice(seconds, dbfs=-35.0 + seed % 30, pitch_hz=80.0 + seed % 240)
    if kind == "hiss":
        return hiss(seconds, dbfs=-60.0 + seed % 45, seed=seed)
    if kind == "key":
        return key("0123456789*#"[seed % 12], frames * 20)
    noise = np.random.default_rng(seed).integers(-32768, 32768, frames * 160)
    return noise.astype(np.int16)


@st.composite
def calls(draw: st.DrawFn) -> Pcm:
    """Up to a dozen stretches of anything, whole frames."""
    parts = draw(
        st.lists(
            st.tuples(st.sampled_from(KINDS), st.integers(1, 60), st.integers(0, 9999)),
            min_size=1,
            max_size=12,
        )
    )
    return np.concatenate([_sound(*part) for part in parts])


chunkings = st.lists(st.integers(1, 40), min_size=1, max_size=8)


@settings(deadline=None, max_examples=25)
@given(pcm=calls(), chunks=chunkings)
def test_events_do_not_depend_on_how_frames_arrive(pcm: Pcm, chunks: list[int]) -> None:
    """
    One frame a tick or forty after a stall: the same audio gives the same turns and keys.
    """
    steady, jerky = Line(), Line()
    for line in (steady, jerky):
        line.attend(pause_ms=300, max_seconds=4)

    steady.hear(pcm)
    jerky.hear(pcm, frames_per_tick=chunks)

    assert steady.events == jerky.events
    np.testing.assert_array_equal(steady.sunk(), jerky.sunk())
    np.testing.assert_array_equal(steady.core.take_utterance(0), jerky.core.take_utterance(0))


@settings(deadline=None, max_examples=25)
@given(pcm=calls(), companion=calls(), chunks=chunkings)
def test_events_do_not_depend_on_other_callers(pcm: Pcm, companion: Pcm, chunks: list[int]) -> None:
    """
    A caller is heard the same alone as beside another who says something else.
    """
    alone, both = Line(), Line(callers=2)
    alone.attend(pause_ms=300)
    both.attend(0, pause_ms=300)
    both.attend(1, pause_ms=300)

    alone.hear(pcm)
    for start in range(0, len(pcm), 160):
        both.deliver(pcm[start : start + 160], 0)
        if start // 160 % 10 < chunks[0] % 10:
            both.deliver(companion[start : start + 160], 1)
        both.core.tick()

    assert alone.events == [event for event in both.events if event.slot == 0]


@settings(deadline=None, max_examples=25)
@given(pcm=calls(), playing=st.booleans())
def test_sink_and_utterance_are_the_same_stretch_of_the_call(pcm: Pcm, playing: bool) -> None:
    """
    Pre-roll to endpoint, nothing lost, nothing twice, and exactly what was on the line.
    """
    line = Line()
    line.attend(playing=playing, pause_ms=300, max_seconds=4)

    line.hear(pcm, silence(5))

    starts, ends = line.starts(), line.ends()
    assert len(starts) == len(ends) <= 1
    utterance = line.core.take_utterance(0)
    np.testing.assert_array_equal(utterance, line.sunk())
    for start, end in zip(starts, ends, strict=True):
        whole = np.concatenate([pcm, silence(5)])
        stop = round(end.at_seconds * 8000)
        begin = stop - len(utterance)
        np.testing.assert_array_equal(whole[begin:stop], utterance)
        preroll = start.at_seconds - begin / 8000
        assert abs(preroll - min(0.3, start.at_seconds)) < 1e-6
        assert start.at_seconds < end.last_energy_seconds <= end.at_seconds
        assert end.voiced_seconds <= end.last_energy_seconds - start.at_seconds + 1e-6


@settings(deadline=None, max_examples=25)
@given(
    pcm=calls(),
    max_seconds=st.floats(0.1, 3.0),
    pause_ms=st.integers(20, 60_000),
    changes=st.lists(st.tuples(st.integers(1, 50), st.integers(20, 60_000)), max_size=5),
)
def test_every_turn_ends_by_its_limit(
    pcm: Pcm, max_seconds: float, pause_ms: int, changes: list[tuple[int, int]]
) -> None:
    """
    However long the pause is set, and however often it is changed.
    """
    line = Line()
    line.attend(pause_ms=pause_ms, max_seconds=max_seconds)
    pcm = np.concatenate([pcm, silence(3.5)])

    for frames, pause in changes:
        line.hear(pcm[: frames * 160], silence(0.02))
        line.core.set_pause(0, pause)
        pcm = pcm[frames * 160 :]
    line.hear(pcm, silence(3.5))

    assert len(line.starts()) == len(line.ends())
    for start, end in zip(line.starts(), line.ends(), strict=True):
        # A turn is declared after its voiced minimum, so a limit below it ends it there.
        assert end.at_seconds - start.at_seconds <= max(max_seconds + 0.02, 0.45)
        assert len(line.core.take_utterance(0)) <= (max(max_seconds, 0.45) + 0.35) * 8000


@settings(deadline=None, max_examples=20)
@given(
    offset=st.integers(-8000, 8000),
    ripple=st.integers(0, 8),
    seed=st.integers(0, 99),
    playing=st.booleans(),
)
def test_silence_never_starts_a_turn(offset: int, ripple: int, seed: int, playing: bool) -> None:
    """
    Digital silence, a DC offset, idle noise of a codec: nobody spoke.
    """
    noise = np.random.default_rng(seed).integers(-ripple, ripple + 1, 8000 * 6)
    line = Line()
    line.attend(playing=playing)

    line.hear((offset + noise).astype(np.int16))

    assert [] == line.events


@given(pcm=calls(), halvings=st.integers(1, 3))
@settings(deadline=None, max_examples=25)
def test_halving_the_samples_takes_six_db(pcm: Pcm, halvings: int) -> None:
    """
    Levels are logarithmic and do not depend on order, sign or repetition.
    """
    even = (pcm // 2**halvings * 2**halvings).astype(np.int16)
    quiet = (even // 2**halvings).astype(np.int16)
    loud_level, quiet_level = level_dbfs(even), level_dbfs(quiet)

    if quiet_level > SILENCE_DBFS:
        assert abs(loud_level - quiet_level - 6.0206 * halvings) < 0.01
    assert SILENCE_DBFS <= quiet_level <= loud_level <= 0.001
    # Levels are of single precision.
    assert abs(level_dbfs(np.concatenate([even, even])) - loud_level) < 1e-4
    assert abs(level_dbfs(even[::-1]) - loud_level) < 1e-4
