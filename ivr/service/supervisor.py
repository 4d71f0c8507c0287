"""Long-running processes: the phone, and the supervisor that starts it again when it dies."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import structlog

from ivr.config.loading import load_config
from ivr.config.schema import Config
from ivr.errors import TelephonyError
from ivr.files.embedded import set_up_command
from ivr.files.home import Home
from ivr.monitoring.log import configure_logging
from ivr.monitoring.uncaught import log_the_uncaught
from ivr.service.phone import run_phone

_log = structlog.get_logger("wegwijs.service")

_FIRST_WAIT_SECONDS = 0.2
_LONGEST_WAIT_SECONDS = 10.0
_HEALTHY_SECONDS = 60.0
"""A process that ran so long did not end because of its configuration: the waits start over."""
_WRONG = 1
"""Exit code of a phone process that cannot start: starting it again would not help."""
_LIFELINE = "WEGWIJS_LIFELINE_FD"
"""Environment variable: a pipe of which only the supervisor has the other end."""


def phone_process(config_path: Path, home: Path) -> int:
    """Run the phone in this process until a signal.

    Prints one JSON object on standard output when it takes calls: ``ready``, ``http_port`` and
    ``sip_ports``.

    Raises:
        WegwijsError: It cannot start.
    """
    _drain_without_supervisor()
    config = load_config(config_path)
    _set_up_logging(config)
    try:
        asyncio.run(run_phone(config, Home(home), config_path, on_ready=_say_ready))
    except ModuleNotFoundError as error:
        if error.name != "pjsua2":
            raise
        raise TelephonyError(
            f"pjsua2 is not installed, and calls need it; to build it, run: {set_up_command()}"
        ) from None
    return 0


def _set_up_logging(config: Config) -> None:
    """Log what this process does, and what nobody in it catches."""
    configure_logging(config.service.log_format)
    log_the_uncaught()


def _drain_without_supervisor() -> None:
    """Let this phone drain, as on SIGTERM, when its supervisor is killed.

    Else it would go on holding the home folder and the ports, and nothing would end it. A pipe is
    closed once; the kernel's signal for a parent's death may come twice, and a second signal ends
    calls at once.
    """
    lifeline = os.environ.pop(_LIFELINE, None)
    if lifeline is None:
        return

    def watch(descriptor: int) -> None:
        os.read(descriptor, 1)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, args=(int(lifeline),), daemon=True, name="lifeline").start()


def _say_ready(http_port: int, sip_ports: dict[str, int]) -> None:
    print(json.dumps({"ready": True, "http_port": http_port, "sip_ports": sip_ports}), flush=True)


def serve(config_path: Path, home: Path) -> int:
    """Run the phone as a process of its own and start it again whenever it dies.

    A signal is passed on once, and the phone drains; so it does when this process is killed. A
    phone that cannot start ends this too.
    """
    config = load_config(config_path)
    _set_up_logging(config)
    stopping = threading.Event()
    running: list[subprocess.Popen[bytes]] = []

    def on_signal(number: int, _: object) -> None:
        stopping.set()
        for process in running:
            process.send_signal(number)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, on_signal)
    wait_seconds = _FIRST_WAIT_SECONDS
    command = [sys.executable, "-m", "ivr", "phone"]
    command += ["--config", str(config_path), "--home", str(home)]
    lifeline, _ = os.pipe()
    environment = {**os.environ, _LIFELINE: str(lifeline)}
    while True:
        began = time.monotonic()
        # A session of its own: Ctrl-C at a terminal reaches it through us, once.
        process = subprocess.Popen(
            command, env=environment, pass_fds=(lifeline,), start_new_session=True
        )
        running[:] = [process]
        if stopping.is_set():
            process.send_signal(signal.SIGTERM)
        code = process.wait()
        if stopping.is_set() or code in (0, _WRONG):
            return 0 if code == 0 else 1
        if time.monotonic() - began > _HEALTHY_SECONDS:
            wait_seconds = _FIRST_WAIT_SECONDS
        _log.error("phone_died", exit_code=code, again_in_seconds=wait_seconds)
        if stopping.wait(wait_seconds):
            return 1
        wait_seconds = min(2 * wait_seconds, _LONGEST_WAIT_SECONDS)
