"""What the telephone benchmarks share: a crowd of SIPp callers, what a process used, sounds."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import numpy as np
import soundfile
from numpy.typing import NDArray
from prometheus_client.parser import text_string_to_metric_families
from scipy.signal import resample_poly

from ivr.prompts.tts import EspeakNg

RATE_HZ: Final = 8000
LOOPBACK: Final = "127.0.0.1"
_HTTP_SECONDS: Final = 5.0
_RTP_ECHO_PORT_SPAN: Final = 4
"""SIPp takes RTP and RTCP of audio, and the same of video."""

_SCENARIO: Final = """<?xml version="1.0" encoding="UTF-8"?>
<scenario name="caller">
  <send retrans="500"><![CDATA[
INVITE sip:[service]@[remote_ip]:[remote_port] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
From: <sip:caller@[local_ip]:[local_port]>;tag=[pid]c[call_number]
To: <sip:[service]@[remote_ip]:[remote_port]>
Call-ID: [call_id]
CSeq: 1 INVITE
Contact: <sip:caller@[local_ip]:[local_port]>
Max-Forwards: 70
Content-Type: application/sdp
Content-Length: [len]

v=0
o=caller 1 1 IN IP4 [local_ip]
s=-
c=IN IP4 [media_ip]
t=0 0
m=audio [rtpstream_audio_port] RTP/AVP 8 101
a=rtpmap:8 PCMA/8000
a=rtpmap:101 telephone-event/8000
a=fmtp:101 0-15
a=ptime:20
a=sendrecv

]]></send>
  <recv response="100" optional="true"/>
  <recv response="180" optional="true"/>
  <recv response="200" rrs="true"/>
  <send><![CDATA[
ACK [next_url] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
From: <sip:caller@[local_ip]:[local_port]>;tag=[pid]c[call_number]
[last_To:]
Call-ID: [call_id]
CSeq: 1 ACK
Max-Forwards: 70
Content-Length: 0

]]></send>
  <nop><action><exec rtp_stream="{sound},-1,8,PCMA/8000"/></action></nop>
  <pause milliseconds="{milliseconds}"/>
</scenario>
"""


class SippMissingError(Exception):
    """SIPp is not installed, and the callers are SIPp's."""


