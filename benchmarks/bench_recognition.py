"""Claim: who stops speaking waits at most 80 ms for the words, and 20 speak at once on two cores.

Fifty espeak-ng callers with voices and sentences that the embedded model never heard, over an
A-law line, clean and with lost packets and noise. Packets of 20 ms come by a clock of its own:
the processor time that the engine takes is added to each stream's clock, so the waits are those
of one caller on one idle core. The streams at once are fed in real time, by two threads.

Baseline in the same run: the same model used as vosk's own first example does, record until the
caller is silent, then decode it all. Beside speech: 20 s each of noise, notes and digital silence.

    python benchmarks/bench_recognition.py [--json] [--model DIR] [--callers N] [--seconds S]
"""

from __future__ import annotations

import csv
import json
import os
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np
import vosk
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from asr.engines import load_engine
from asr.errors import AsrError
from asr.evaluate import Item, Outcome, callers_of, recognise
from asr.evaluate.items import not_dutch
from asr.evaluate.measure import resident_octets, stream_octets
from asr.evaluate.summary import SURE
from asr.model_files.files import embedded_model_dir
from asr.recogniser import SpeechEngine
from asr.synthetic.voices import HELD_OUT_VOICES
from asr.text import normalise
from asr.transcribe import PACKET_SAMPLES, RATE_HZ
from asr.wer import WordErrors, word_error_rate, word_errors
from benchmarks.common import (
    Measurement,
    Report,
    arguments,
    fingerprint,
    finish,
    percentile,
    report,
)

QUESTIONS: Final = Path(__file__).with_name("everyday_questions.tsv")
NAME: Final = "recognition"
SEED: Final = 1700
PAUSE_SECONDS: Final = 0.5
"""Silence after which a caller's turn is over; both sides hear it."""
STREAMS: Final = 20
CORES: Final = 2
READ_OCTETS: Final = 8000
"""What vosk's examples read at a time."""
SOUND_SECONDS: Final = 20
NOTES_HZ: Final = (262, 330, 392, 523, 440, 349, 294, 247)
TICK_SECONDS: Final = PACKET_SAMPLES / RATE_HZ


def callers(condition: str, count: int) -> list[Item]:
    """Questions, each by the next of the voices kept from training, with the turn's pause."""
    with QUESTIONS.open(encoding="utf-8", newline="") as stream:
        questions = [row["text"] for row in csv.DictReader(stream, delimiter="\t")][:count]
    voices = [f"nl+{voice}" for voice in HELD_OUT_VOICES]
    pause = np.zeros(int(PAUSE_SECONDS * RATE_HZ), np.int16)
    return [
        replace(item, pcm=np.concatenate([item.pcm, pause]))
        for item in callers_of(questions, voices, condition, SEED)
    ]


def sounds() -> dict[str, NDArray[np.int16]]:
    """What a line carries when nobody speaks: noise, notes as of music on hold, and silence."""
    times = np.arange(SOUND_SECONDS * RATE_HZ) / RATE_HZ
    rng = np.random.default_rng(SEED)
    pitch = np.asarray(NOTES_HZ)[(times / 0.25).astype(int) % len(NOTES_HZ)]
    fading = np.exp(-4 * (times % 0.25))
    notes = fading * sum(np.sin(2 * np.pi * pitch * k * times) / k for k in (1, 2, 3))
    waves = {"noise": rng.normal(0, 0.03, len(times)), "notes": 0.2 * notes}
    waves["silence"] = np.zeros(len(times))
    return {
        name: np.rint(np.clip(wave, -1, 1) * 32767).astype(np.int16) for name, wave in waves.items()
    }


def decode_afterwards(model: vosk.Model, item: Item) -> tuple[float, WordErrors]:
    """Record, then decode: how long the caller waits for it, and the errors."""
    recorded = item.pcm.tobytes()
    began = time.process_time()
    recogniser = vosk.KaldiRecognizer(model, float(RATE_HZ))
    recogniser.SetWords(True)
    heard: list[str] = []
    for start in range(0, len(recorded), READ_OCTETS):
        if recogniser.AcceptWaveform(recorded[start : start + READ_OCTETS]):
            heard.append(json.loads(recogniser.Result())["text"])
    heard.append(json.loads(recogniser.FinalResult())["text"])
    took = time.process_time() - began
    return took, word_errors(item.said, normalise(" ".join(heard).replace("[unk]", "")))


