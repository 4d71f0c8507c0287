"""A real Asterisk as the contact centre, on ports of its own.

It runs in the root folder that ``sip_config/asterisk/root.sh`` made, with a copy of
``sip_config/asterisk/etc`` in a folder of its own inside it, so that several can run at once.
Its queue_log and CDR are the oracle of "did the caller reach the right group".
"""

import csv
import os
import re
import shutil
import signal
import socket
import subprocess
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.integration.ports import free_port, free_range

TOP = Path(__file__).resolve().parents[2]
CONFIG = TOP / "sip_config" / "asterisk"
GROUPS = (
    "algemeen",
    "belastingen",
    "bouwen-wonen",
    "energie",
    "leefmilieu-natuur",
    "mobiliteit",
    "onderwijs",
    "welzijn-zorg",
    "gezin-groeipakket",
    "werk-ondernemen",
    "cultuur-sport-vrijetijd",
    "burger-overheid",
    "digitale-hulp",
)
NOBODY_PORT = 9
"""The discard port: a voorlichter who never answers."""
RTP_PORTS = 200
BOOT_SECONDS = 120.0
"""Generous: a second on an idle machine."""
WITHIN_SECONDS = 90.0
"""Of every wait: generous too, and over as soon as it can be."""

# Asterisk complains of these when they are absent, though nothing has to be in them.
EMPTY_FILES = (
    "acl", "ari", "ccss", "cel", "cli_aliases", "codecs", "dsp", "features", "geolocation", "http",
    "indications", "manager", "pjproject", "pjsip_notify", "prometheus", "queuerules",
    "res_parking", "sorcery", "stir_shaken", "udptl",
)  # fmt: skip


class AsteriskUnavailableError(Exception):
    """There is no Asterisk on this machine; the text says what is missing."""


class AsteriskFailedError(Exception):
    """Asterisk did not start, or an expected event did not come; the text holds its log's end."""


@dataclass(frozen=True, slots=True)
class QueueEvent:
    """One line of queue_log."""

    time: float
    """Seconds since the epoch."""
    call: str
    """Asterisk's unique id of the caller's channel."""
    queue: str
    member: str
    event: str
    """ENTERQUEUE, CONNECT, COMPLETECALLER, COMPLETEAGENT, ABANDON, RINGNOANSWER, ..."""
    data: tuple[str, ...]


def root_folder() -> Path:
    """Return the root folder with Asterisk in it; never makes one.

    Raises:
        AsteriskUnavailableError: It is not there, or this user cannot enter it.
    """
    if os.geteuid() != 0:
        raise AsteriskUnavailableError("a real Asterisk needs root (its folder is a chroot)")
    found = subprocess.run(
        [CONFIG / "root.sh", "--check"], capture_output=True, text=True, timeout=60, check=False
    )
    if found.returncode != 0:
        raise AsteriskUnavailableError(found.stderr.strip())
    return Path(found.stdout.strip())


@dataclass(frozen=True, slots=True)
class Tls:
    """What Asterisk needs to call the infoline over TLS, as 1701."""

    infoline_port: int
    certificate: Path
    """PEM; its own authority too."""
    key: Path


