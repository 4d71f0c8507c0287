"""The numbers of a phone process, for Prometheus. The table in ARCHITECTURE.md is made from here.

Labels are fixed words and our own line numbers; nothing of a caller is ever a label.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from ivr.audio.core import AudioCounters
from ivr.contacts.writer import WriterCounters
from ivr.engine.breaker import BreakerState
from ivr.engine.recognition import RecognitionCounters

_STAGE_BUCKETS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1.2, 2.0, 5.0)
_DEAD_AIR_BUCKETS = (0.1, 0.2, 0.4, 0.6, 0.8, 1.2, 2.0, 5.0)


class Metrics:
    """Counts what the engine reports; an :class:`ivr.ports.observer.Observer`."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._calls = Gauge(
            "wegwijs_calls",
            "Calls now, by line and state.",
            labelnames=["line", "state"],
            registry=registry,
        )
        self._ended = Counter(
            "wegwijs_calls_ended",
            "Calls that ended, by outcome and reason.",
            labelnames=["line", "outcome", "reason"],
            registry=registry,
        )
        self._call_seconds = Histogram(
            "wegwijs_call_seconds",
            "From the INVITE to the outcome.",
            labelnames=["line"],
            buckets=(5, 10, 15, 20, 30, 45, 60, 90, 120, 180, 300, 600),
            registry=registry,
        )
        self._stages = Histogram(
            "wegwijs_stage_seconds",
            "How long a stage of a caller's turn took: endpoint, recognition, classification; "
            "second_pass is the part of recognition in which the second engine was waited for.",
            labelnames=["line", "stage"],
            buckets=_STAGE_BUCKETS,
            registry=registry,
        )
        self._dead_air = Histogram(
            "wegwijs_dead_air_seconds",
            "From the caller's last energy to the first sample of our next prompt.",
            labelnames=["line"],
            buckets=_DEAD_AIR_BUCKETS,
            registry=registry,
        )
        self._decisions = Counter(
            "wegwijs_decisions",
            "Decisions of the policy; applied is false where the line's mode let the menu decide.",
            labelnames=["line", "action", "applied"],
            registry=registry,
        )
        self._transfers = Counter(
            "wegwijs_transfers",
            "Transfer attempts that are over, by group, method and result.",
            labelnames=["group", "method", "result"],
            registry=registry,
        )
        self._transfer_seconds = Histogram(
            "wegwijs_transfer_seconds",
            "How long a transfer attempt lasted.",
            labelnames=["group"],
            buckets=(0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600),
            registry=registry,
        )
        self._frames_dropped = Counter(
            "wegwijs_caller_frames_dropped",
            "20 ms frames of callers that were lost between the media thread and the audio core.",
            registry=registry,
        )
        self._failures = Counter(
            "wegwijs_failures",
            "Faults of ours that were survived, by kind.",
            labelnames=["what"],
            registry=registry,
        )

    def state_changed(self, line: str, old: str | None, new: str | None) -> None:
        """Move a call from one state's gauge to another's.

        Args:
            line: Our own called number.
            old: State that it leaves; None for a new call.
            new: State that it enters; None for a call that is gone.
        """
        # A call that has ended is no call now: "ended" is never counted in, nor out.
        if old is not None and str(old) != "ended":
            self._calls.labels(line, str(old)).dec()
        if new is not None and str(new) != "ended":
            self._calls.labels(line, str(new)).inc()

    def call_ended(self, line: str, outcome: str, reason: str, seconds: float) -> None:
        """Count an outcome.

        Args:
            line: Our own called number.
            outcome: How the call ended.
            reason: A code of ours.
            seconds: From the INVITE to the outcome.
        """
        self._ended.labels(line, str(outcome), reason).inc()
        self._call_seconds.labels(line).observe(seconds)

    def stage_measured(self, line: str, stage: str, seconds: float) -> None:
        """Observe how long a stage took.

        Args:
            line: Our own called number.
            stage: ``dead_air``, or a stage of the caller's turn.
            seconds: How long it took.
        """
        if stage == "dead_air":
            self._dead_air.labels(line).observe(seconds)
        else:
            self._stages.labels(line, stage).observe(seconds)

    def decided(self, line: str, action: str, applied: bool) -> None:
        """Count a decision.

        Args:
            line: Our own called number.
            action: What was decided.
            applied: False where the line's mode let the menu decide.
        """
        self._decisions.labels(line, str(action), str(applied).lower()).inc()

    def transfer_ended(self, group: str, method: str, result: str, seconds: float) -> None:
        """Count a transfer attempt.

        Args:
            group: Voorlichter group.
            method: ``refer`` or ``bridge``.
            result: A code of ours.
            seconds: From its start to its end.
        """
        self._transfers.labels(group, str(method), result).inc()
        self._transfer_seconds.labels(group).observe(seconds)

    def frames_dropped(self, count: int) -> None:
        """Count lost frames of 20 ms."""
        self._frames_dropped.inc(count)

    def failed(self, what: str) -> None:
        """Count a fault of ours, by a code of ours."""
        self._failures.labels(what).inc()


