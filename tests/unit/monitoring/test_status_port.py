"""The phone's HTTP port: what monitoring and engineers read there."""

from __future__ import annotations

import pytest
from fastapi.testclient import TestClient
from prometheus_client import CollectorRegistry

from ivr.engine.breaker import BreakerState
from ivr.engine.guarded import EngineHealth, Place
from ivr.monitoring.status_port import make_app


@pytest.mark.parametrize(
    ("reasons", "status", "word"), [((), 200, "ready"), (("full",), 503, "not ready")]
)
def test_readiness_names_the_engines_and_their_breakers(
    reasons: tuple[str, ...], status: int, word: str
) -> None:
    """
    An engine that is left alone is shown, and does not make the service unready by itself.
    """
    engines = (
        EngineHealth(Place.FIRST, "vosk", "asr-nl-8k@1", BreakerState.OPEN, {"failed": 5}),
        EngineHealth(Place.SECOND, "whisper", "small@2", BreakerState.CLOSED, {}),
    )
    app = make_app(
        CollectorRegistry(), live=tuple, not_ready=lambda: reasons, recognisers=lambda: engines
    )
    with TestClient(app) as client:
        answer = client.get("/readyz")

    assert status == answer.status_code
    assert word == answer.json()["status"]
    assert [
        {"recogniser": "first", "engine": "vosk", "model": "asr-nl-8k@1", "breaker": "open"},
        {"recogniser": "second", "engine": "whisper", "model": "small@2", "breaker": "closed"},
    ] == answer.json()["recognisers"]
