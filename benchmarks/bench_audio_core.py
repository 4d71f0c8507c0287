"""Claim: voice activity, turns and inband keys of 100 calls take at most 5 % of one core.

Every call hears speech-like sound with pauses and is in a turn with a sink most of the time.
The baseline is what one would write first: the same judgement, one call at a time.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.common import Measurement, arguments, finish, percentile, report
from ivr.audio.core import AudioCore
from ivr.audio.frames import FRAME_OCTETS, FRAME_SAMPLES, FRAME_SECONDS, FrameMatrix, FrameSlot
from ivr.ports import AudioEvent, UtteranceEnded

CALLS = (1, 20, 100, 500)
TARGET_PERCENT_OF_CORE = {100: 5.0}
DATA = "synthetic callers, seed 7"


def conversation(seconds: float) -> bytes:
    """Bursts of a gliding harmonic voice with pauses, over line noise; int16 octets."""
    generator = np.random.default_rng(7)
    time_axis = np.arange(round(seconds * 8000)) / 8000
    pitch = 130 * (1 + 0.2 * np.sin(2 * np.pi * 0.7 * time_axis))
    phase = 2 * np.pi * np.cumsum(pitch) / 8000
    wave = np.zeros_like(time_axis)
    for harmonic in range(1, 20):
        wave += np.sin(harmonic * phase + harmonic**2) / harmonic
    wave *= (1 + 0.5 * np.sin(2 * np.pi * 4 * time_axis)) * ((time_axis % 4) < 2.8)
    wave = 2500 * wave + generator.normal(0, 30, len(wave))
    return np.clip(wave, -32768, 32767).astype(np.int16).tobytes()


class Callers:
    """``count`` callers at different places of the same conversation, on one or many cores."""

    def __init__(self, count: int, *, per_core: int) -> None:
        self.audio = conversation(60.0)
        self.frames = len(self.audio) // FRAME_OCTETS
        self.cores: list[AudioCore] = []
        self.slots: list[FrameSlot] = []
        self.samples_sunk = 0
        self.events = 0
        for _ in range(0, count, per_core):
            self._add_core(min(per_core, count))

    def _add_core(self, slots: int) -> None:
        matrix = FrameMatrix(slots)

        def heard(event: AudioEvent) -> None:
            self.events += 1
            if isinstance(event, UtteranceEnded):
                core.take_utterance(event.slot)
                self._attend(core, event.slot)

        core = AudioCore(matrix, heard)
        for _ in range(slots):
            slot = matrix.claim()
            if slot is None:
                raise RuntimeError("the matrix is too small")
            self.slots.append(slot)
            core.open(slot.index)
            self._attend(core, slot.index)
        self.cores.append(core)

    def _attend(self, core: AudioCore, slot: int) -> None:
        core.attend(slot, playing=False, pause_ms=600, max_seconds=15, sink=self._sink)

    def _sink(self, pcm: NDArray[np.int16]) -> None:
        self.samples_sunk += len(pcm)

    def deliver(self, tick: int) -> None:
        """One frame to every caller, as the media thread would."""
        for number, slot in enumerate(self.slots):
            start = (tick + 37 * number) % self.frames * FRAME_OCTETS
            slot.rows[slot.count % len(slot.rows)][:] = self.audio[start : start + FRAME_OCTETS]
            slot.count += 1

    def tick_seconds(self, ticks: int, warm_up: int) -> list[float]:
        """CPU seconds of each tick of all cores together, after a warm-up."""
        spent = []
        for tick in range(ticks + warm_up):
            self.deliver(tick)
            began = time.thread_time()
            for core in self.cores:
                core.tick()
            if tick >= warm_up:
                spent.append(time.thread_time() - began)
        return spent


def main() -> None:
    """Measure and print."""
    parser = arguments(__doc__.splitlines()[0])
    parser.add_argument("--ticks", type=int, default=500, help="ticks measured per size")
    options = parser.parse_args()
    made = report(as_json=options.json, packages=["numpy"])
    for calls in CALLS:
        callers = Callers(calls, per_core=calls)
        spent = callers.tick_seconds(options.ticks, warm_up=150)
        if callers.samples_sunk < calls * options.ticks * FRAME_SAMPLES // 4:
            raise RuntimeError("the callers were not heard: this would measure silence")
        naive = Callers(calls, per_core=1)
        naive_spent = naive.tick_seconds(max(20, options.ticks // calls), warm_up=5)
        percent = 100 * sum(spent) / len(spent) / FRAME_SECONDS
        naive_percent = 100 * sum(naive_spent) / len(naive_spent) / FRAME_SECONDS
        milliseconds = [1000 * seconds for seconds in spent]
        p50, p95, p99 = (percentile(milliseconds, percent) for percent in (50, 95, 99))
        naive_p50 = percentile([1000 * seconds for seconds in naive_spent], 50)
        made.add(
            Measurement(
                benchmark="audio_core",
                metric=f"tick with {calls} calls",
                value=p50,
                unit="ms",
                p50=p50,
                p95=p95,
                p99=p99,
                baseline=naive_p50,
                data=DATA,
            )
        )
        made.add(
            Measurement(
                benchmark="audio_core",
                metric=f"core used by {calls} calls",
                value=percent,
                unit="% of a core",
                baseline=naive_percent,
                target=TARGET_PERCENT_OF_CORE.get(calls),
                data=DATA,
            )
        )
        made.add(
            Measurement(
                benchmark="audio_core",
                metric=f"core used per call, of {calls}",
                value=percent / calls,
                unit="% of a core",
                baseline=naive_percent / calls,
                data=DATA,
            )
        )
    finish(made)


if __name__ == "__main__":
    main()