class Worker(threading.Thread):
    """Feeds its streams in real time, one packet of each every 20 ms.

    Args:
        engine: Shared.
        turns: What the streams hear, each from another place on, over and over.
        places: Where each of its streams begins.
        ticks: Packets of each stream.
        begin: Monotonic time of the first packet.
    """

    def __init__(
        self,
        engine: SpeechEngine,
        turns: Sequence[NDArray[np.int16]],
        places: Sequence[int],
        ticks: int,
        begin: float,
    ) -> None:
        super().__init__()
        self.lags_seconds: list[float] = []
        self.finals_seconds: list[float] = []
        self.failure: AsrError | None = None
        self._engine = engine
        self._turns = turns
        self._places = list(places)
        self._ticks = ticks
        self._begin = begin

    def run(self) -> None:
        """Feed until the ticks are over."""
        never = threading.Event()
        recognisers = [self._engine.open() for _ in self._places]
        at = [0] * len(self._places)
        try:
            for tick in range(self._ticks):
                due = self._begin + tick * TICK_SECONDS
                never.wait(max(0.0, due - time.monotonic()))
                for index, recogniser in enumerate(recognisers):
                    turn = self._turns[self._places[index] % len(self._turns)]
                    recogniser.accept(turn[at[index] : at[index] + PACKET_SAMPLES])
                    self.lags_seconds.append(time.monotonic() - due)
                    at[index] += PACKET_SAMPLES
                    if at[index] >= len(turn):
                        ended = time.monotonic()
                        recogniser.finish()
                        self.finals_seconds.append(time.monotonic() - ended)
                        at[index] = 0
                        self._places[index] += STREAMS
        except AsrError as error:
            self.failure = error
        finally:
            for recogniser in recognisers:
                recogniser.close()


def streams_at_once(
    engine: SpeechEngine, turns: Sequence[NDArray[np.int16]], seconds: float
) -> tuple[list[float], list[float], float]:
    """Let 20 callers speak one turn after another.

    Returns:
        Lag of every packet and wait for every transcript in seconds, and the cores used.
    """
    allowed = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, allowed[:CORES])
    try:
        begin, used = time.monotonic() + 0.5, time.process_time()
        ticks = int(seconds / TICK_SECONDS)
        workers = [
            Worker(engine, turns, range(core, STREAMS, CORES), ticks, begin)
            for core in range(CORES)
        ]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        cores = (time.process_time() - used) / (time.monotonic() - begin)
    finally:
        os.sched_setaffinity(0, allowed)
    for worker in workers:
        if worker.failure is not None:
            raise worker.failure
    lags = [lag for worker in workers for lag in worker.lags_seconds]
    return lags, [wait for worker in workers for wait in worker.finals_seconds], cores


def main() -> None:
    """Measure and print."""
    parser = arguments(__doc__ or "")
    parser.add_argument("--model", type=Path, default=embedded_model_dir(), metavar="DIR")
    parser.add_argument("--callers", type=int, default=50, help="of each condition (default: 50)")
    parser.add_argument("--seconds", type=float, default=20.0, help="of the streams at once")
    options = parser.parse_args()
    out = report(as_json=options.json, packages=("vosk", "numpy"))
    before = resident_octets()
    try:
        engine = load_engine("vosk", options.model)
    except AsrError as error:
        print(error, file=sys.stderr)
        raise SystemExit(1) from None
    clean = callers("clean", options.callers)
    recognise(engine, clean[0])
    data = f"espeak-ng, voices never trained on, {fingerprint(QUESTIONS)}"
    bench = Bench(out, engine.model, data)
    bench.add("memory_model", (resident_octets() - before) / 2**20, "MiB", target=150)
    longest = np.resize(np.concatenate([item.pcm for item in clean[:3]]), 6 * RATE_HZ)
    bench.add("memory_stream", stream_octets(engine, longest) / 2**20, "MiB", target=15)
    naive = vosk.Model(str(options.model))
    for condition, rtf_target in (("clean", 0.05), ("noisy", 0.10)):
        items = clean if condition == "clean" else callers(condition, options.callers)
        bench.compare(
            condition,
            [recognise(engine, item) for item in items],
            [decode_afterwards(naive, item) for item in items],
            rtf_target,
        )
    del naive
    for sound, pcm in sounds().items():
        bench.sound(sound, recognise(engine, Item("", "no speech", sound, pcm)))
    bench.foreign([recognise(engine, item) for item in not_dutch(3, SEED)])
    lags, finals, cores = streams_at_once(engine, [item.pcm for item in clean], options.seconds)
    bench.spread(f"lag_of_{STREAMS}_streams_p95", lags, target=100, which=95)
    if finals:
        bench.spread(f"wait_of_{STREAMS}_streams_p95", finals, which=95)
    bench.add(f"cores_for_{STREAMS}_streams", cores, "cores", target=CORES)
    engine.close()
    finish(out)


