"""What Prometheus scrapes: every family that operators were promised, and true numbers."""

from __future__ import annotations

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from ivr.audio.core import AudioCounters
from ivr.audio.ticker import TickCounters
from ivr.call.states import CallState, Outcome
from ivr.contacts.writer import WriterCounters
from ivr.engine.breaker import BreakerState
from ivr.engine.guarded import EngineHealth, Place
from ivr.engine.recognition import RecognitionCounters
from ivr.monitoring.metrics import ComponentMetrics, Metrics


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
def metrics(registry: CollectorRegistry) -> Metrics:
    return Metrics(registry)


def test_a_call_is_in_one_state_and_in_none_when_it_is_over(
    metrics: Metrics, registry: CollectorRegistry
) -> None:
    """
    The gauge moves with the call, and an ended call leaves no number behind, nor below zero.
    """

    def calls() -> dict[str, float]:
        samples = [s for family in registry.collect() for s in family.samples]
        return {
            s.labels["state"]: s.value for s in samples if s.name == "wegwijs_calls" and s.value
        }

    metrics.state_changed("1700", None, CallState.OFFERED)
    metrics.state_changed("1700", CallState.OFFERED, CallState.GREETING)
    metrics.state_changed("1700", None, CallState.OFFERED)

    assert {"greeting": 1.0, "offered": 1.0} == calls()
    for state in (CallState.GREETING, CallState.OFFERED):
        metrics.state_changed("1700", state, CallState.ENDED)
        metrics.state_changed("1700", CallState.ENDED, None)
    assert {} == calls()


def test_what_the_engine_reports_is_scraped(metrics: Metrics, registry: CollectorRegistry) -> None:
    """
    Outcomes, stages, dead air, decisions, transfers, lost frames and faults, each with its labels.
    """
    metrics.call_ended("1700", Outcome.ROUTED, "transferred", 31.0)
    metrics.stage_measured("1700", "recognition", 0.03)
    metrics.stage_measured("1700", "dead_air", 0.55)
    metrics.decided("1700", "route", False)
    metrics.transfer_ended("energie", "refer", "succeeded", 4.0)
    metrics.frames_dropped(3)
    metrics.failed("prompt")

    def value(name: str, **labels: str) -> float | None:
        return registry.get_sample_value(f"wegwijs_{name}", labels)

    assert 1 == value("calls_ended_total", line="1700", outcome="routed", reason="transferred")
    assert 1 == value("stage_seconds_count", line="1700", stage="recognition")
    assert 0.55 == value("dead_air_seconds_sum", line="1700")
    assert 0 == value("dead_air_seconds_bucket", line="1700", le="0.4")
    assert 1 == value("dead_air_seconds_bucket", line="1700", le="0.6")
    assert 1 == value("decisions_total", line="1700", action="route", applied="false")
    assert 1 == value("transfers_total", group="energie", method="refer", result="succeeded")
    assert 3 == value("caller_frames_dropped_total")
    assert 1 == value("failures_total", what="prompt")
    assert b"# HELP wegwijs_calls_ended_total" in generate_latest(registry)


def test_speech_engines_are_scraped(registry: CollectorRegistry) -> None:
    """
    Each engine's breaker has one state; uses, second and background passes are counted by result.
    """
    recognition = RecognitionCounters(
        waiting=3,
        background_waiting=7,
        engines=(
            EngineHealth(
                Place.FIRST, "vosk", "nl@1", BreakerState.OPEN, {"failed": 5, "refused": 2}
            ),
            EngineHealth(Place.SECOND, "whisper", "small@2", BreakerState.CLOSED, {"done": 4}),
        ),
        second_passes={"better": 1, "late": 2},
        background_passes={"done": 6, "dropped": 1},
    )
    registry.register(
        ComponentMetrics(
            audio=lambda: AudioCounters(0, 0, 0, TickCounters(0, 0, 0, 0.0, ())),
            writer=lambda: WriterCounters(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, True),
            recognition=lambda: recognition,
            ready=lambda: True,
            ages=dict,
        )
    )

    def value(name: str, **labels: str) -> float | None:
        return registry.get_sample_value(f"wegwijs_{name}", labels)

    states = {
        (place, state.value): value(
            "recogniser_breaker", recogniser=place, engine=engine, state=state.value
        )
        for place, engine in (("first", "vosk"), ("second", "whisper"))
        for state in BreakerState
    }
    assert {("first", "open"), ("second", "closed")} == {key for key in states if states[key] == 1}
    assert {("first", "closed"), ("second", "open")} < {key for key in states if states[key] == 0}
    assert 5 == value("recogniser_uses_total", recogniser="first", engine="vosk", result="failed")
    assert 2 == value("recogniser_uses_total", recogniser="first", engine="vosk", result="refused")
    assert 4 == value("recogniser_uses_total", recogniser="second", engine="whisper", result="done")
    assert 2 == value("second_passes_total", result="late")
    assert 1 == value("background_passes_total", result="dropped")
    assert 3 == value("queue_depth", queue="recognition")
    assert 7 == value("queue_depth", queue="background_pass")


def test_faults_of_the_core_and_a_register_that_is_down_are_scraped(
    registry: CollectorRegistry,
) -> None:
    """
    What is survived is a number that an alarm can watch.
    """
    registry.register(
        ComponentMetrics(
            audio=lambda: AudioCounters(0, 0, 2, TickCounters(9, 0, 3, 0.0, ())),
            writer=lambda: WriterCounters(0, 0, 0, 0, 0, 4096, 0, 0, 0, 0, False),
            recognition=RecognitionCounters,
            ready=lambda: True,
            ages=dict,
        )
    )

    assert (3, 2, 4096, 0) == (
        registry.get_sample_value("wegwijs_audio_failures_total", {"what": "tick"}),
        registry.get_sample_value("wegwijs_audio_failures_total", {"what": "receiver"}),
        registry.get_sample_value("wegwijs_spool_octets"),
        registry.get_sample_value("wegwijs_contact_register_up"),
    )