class SippCallers:
    """Callers of one SIPp process that send A-law all the time; ended at the end of the context.

    Args:
        folder: For its scenario and its complaints.
        name: Of its files in ``folder``.
        sound: Raw A-law, sent over and over.
        port: SIP port of the service on loopback.
        count: Calls at once.
        per_second: Calls begun a second.
        stay_seconds: How long a call lasts at the most.
        media_port: First of its RTP ports.
        core: Processor to run on; any when None.
    """

    def __init__(
        self,
        folder: Path,
        name: str,
        sound: Path,
        *,
        port: int,
        count: int,
        per_second: float,
        stay_seconds: float,
        media_port: int,
        core: int | None,
    ) -> None:
        program = shutil.which("sipp")
        if program is None:
            raise SippMissingError("SIPp is not installed; run make setup-tests")
        scenario = folder / f"{name}.xml"
        scenario.write_text(
            _SCENARIO.format(sound=sound, milliseconds=round(1000 * stay_seconds)), encoding="utf-8"
        )
        self._output = folder / f"{name}.output"
        self._core = core
        self._folder = folder
        # Without parents' death in mind a killed benchmark would leave its callers calling.
        self._command = [
            *("setpriv", "--pdeathsig", "KILL", program, f"{LOOPBACK}:{port}"),
            *("-sf", str(scenario), "-s", "1700", "-i", LOOPBACK, "-mi", LOOPBACK),
            *("-m", str(count), "-l", str(count), "-r", f"{per_second:g}", "-nostdin"),
            *("-mp", str(media_port)),
            *("-trace_err", "-error_file", str(folder / f"{name}.errors")),
        ]
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        with self._output.open("wb") as output:
            self._process = subprocess.Popen(
                self._command,
                cwd=self._folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
        pin(self._process.pid, self._core)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait(timeout=10)

    @property
    def running(self) -> bool:
        """Whether it still calls; False long before the end means that it gave up."""
        return self._process is not None and self._process.poll() is None

    def complaint(self) -> str:
        """The end of what it wrote."""
        text = self._output.read_text("utf-8", "replace") if self._output.exists() else ""
        return text[-400:]


def pin(pid: int, core: int | None) -> None:
    """Keep a process and the threads it will start on one processor; None changes nothing."""
    if core is not None:
        os.sched_setaffinity(pid, {core})


def two_cores() -> tuple[int | None, int | None]:
    """One processor for the service and another for the callers; None where there is only one."""
    cores = sorted(os.sched_getaffinity(0))
    return (cores[0], cores[1]) if len(cores) > 1 else (None, None)


@dataclass(frozen=True, slots=True)
class ProcessUse:
    """What a process used so far."""

    cpu_seconds: float
    """User and system time of all its threads."""
    resident_mib: float
    peak_mib: float


def process_use(pid: int) -> ProcessUse:
    """Read ``/proc``.

    Raises:
        OSError: There is no such process.
    """
    # The program's name, in brackets, may hold anything; fields count from behind it.
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    ticks = int(fields[11]) + int(fields[12])
    status = dict(
        line.split(":", 1)
        for line in Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
        if ":" in line
    )
    return ProcessUse(
        cpu_seconds=ticks / os.sysconf("SC_CLK_TCK"),
        resident_mib=int(status["VmRSS"].split()[0]) / 1024,
        peak_mib=int(status["VmHWM"].split()[0]) / 1024,
    )


def datagrams_dropped(first_port: int, last_port: int) -> int:
    """Datagrams that the kernel threw away because nobody read these UDP ports in time."""
    dropped = 0
    for line in Path("/proc/net/udp").read_text(encoding="utf-8").splitlines()[1:]:
        fields = line.split()
        port = int(fields[1].rpartition(":")[2], 16)
        if first_port <= port <= last_port:
            dropped += int(fields[-1])
    return dropped


def metrics_of(http_port: int) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """Scrape a phone's metrics: value by name and sorted labels.

    Raises:
        OSError: The phone does not answer.
    """
    address = f"http://{LOOPBACK}:{http_port}/metrics"
    with urllib.request.urlopen(address, timeout=_HTTP_SECONDS) as reply:
        text = reply.read().decode("utf-8")
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def bucket_percentile(buckets: Sequence[tuple[float, float]], percent: float) -> float:
    """Percentile of a histogram, linear within its bucket.

    Args:
        buckets: Upper bound and cumulative count, ascending; the last bound may be infinite.
        percent: 0..100.

    Returns:
        0 for an empty histogram; the last finite bound for what lies above it.
    """
    wanted = buckets[-1][1] * percent / 100
    lower, below = 0.0, 0.0
    for bound, count in buckets:
        if count >= wanted and count > below:
            if bound == float("inf"):
                return lower
            return lower + (bound - lower) * (wanted - below) / (count - below)
        lower, below = bound, count
    return 0.0


def spoken(
    text: str, voice: str, *, words_per_minute: int = 155, pitch: int = 50
) -> NDArray[np.int16]:
    """``text`` as espeak-ng says it, 8000 Hz mono, silence at both ends cut off; shape ``(n,)``.

    Raises:
        PromptError: espeak-ng is missing or has no such voice.
    """
    speaker = EspeakNg(voice, words_per_minute=words_per_minute, pitch=pitch)
    samples, rate_hz = speaker.speak(text)
    mono = resample_poly(samples, RATE_HZ, rate_hz)
    # Telephone speech has about this level; espeak's own differs by voice.
    mono = 0.06 * mono / max(1e-6, float(np.sqrt(np.mean(mono**2))))
    loud = np.flatnonzero(np.abs(mono) > 0.003)
    cut = mono[loud[0] : loud[-1] + 1]
    speech: NDArray[np.int16] = np.clip(cut * 32767, -32768, 32767).astype(np.int16)
    return speech


def line_noise(seconds: float, seed: int = 7) -> NDArray[np.int16]:
    """A quiet telephone line: noise of -60 dBFS; shape ``(seconds * 8000,)``."""
    generator = np.random.default_rng(seed)
    return generator.normal(0, 30, round(seconds * RATE_HZ)).astype(np.int16)


def write_alaw(path: Path, samples: NDArray[np.int16]) -> Path:
    """Write raw A-law, one octet a sample, cut to whole frames of 20 ms."""
    whole = samples[: len(samples) // 160 * 160]
    soundfile.write(path, whole, RATE_HZ, format="RAW", subtype="ALAW")
    return path


def temporary_folder(name: str) -> tempfile.TemporaryDirectory[str]:
    """A folder that is removed at the end of its context."""
    return tempfile.TemporaryDirectory(prefix=f"wegwijs-{name}-", ignore_cleanup_errors=True)