class Bench:
    """Adds measurements of one model to a report."""

    def __init__(self, out: Report, model: str, data: str) -> None:
        self._out = out
        self._model = model
        self._data = data

    def add(self, metric: str, value: float, unit: str, **others: float | None) -> None:
        """Add one figure."""
        self._out.add(
            Measurement(
                benchmark=NAME,
                metric=metric,
                value=value,
                unit=unit,
                model=self._model,
                data=self._data,
                **others,  # type: ignore[arg-type]
            )
        )

    def spread(
        self,
        metric: str,
        seconds: Sequence[float],
        *,
        which: int,
        target: float | None = None,
        baseline: Sequence[float] | None = None,
    ) -> None:
        """Add times in ms: the percentile ``which`` is the value."""
        shares = {f"p{p}": 1000 * percentile(seconds, p) for p in (50, 95, 99)}
        others = None if baseline is None else 1000 * percentile(baseline, which)
        value = 1000 * percentile(seconds, which)
        self.add(metric, value, "ms", target=target, baseline=others, **shares)

    def compare(
        self,
        condition: str,
        ours: Sequence[Outcome],
        naive: Sequence[tuple[float, WordErrors]],
        rtf_target: float,
    ) -> None:
        """Add the figures of one condition beside those of decoding afterwards."""
        finals = [outcome.final_seconds for outcome in ours]
        waits = [wait for wait, _ in naive]
        self.spread(f"{condition}_wait_p50", finals, which=50, baseline=waits)
        self.spread(f"{condition}_wait_p95", finals, which=95, baseline=waits, target=80)
        partials = [
            outcome.first_partial_seconds
            for outcome in ours
            if outcome.first_partial_seconds is not None
        ]
        if partials:
            target = 300.0 if condition == "clean" else None
            self.spread(f"{condition}_first_partial_p50", partials, which=50, target=target)
        audio = sum(len(outcome.item.pcm) for outcome in ours) / RATE_HZ
        self.add(
            f"{condition}_rtf",
            sum(outcome.seconds for outcome in ours) / audio,
            "of one core",
            target=rtf_target,
            baseline=sum(waits) / audio,
        )
        self.add(
            f"{condition}_word_error_rate",
            100 * word_error_rate(outcome.errors for outcome in ours).rate,
            "%",
            target=8 if condition == "clean" else 15,
            baseline=100 * word_error_rate(errors for _, errors in naive).rate,
        )

    def sound(self, name: str, outcome: Outcome) -> None:
        """Add what a stretch of one sound costs, beside ``clean_rtf`` of the same run."""
        self.add(f"{name}_rtf", outcome.seconds / SOUND_SECONDS, "of one core", target=0.10)
        self.add(f"{name}_confidence", 100 * outcome.confidence, "%")

    def foreign(self, outcomes: Sequence[Outcome]) -> None:
        """Add what becomes of other languages and of sound without speech."""
        audio = sum(len(outcome.item.pcm) for outcome in outcomes) / RATE_HZ
        seconds = sum(outcome.seconds for outcome in outcomes)
        self.add("not_dutch_rtf", seconds / audio, "of one core", target=0.10)
        sure = sum(outcome.confidence >= SURE for outcome in outcomes) / len(outcomes)
        self.add("not_dutch_believed", 100 * sure, "%")


if __name__ == "__main__":
    main()
