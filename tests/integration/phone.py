"""A real ``wegwijs phone`` process on ports and a home folder of its own.

It takes what an operator would give it, a configuration file, and is looked at from outside:
standard output and error, HTTP, and the contact register.
"""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
import wave
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

import numpy as np

from intent.catalogue import load_catalogue
from ivr.contacts.models import Call
from ivr.contacts.store import ContactStore
from ivr.files.embedded import embedded_dir
from ivr.files.home import Home
from ivr.prompts.texts import embedded_texts
from tests.integration.ports import free_range

ADDRESS = "127.0.0.1"
START_SECONDS = 120.0
"""Generous: three seconds on an idle machine."""
WITHIN_SECONDS = 90.0
"""Of every wait: generous too, and over as soon as it can be."""
PATIENT_SECONDS = 120.0
"""Of a phone with callers and targets that a busy machine may hold up."""
_PAUSE_SECONDS = 0.05
TARGETS_DEFAULT = f"sip:nobody@{ADDRESS}:9"

Tables = Mapping[str, Any]


def toml(table: Tables, prefix: str = "") -> str:
    """A table as TOML; tables in lists are written in line."""
    plain = {key: value for key, value in table.items() if not isinstance(value, Mapping)}
    lines = [f"[{prefix}]"] if prefix else []
    lines += [f"{json.dumps(key)} = {_value(value)}" for key, value in plain.items()]
    parts = ["\n".join(lines)]
    for key, value in table.items():
        if isinstance(value, Mapping):
            name = json.dumps(key)
            parts.append(toml(value, f"{prefix}.{name}" if prefix else name))
    return "\n\n".join(parts) + "\n"


def _value(value: object) -> str:
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{k} = {_value(v)}" for k, v in value.items()) + " }"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "[" + ", ".join(_value(item) for item in value) + "]"
    return json.dumps(value if isinstance(value, int | float) else str(value), ensure_ascii=False)


def configuration(changes: Tables | None = None, *, target: str = TARGETS_DEFAULT) -> Tables:
    """A configuration on free ports, every group at ``target``; ``changes`` win, table by table.

    Its phone waits long for callers, targets and engines: most SIPp callers send no sound, and a
    machine that is busy may hold up any process for seconds. A test about an end of patience sets
    that one itself.
    """
    catalogue = load_catalogue(embedded_dir("training_data"))
    first = free_range(100, low=11_000, high=19_000)
    tables: dict[str, Any] = {
        "service": {"http_port": 0, "max_calls": 10, "drain_seconds": 5},
        "sip": {
            "udp_port": 0,
            "tcp_port": False,
            "rtp_ports": f"{first}-{first + 99}",
            "media_lost_seconds": PATIENT_SECONDS,
        },
        # How fast the recogniser is, the benchmarks say.
        "recognition": {"deadline_seconds": PATIENT_SECONDS / 2},
        "timers": {
            f"{wait}_seconds": PATIENT_SECONDS
            for wait in ("answer", "prompt", "no_input", "deciding", "confirm", "menu", "transfer")
        },
        "lines": {"*": {}},
        "groups": {group.slug: {"targets": [target]} for group in catalogue.groups}
        | {"algemeen": {"targets": [target]}},
    }
    return _merged(tables, changes or {})


def _merged(tables: Tables, changes: Tables) -> Tables:
    merged = dict(tables)
    for key, value in changes.items():
        old = merged.get(key)
        both = isinstance(old, Mapping) and isinstance(value, Mapping) and key != "lines"
        merged[key] = _merged(old, value) if both else value  # type: ignore[arg-type]
    return merged


def short_prompts(folder: Path, seconds: float = 0.4) -> Path:
    """Make a folder in which every prompt is a short tone: calls that take no time."""
    folder.mkdir()
    catalogue = load_catalogue(embedded_dir("training_data"))
    names = embedded_texts().fill(
        {thema.slug: thema.spoken for thema in catalogue.themas if not thema.non_thema},
        {group.slug: group.spoken for group in catalogue.groups},
        hours_text="",
    )
    tone = 6000 * np.sin(2 * np.pi * 500 * np.arange(round(8000 * seconds)) / 8000)
    for name in names:
        with wave.open(str(folder / f"{name}.wav"), "wb") as wav:
            wav.setnchannels(1)
            wav.setsampwidth(2)
            wav.setframerate(8000)
            wav.writeframes(tone.astype("<i2").tobytes())
    return folder


class PhoneFailedError(Exception):
    """The process did not start, or what was waited for did not come."""