class Asterisk:
    """One running contact centre; a context manager.

    Args:
        infoline_port: UDP port on which Wegwijs listens; 1700 and 1799 are sent there.
        voorlichters: Port of the voorlichter of each group that has one; nobody answers for the
            other groups.
        queue_seconds: How long a caller waits in a queue.
        silence_seconds: Silence of the infoline after which the safety net takes over; as shipped
            when None. Long, because an infoline of SIPp never sends sound, and a phone may be held
            up by a busy machine.
        tls: For 1701, which is answered by nobody without it.
    """

    def __init__(
        self,
        *,
        infoline_port: int = NOBODY_PORT,
        voorlichters: Mapping[str, int] | None = None,
        queue_seconds: int = 60,
        silence_seconds: int | None = 120,
        tls: Tls | None = None,
    ) -> None:
        self.tls = tls
        self.silence_seconds = silence_seconds
        self.infoline_port = infoline_port
        self.voorlichters = dict(voorlichters or {})
        self.queue_seconds = queue_seconds
        self.sip_port = 0
        self._root = Path()
        self._folder = Path()
        self._base = ""
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def uri(self, user: str) -> str:
        """Return the SIP URI of ``user``: 1700, 1799, or a group's slug."""
        return f"sip:{user}@127.0.0.1:{self.sip_port}"

    def start(self) -> None:
        """Write the configuration, start, and wait until it takes calls.

        Raises:
            AsteriskUnavailableError: There is none on this machine.
            AsteriskFailedError: It stopped, or did not boot in time.
        """
        unknown = set(self.voorlichters) - set(GROUPS)
        if unknown:
            raise ValueError(f"no such voorlichter groups: {', '.join(sorted(unknown))}")
        self._root = root_folder()
        _remove_leftovers(self._root)
        name = f"contactcentre-{os.getpid()}-{uuid.uuid4().hex[:8]}"
        self._folder = self._root / name
        self._base = f"/{name}"
        self.sip_port = free_port()
        self._write_configuration()
        with (self._folder / "var/log/stdout").open("wb") as output:
            # Dies with the tests, whatever happens to them.
            self._process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", "chroot", str(self._root), "/usr/sbin/asterisk",
                 "-f", "-C", f"{self._base}/etc/asterisk.conf"],
                stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
            )  # fmt: skip
        deadline = time.monotonic() + BOOT_SECONDS
        while "fully booted" not in self.rx("core waitfullybooted"):
            if time.monotonic() > deadline or self._has_ended(within_seconds=0.2):
                log = self.log_end()
                self.stop()
                raise AsteriskFailedError(f"Asterisk did not start; its log ends:\n{log}")

    def stop(self) -> None:
        """Stop it and remove its folder; safe to call twice."""
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(timeout=WITHIN_SECONDS)
        if self._base:
            shutil.rmtree(self._folder, ignore_errors=True)

    def rx(self, command: str) -> str:
        """Return what a command on Asterisk's own console prints."""
        done = subprocess.run(
            ["chroot", str(self._root), "/usr/sbin/asterisk", "-C",
             f"{self._base}/etc/asterisk.conf", "-rx", command],
            capture_output=True, text=True, timeout=WITHIN_SECONDS, check=False,
        )  # fmt: skip
        return done.stdout

    def queue_log(self) -> list[QueueEvent]:
        """Return what the queues did so far, oldest first."""
        file = self._folder / "var/log/queue_log"
        if not file.exists():
            return []
        rows = [line.split("|") for line in file.read_text("utf-8").splitlines()]
        return [
            QueueEvent(float(row[0]), row[1], row[2], row[3], row[4], tuple(row[5:]))
            for row in rows
            if len(row) >= 5 and row[2] != "NONE"
        ]

    def cdrs(self) -> list[dict[str, str]]:
        """Return the call detail records of ended calls, oldest first."""
        file = self._folder / "var/log/cdr-csv/Master.csv"
        if not file.exists():
            return []
        names = (
            "accountcode", "src", "dst", "dcontext", "clid", "channel", "dstchannel", "lastapp",
            "lastdata", "start", "answer", "end", "duration", "billsec", "disposition", "amaflags",
            "uniqueid", "userfield",
        )  # fmt: skip
        with file.open(encoding="utf-8", newline="") as lines:
            return [dict(zip(names, row, strict=False)) for row in csv.reader(lines)]

    def wait_for(
        self, event: str, *, queue: str, within_seconds: float = WITHIN_SECONDS, since: float = 0.0
    ) -> QueueEvent:
        """Return the first ``event`` of ``queue``, now or soon.

        Args:
            event: Its name.
            queue: The group's slug.
            within_seconds: The longest wait.
            since: Events before this moment, in seconds since the epoch, are of other tests.

        Raises:
            AsteriskFailedError: It did not come in time, or Asterisk ended.
        """
        deadline = time.monotonic() + within_seconds
        while True:
            for seen in self.queue_log():
                if (seen.event, seen.queue) == (event, queue) and seen.time >= since:
                    return seen
            if time.monotonic() > deadline or self._has_ended(within_seconds=0.1):
                seen_events = [(seen.queue, seen.event) for seen in self.queue_log()]
                raise AsteriskFailedError(
                    f"no {event} in queue {queue} within {within_seconds:.0f} s; "
                    f"seen: {seen_events}; log:\n{self.log_end()}"
                )

    def wait_for_thema(self, thema: str, *, call: str = "") -> None:
        """Return when a call detail record holds ``thema``: it is written when a call has ended.

        Args:
            thema: Its slug.
            call: Unique id of the caller's channel; any caller when empty.

        Raises:
            AsteriskFailedError: None does in time, or Asterisk ended.
        """
        deadline = time.monotonic() + WITHIN_SECONDS
        while True:
            records = [row for row in self.cdrs() if call in ("", row.get("uniqueid"))]
            themas = {row.get("userfield", "") for row in records}
            if thema in themas:
                return
            if time.monotonic() > deadline or self._has_ended(within_seconds=0.1):
                raise AsteriskFailedError(f"no {thema} in the records, but {sorted(themas)}")

    def wait_for_channels(self, count: int, *, within_seconds: float = WITHIN_SECONDS) -> None:
        """Return when exactly ``count`` channels exist: two for a call that was answered.

        Raises:
            AsteriskFailedError: It did not come to that in time, or Asterisk ended.
        """
        deadline = time.monotonic() + within_seconds
        while (now := self.active_channels()) != count:
            if time.monotonic() > deadline or self._has_ended(within_seconds=0.1):
                raise AsteriskFailedError(
                    f"{now} channels instead of {count} after {within_seconds:.0f} s; log:\n"
                    f"{self.log_end()}"
                )

    def wait_for_bridge(self, *, within_seconds: float = WITHIN_SECONDS) -> None:
        """Return when two channels are connected: before that Asterisk refuses a REFER with 400.

        Raises:
            AsteriskFailedError: None were in time, or Asterisk ended.
        """
        deadline = time.monotonic() + within_seconds
        # A row is: identifier, in some versions a name, number of channels, type, and more.
        while not re.search(r"^[0-9a-f-]{36} .* 2 \w", self.rx("bridge show all"), re.M):
            if time.monotonic() > deadline or self._has_ended(within_seconds=0.1):
                raise AsteriskFailedError(
                    f"no two channels connected within {within_seconds:.0f} s; log:\n"
                    f"{self.log_end()}"
                )

    def active_channels(self) -> int:
        """Return how many channels exist now."""
        match = re.search(r"^(\d+) active channel", self.rx("core show channels count"), re.M)
        return int(match.group(1)) if match else 0

    def log_end(self, lines: int = 40) -> str:
        """Return the last ``lines`` of what Asterisk logged."""
        texts = [
            (self._folder / name).read_text("utf-8", "replace").splitlines()
            for name in ("var/log/stdout", "var/log/full")
            if (self._folder / name).exists()
        ]
        return "\n".join(line for text in texts for line in text[-lines:])

    def _has_ended(self, *, within_seconds: float) -> bool:
        if self._process is None:
            return True
        try:
            self._process.wait(timeout=within_seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def _write_configuration(self) -> None:
        for folder in ("etc", "var/lib", "var/spool", "var/run", "var/log/cdr-csv"):
            (self._folder / folder).mkdir(parents=True)
        modules = next(self._root.glob("usr/lib/**/asterisk/modules"))
        rtp_start = free_range(RTP_PORTS)
        values = {
            "BASE": self._base,
            "MODULES": f"/{modules.relative_to(self._root)}",
            "SIP_PORT": str(self.sip_port),
            "INFOLINE_PORT": str(self.infoline_port),
            "RTP_START": str(rtp_start),
            "RTP_END": str(rtp_start + RTP_PORTS - 1),
            "QUEUE_SECONDS": str(self.queue_seconds),
        } | {f"PORT_{group}": str(self.voorlichters.get(group, NOBODY_PORT)) for group in GROUPS}
        for name in EMPTY_FILES:
            (self._folder / "etc" / f"{name}.conf").touch()
        templates = sorted((CONFIG / "etc").glob("*.conf"))
        if self.tls is not None:
            values |= {
                "TLS_PORT": str(free_port(socket.SOCK_STREAM)),
                "INFOLINE_TLS_PORT": str(self.tls.infoline_port),
            }
            templates += sorted((CONFIG / "tls").glob("*.conf"))
            for source, name in (
                (self.tls.certificate, "tls.pem"),
                (self.tls.key, "tls.key"),
                (self.tls.certificate, "authorities.pem"),
            ):
                shutil.copyfile(source, self._folder / "etc" / name)
        for template in templates:
            text = template.read_text("utf-8")
            filled = re.sub(r"@([A-Za-z_-]+)@", lambda match: values[match.group(1)], text)
            if self.silence_seconds is not None:
                silence = f"rtp_timeout = {self.silence_seconds}"
                filled = re.sub(r"^rtp_timeout = \d+$", silence, filled, flags=re.M)
            (self._folder / "etc" / template.name).write_text(filled, encoding="utf-8")


def _remove_leftovers(root: Path) -> None:
    """Remove folders of test runs that were killed."""
    for folder in root.glob("contactcentre-*-*"):
        if not Path("/proc", folder.name.split("-")[1]).exists():
            shutil.rmtree(folder, ignore_errors=True)