class ComponentMetrics(Collector):
    """Reads the counters of the components at each scrape.

    Args:
        audio: The audio core's.
        writer: The contact writer's.
        recognition: The recognition pool's.
        ready: Whether calls are taken.
        ages: Of the oldest recording, transcript and decision; None while unknown.
    """

    def __init__(
        self,
        *,
        audio: Callable[[], AudioCounters],
        writer: Callable[[], WriterCounters],
        recognition: Callable[[], RecognitionCounters],
        ready: Callable[[], bool],
        ages: Callable[[], dict[str, float]],
    ) -> None:
        self._audio = audio
        self._writer = writer
        self._recognition = recognition
        self._ready = ready
        self._ages = ages

    def describe(self) -> Iterable[Metric]:
        """Nothing: values are only known at a scrape."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Yield today's numbers."""
        audio, writer, recognition = self._audio(), self._writer(), self._recognition()
        yield _gauge("wegwijs_ready", "1 while calls are taken.", float(self._ready()))
        depth = GaugeMetricFamily("wegwijs_queue_depth", "What waits, by queue.", labels=["queue"])
        depth.add_metric(["recognition"], recognition.waiting)
        depth.add_metric(["background_pass"], recognition.background_waiting)
        depth.add_metric(["records"], writer.queue_depth)
        depth.add_metric(["disk"], writer.jobs_depth)
        yield depth
        yield from _recognition(recognition)
        yield _counter("wegwijs_audio_frames", "20 ms frames processed.", audio.frames)
        yield _counter("wegwijs_audio_late_ticks", "Ticks that began late.", audio.ticks.late_ticks)
        broken = CounterMetricFamily(
            "wegwijs_audio_failures",
            "What broke in the audio core and was survived: a tick, or who was told of one.",
            labels=["what"],
        )
        broken.add_metric(["tick"], audio.ticks.failed_ticks)
        broken.add_metric(["receiver"], audio.failed_calls_out)
        yield broken
        yield HistogramMetricFamily(
            "wegwijs_audio_tick_seconds",
            "Work of one 20 ms tick over all calls.",
            buckets=[
                *((f"{bound:g}", count) for bound, count in audio.ticks.tick_seconds_buckets),
                ("+Inf", audio.ticks.ticks),
            ],
            sum_value=audio.ticks.tick_seconds_sum,
        )
        yield _gauge(
            "wegwijs_spool_octets",
            "Size of what waits on the disk for the contact register.",
            float(writer.spool_octets),
        )
        yield _gauge(
            "wegwijs_contact_register_up",
            "1 while the contact register takes records.",
            float(writer.healthy),
        )
        records = CounterMetricFamily(
            "wegwijs_contact_records", "Contact records, by what became of them.", labels=["fate"]
        )
        records.add_metric(["committed"], writer.committed)
        records.add_metric(["spooled"], writer.spooled)
        records.add_metric(["rejected"], writer.rejected)
        records.add_metric(["lost"], writer.lost)
        yield records
        yield _counter(
            "wegwijs_contact_retries", "Commits that failed and were tried again.", writer.retries
        )
        jobs = CounterMetricFamily(
            "wegwijs_disk_jobs", "Recordings and other disk work, by result.", labels=["result"]
        )
        jobs.add_metric(["done"], writer.jobs_done)
        jobs.add_metric(["failed"], writer.jobs_failed)
        yield jobs
        oldest = GaugeMetricFamily(
            "wegwijs_oldest_seconds", "Age of the oldest data kept, by kind.", labels=["kind"]
        )
        for kind, seconds in self._ages().items():
            oldest.add_metric([kind], seconds)
        yield oldest


def _recognition(counters: RecognitionCounters) -> Iterator[Metric]:
    breaker = GaugeMetricFamily(
        "wegwijs_recogniser_breaker",
        "1 for the state of each speech engine's circuit breaker: closed, open or half_open.",
        labels=["recogniser", "engine", "state"],
    )
    uses = CounterMetricFamily(
        "wegwijs_recogniser_uses",
        "Uses of each speech engine that are over, by result; refused is the breaker's doing.",
        labels=["recogniser", "engine", "result"],
    )
    for health in counters.engines:
        names = [health.place.value, health.engine]
        for state in BreakerState:
            breaker.add_metric([*names, state.value], float(health.state is state))
        for result, count in sorted(health.uses.items()):
            uses.add_metric([*names, result], count)
    yield breaker
    yield uses
    for name, text, results in (
        (
            "wegwijs_second_passes",
            "Turns for which an unsure first engine had the second one asked, by result.",
            counters.second_passes,
        ),
        (
            "wegwijs_background_passes",
            "Recordings given to the second engine after their calls, by result.",
            counters.background_passes,
        ),
    ):
        passes = CounterMetricFamily(name, text, labels=["result"])
        for result, count in sorted(results.items()):
            passes.add_metric([result], count)
        yield passes


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(name, text, value=value)


def _counter(name: str, text: str, value: float) -> Metric:
    return CounterMetricFamily(name, text, value=value)