class Phone:
    """One phone process; a context manager that ends it.

    Args:
        folder: For its configuration and, unless ``home`` is given, its home.
        tables: The configuration.
        home: Where it keeps its state.
    """

    def __init__(self, folder: Path, tables: Tables, *, home: Path | None = None) -> None:
        self.home = Home(home if home is not None else folder / "home")
        self.config = folder / "wegwijs.toml"
        self.config.write_text(toml(tables), encoding="utf-8")
        self.sip_ports: dict[str, int] = {}
        self.http_port = 0
        self.code: int | None = None
        """Exit code of a process that ended by itself instead of starting."""
        self._errors: list[str] = []
        self._process: subprocess.Popen[str] | None = None
        self._reader: threading.Thread | None = None

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.kill()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.kill()

    def start(self) -> float:
        """Start it, again where it ended before; returns the seconds until it took calls.

        Raises:
            PhoneFailedError: It did not start; the text holds what it said.
        """
        self.kill()
        began = time.monotonic()
        self._process = subprocess.Popen(
            self.command("phone"),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            start_new_session=True,
        )
        ready: list[str] = []
        self._reader = threading.Thread(target=self._read_errors, args=(self._process.stderr,))
        self._reader.start()
        told = threading.Thread(target=self._read_ready, args=(self._process.stdout, ready))
        told.start()
        told.join(START_SECONDS)
        if not ready:
            if not told.is_alive():
                self.code = self._process.wait(timeout=WITHIN_SECONDS)
            self.kill()
            raise PhoneFailedError(f"the phone did not start:\n{self.stderr}")
        answer = json.loads(ready[0])
        self.http_port, self.sip_ports = answer["http_port"], answer["sip_ports"]
        return time.monotonic() - began

    def command(self, name: str) -> list[str]:
        """The command line of ``wegwijs NAME`` with this configuration and home."""
        options = ["--config", str(self.config), "--home", str(self.home.path)]
        return [sys.executable, "-m", "ivr", name, *options]

    def _read_errors(self, stream: IO[str] | None) -> None:
        for line in stream or ():
            self._errors.append(line)

    @staticmethod
    def _read_ready(stream: IO[str] | None, ready: list[str]) -> None:
        if stream is not None and (line := stream.readline()):
            ready.append(line)

    @property
    def pid(self) -> int:
        """Its process id."""
        assert self._process is not None
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether it lives."""
        return self._process is not None and self._process.poll() is None

    @property
    def stderr(self) -> str:
        """What all processes of this object wrote on standard error."""
        return "".join(self._errors)

    def log(self, event: str) -> list[dict[str, Any]]:
        """Log lines of this name, so far."""
        lines = (json.loads(line) for line in list(self._errors) if line.startswith("{"))
        return [line for line in lines if line.get("event") == event]

    def signal(self, number: signal.Signals) -> None:
        """Send a signal."""
        assert self._process is not None
        self._process.send_signal(number)

    def wait(self, within_seconds: float = WITHIN_SECONDS) -> int:
        """Its exit code, once it has ended."""
        assert self._process is not None
        return self._process.wait(timeout=within_seconds)

    def kill(self) -> None:
        """End it with SIGKILL, as a power cut would. Idempotent."""
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        process.wait(timeout=WITHIN_SECONDS)
        if self._reader is not None:
            self._reader.join(WITHIN_SECONDS)
        for stream in (process.stdout, process.stderr):
            if stream is not None:
                stream.close()

    # --- looking at it ----------------------------------------------------------------------

    def uri(self, line: str = "1700") -> str:
        """Where a line is called by UDP."""
        return f"sip:{line}@{ADDRESS}:{self.sip_ports['udp']}"

    def get(self, path: str) -> str:
        """What its HTTP port answers with status 200."""
        address = f"http://{ADDRESS}:{self.http_port}{path}"
        with urllib.request.urlopen(address, timeout=WITHIN_SECONDS) as answer:
            return str(answer.read().decode("utf-8"))

    def readiness(self) -> dict[str, Any]:
        """What /readyz answers, also while it is not ready: a busy machine may hold it up."""
        try:
            told: dict[str, Any] = json.loads(self.get("/readyz"))
        except urllib.error.HTTPError as error:
            told = json.loads(error.read())
        return told

    def live(self) -> list[dict[str, Any]]:
        """The calls that go on."""
        calls: list[dict[str, Any]] = json.loads(self.get("/calls"))
        return calls

    def metric(self, name: str, **labels: str) -> float:
        """The sum of a metric's samples that have these labels."""
        total = 0.0
        for line in self.get("/metrics").splitlines():
            sample = re.fullmatch(r"(\w+)(?:\{(.*)\})? (\S+)", line)
            if sample is None or sample[1] != name:
                continue
            has = dict(re.findall(r'(\w+)="([^"]*)"', sample[2] or ""))
            if labels.items() <= has.items():
                total += float(sample[3])
        return total

    def records(self) -> tuple[Call, ...]:
        """All contact records, oldest first."""
        store = ContactStore(self.home.database_url, read_only=True)
        try:
            return tuple(reversed(store.list(limit=1000)))
        finally:
            store.close()

    def until(
        self, what: str, true: Callable[[], object], within_seconds: float = WITHIN_SECONDS
    ) -> None:
        """Return when ``true()`` is.

        Raises:
            PhoneFailedError: It was not in time.
        """
        wait_until(what, true, within_seconds, lambda: f"the phone said:\n{self.stderr[-6000:]}")

    def until_state(self, state: str, within_seconds: float = WITHIN_SECONDS) -> None:
        """Return when a call is in ``state``.

        Raises:
            PhoneFailedError: None was in time.
        """
        self.until(
            f"a call in state {state}",
            lambda: any(call["state"] == state for call in self.live()),
            within_seconds,
        )


def wait_until(
    what: str,
    true: Callable[[], object],
    within_seconds: float = WITHIN_SECONDS,
    tell: Callable[[], str] = lambda: "",
) -> None:
    """Return when ``true()`` is.

    Raises:
        PhoneFailedError: It was not in time; the text ends with what ``tell`` says.
    """
    deadline = time.monotonic() + within_seconds
    pause = threading.Event()
    while not true():
        if time.monotonic() > deadline:
            raise PhoneFailedError(f"no {what} within {within_seconds:.0f} s; {tell()}")
        pause.wait(_PAUSE_SECONDS)
