"""The phone's small HTTP port: metrics, health, readiness and the live calls.

Meant for the machine itself and its monitoring; it shows nothing that a caller said or typed.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

import uvicorn
from fastapi import FastAPI, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

from ivr.engine.engine import LiveCall
from ivr.engine.guarded import EngineHealth
from ivr.errors import ConfigError

_START_SECONDS = 5.0


def make_app(
    registry: CollectorRegistry,
    *,
    live: Callable[[], Sequence[LiveCall]],
    not_ready: Callable[[], Sequence[str]],
    recognisers: Callable[[], Sequence[EngineHealth]],
) -> FastAPI:
    """Return the application.

    Args:
        registry: Holds the metrics.
        live: The calls of this moment.
        not_ready: Why calls are refused now; empty when they are not.
        recognisers: The speech engines that are loaded. One that is left alone for a while does
            not make the service unready: callers choose from the keuzemenu meanwhile.
    """
    app = FastAPI(title="Wegwijs phone", docs_url=None, redoc_url=None, openapi_url=None)

    @app.get("/metrics")
    async def metrics() -> Response:
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)

    @app.get("/healthz")
    async def healthz() -> dict[str, str]:
        return {"status": "alive"}

    @app.get("/readyz")
    async def readyz() -> JSONResponse:
        reasons = list(not_ready())
        status: dict[str, Any] = {"status": "not ready" if reasons else "ready"}
        if reasons:
            status["because"] = reasons
        status["recognisers"] = [
            {
                "recogniser": health.place.value,
                "engine": health.engine,
                "model": health.model,
                "breaker": health.state.value,
            }
            for health in recognisers()
        ]
        return JSONResponse(status, status_code=503 if reasons else 200)

    @app.get("/calls")
    async def calls() -> list[dict[str, Any]]:
        return [asdict(call) for call in live()]

    return app


class StatusPort:
    """Serves an application on the running loop."""

    def __init__(self, app: FastAPI, *, address: str, port: int) -> None:
        self._address = address
        self._port = port
        config = uvicorn.Config(
            app, host=address, port=port, log_config=None, access_log=False, lifespan="off"
        )
        self._server = _Server(config)
        self._task: asyncio.Task[None] | None = None

    @property
    def port(self) -> int:
        """The port in use, once started."""
        return self._port

    async def start(self) -> None:
        """Begin to serve.

        Raises:
            ConfigError: The port cannot be used.
        """
        self._task = asyncio.create_task(self._serve())
        deadline = asyncio.get_running_loop().time() + _START_SECONDS
        while not self._server.started:
            if self._task.done() or asyncio.get_running_loop().time() > deadline:
                raise ConfigError(
                    None,
                    "service.http_port",
                    self._port,
                    f"cannot be used on {self._address}",
                    remedy="stop what listens there, or choose another port (0: any free one)",
                )
            await asyncio.sleep(0.01)
        self._port = self._server.servers[0].sockets[0].getsockname()[1]

    async def _serve(self) -> None:
        try:
            await self._server.serve()
        except SystemExit:
            # uvicorn's way to say that it cannot listen; start() gives the message.
            return

    async def stop(self) -> None:
        """Stop serving; bounded."""
        self._server.should_exit = True
        if self._task is not None:
            await asyncio.wait([self._task], timeout=3.0)


class _Server(uvicorn.Server):
    """Leaves the process's signals to the process."""

    def install_signal_handlers(self) -> None:
        """Install nothing."""

    def capture_signals(self) -> Any:
        """Capture nothing."""
        return contextlib.nullcontext()
