"""Claim: 100 calls with prompt, frame capture and voice activity: <= 0.5 % of a core each.

SIPp places the calls and sends A-law both ways. In the measured window every call hears a prompt
that may be interrupted, so the service plays, captures every frame and judges it for speech and
for keys. Measured twice: callers who do not speak (line noise with short voiced bursts, too short
to count as speech), and the same with one caller in ten speaking all the time and being
recognised and classified meanwhile.

Baselines of the same run, with the same callers and prompt: pjsua2 alone, playing and recording
in C, which is the floor; and pjsua2 with each frame taken into Python by itself.
"""

from __future__ import annotations

import json
import queue
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
import soundfile
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks import telephone
from benchmarks.common import Measurement, Report, arguments, finish, report
from ivr.audio.frames import FRAME_SECONDS
from ivr.demo.processes import Child, Happening
from ivr.errors import WegwijsError

CALLS_PER_SECOND: Final = 20
SETTLE_SECONDS: Final = 7.0
"""The notice that the call is recorded lasts five; the question then lasts all the window."""
START_SECONDS: Final = 60.0
SPEAKING_SHARE: Final = 0.1
PROMPT_SECONDS: Final = 110.0
"""Longer than ramp and window together, so that every call is in its prompt all the time."""
TARGET_PERCENT_A_CALL: Final = 0.5
SPARE_CALLS: Final = 8
RTP_FIRST: Final = 11_000
CALLER_RTP_FIRST: Final = 24_000
NOISE = "line noise with voiced bursts of 100 ms, A-law"
SPEECH = "one caller in ten speaks without pause, espeak-ng, A-law"
MONOLOGUE = (
    "Ik heb een vraag over de verkeersbelasting van mijn nieuwe wagen.",
    "Ik wil graag weten of ik recht heb op een premie voor dakisolatie.",
    "Mijn dochter gaat studeren en ik wil een studietoelage aanvragen.",
    "Wanneer krijg ik het groeipakket voor mijn zoontje uitbetaald.",
    "Ik kan niet aanmelden met itsme op de website van de overheid.",
    "Waar vind ik de dienstregeling van de bus naar het station.",
    "Ik zoek informatie over dienstencheques voor mijn moeder.",
    "Mijn rijbewijs is verlopen en ik wil een afspraak maken.",
)


@dataclass(frozen=True, slots=True)
class Window:
    """What one service did in the measured seconds."""

    seconds: float
    percent_of_core: float
    resident_mib: float
    calls_up: int
    datagrams_dropped: int
    metrics: dict[str, float]
    ticks: tuple[tuple[float, float], ...] = ()
    """Tick times: upper bound in seconds and cumulative count."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The run: what every service is put through."""

    calls: int
    seconds: float
    folder: Path
    prompt: Path
    noise: Path
    speech: Path
    cores: tuple[int | None, int | None]
    model: Path | None

    @property
    def rtp_last(self) -> int:
        """Last RTP port of a service: two a leg, and each caller could be bridged."""
        return RTP_FIRST + 4 * (self.calls + SPARE_CALLS) + 63

    @property
    def stay_seconds(self) -> float:
        """How long a caller stays."""
        return self.calls / CALLS_PER_SECOND + self.seconds + SETTLE_SECONDS + 30


class Service:
    """A child process that takes calls; its JSON lines come through a queue."""

    def __init__(self, name: str, command: list[str], core: int | None) -> None:
        self._happenings: queue.Queue[Happening] = queue.Queue()
        self.child = Child(name, command, self._happenings)
        telephone.pin(self.child.pid, core)

    def wait_for(self, event: str) -> Happening:
        """The next event of this name.

        Raises:
            RuntimeError: It does not come.
        """
        until = time.monotonic() + START_SECONDS
        while (left := until - time.monotonic()) > 0:
            try:
                happening = self._happenings.get(timeout=left)
            except queue.Empty:
                break
            if happening.event == event:
                return happening
            if happening.event == "gone":
                raise RuntimeError(f"{self.child.name} ended: {self.child.complaint()}")
        raise RuntimeError(f"{self.child.name} said no {event!r} within {START_SECONDS:.0f} s")


def phone_config(plan: Plan, recordings: Path) -> str:
    """A configuration in which callers stay in their prompt, and a turn as long as they speak."""
    model = "" if plan.model is None else f"model = {json.dumps(str(plan.model))}"
    return f"""
[service]
max_calls = {plan.calls + SPARE_CALLS}
http_port = 0
drain_seconds = 1
[sip]
udp_port = 0
tcp_port = false
rtp_ports = "{RTP_FIRST}-{plan.rtp_last}"
[recognition]
{model}
[prompts]
recordings = {json.dumps(str(recordings))}
[timers]
prompt_seconds = 300
utterance_seconds = 300
[pauses]
settled_ms = 2000
usual_ms = 2000
unsettled_ms = 2000
[lines."*"]
mode = "collect"
[groups.algemeen]
targets = ["sip:700@127.0.0.1:9"]
"""


@contextmanager
def phone(plan: Plan, name: str) -> Iterator[tuple[Service, int, int]]:
    """A real phone process in a home of its own; gives its SIP and HTTP ports."""
    folder = plan.folder / name
    recordings = folder / "prompts"
    recordings.mkdir(parents=True)
    (recordings / "question.wav").write_bytes(plan.prompt.read_bytes())
    config = folder / "wegwijs.toml"
    config.write_text(phone_config(plan, recordings), encoding="utf-8")
    command = [sys.executable, "-m", "ivr", "phone"]
    command += ["--config", str(config), "--home", str(folder / "home")]
    service = Service(name, command, plan.cores[0])
    try:
        ready = service.wait_for("ready")
        while "sip_ports" not in ready.fields:
            ready = service.wait_for("ready")
        yield service, int(ready.fields["sip_ports"]["udp"]), int(ready.fields["http_port"])
    finally:
        service.child.stop()


@contextmanager
def bare(plan: Plan, capture: str) -> Iterator[tuple[Service, int]]:
    """A bare endpoint; gives its SIP port."""
    folder = plan.folder / f"bare-{capture}"
    folder.mkdir()
    script = Path(__file__).with_name("bare_endpoint.py")
    command = [sys.executable, str(script), "--capture", capture, "--prompt", str(plan.prompt)]
    command += ["--folder", str(folder), "--calls", str(plan.calls + SPARE_CALLS)]
    command += ["--rtp-first", str(RTP_FIRST), "--rtp-last", str(plan.rtp_last)]
    service = Service(f"bare endpoint ({capture})", command, plan.cores[0])
    try:
        yield service, int(service.wait_for("ready").fields["port"])
    finally:
        service.child.stop()


@contextmanager
def callers(plan: Plan, port: int, speaking: int, name: str) -> Iterator[None]:
    """All callers, when they have settled; the speaking ones come last."""
    with ExitStack() as stack:
        media_port = CALLER_RTP_FIRST
        for sound, count in ((plan.noise, plan.calls - speaking), (plan.speech, speaking)):
            if not count:
                continue
            crowd = telephone.SippCallers(
                plan.folder,
                f"{name}-{sound.stem}",
                sound,
                port=port,
                count=count,
                per_second=CALLS_PER_SECOND,
                stay_seconds=plan.stay_seconds,
                media_port=media_port,
                core=plan.cores[1],
            )
            stack.enter_context(crowd)
            wait(count / CALLS_PER_SECOND + 0.5)
            media_port += 4 * (count + 2)
            if not crowd.running:
                raise RuntimeError(f"SIPp gave up: {crowd.complaint()}")
        wait(SETTLE_SECONDS)
        yield


def wait(seconds: float) -> None:
    """Let the calls go on for so long."""
    threading.Event().wait(seconds)


def measure_phone(plan: Plan, speaking: int, name: str) -> Window:
    """Put the service through the plan with so many callers speaking."""
    with phone(plan, name) as (service, port, http_port), callers(plan, port, speaking, name):
        before = telephone.metrics_of(http_port)
        dropped = telephone.datagrams_dropped(RTP_FIRST, plan.rtp_last)
        use, began = telephone.process_use(service.child.pid), time.monotonic()
        wait(plan.seconds)
        seconds = time.monotonic() - began
        used = telephone.process_use(service.child.pid)
        after = telephone.metrics_of(http_port)
        dropped = telephone.datagrams_dropped(RTP_FIRST, plan.rtp_last) - dropped
    delta = {key: value - before.get(key, 0.0) for key, value in after.items()}
    ticks = sorted(
        (float(dict(labels)["le"]), count)
        for (metric, labels), count in delta.items()
        if metric == "wegwijs_audio_tick_seconds_bucket"
    )
    live = {
        dict(labels)["state"]: value
        for (metric, labels), value in after.items()
        if metric == "wegwijs_calls"
    }
    return Window(
        seconds=seconds,
        percent_of_core=100 * (used.cpu_seconds - use.cpu_seconds) / seconds,
        resident_mib=used.resident_mib,
        calls_up=round(sum(live.values())),
        datagrams_dropped=dropped,
        metrics={
            "speaking": live.get("listening", 0.0),
            "frames": delta[("wegwijs_audio_frames_total", ())],
            "lost": delta[("wegwijs_caller_frames_dropped_total", ())],
            "late": delta[("wegwijs_audio_late_ticks_total", ())],
        },
        ticks=tuple(ticks),
    )


def measure_bare(plan: Plan, capture: str) -> Window:
    """Put a bare endpoint through the plan, callers not speaking."""
    with bare(plan, capture) as (service, port), callers(plan, port, 0, f"bare-{capture}"):
        service.child.send(do="count")
        first = service.wait_for("count")
        dropped = telephone.datagrams_dropped(RTP_FIRST, plan.rtp_last)
        use, began = telephone.process_use(service.child.pid), time.monotonic()
        wait(plan.seconds)
        seconds = time.monotonic() - began
        used = telephone.process_use(service.child.pid)
        dropped = telephone.datagrams_dropped(RTP_FIRST, plan.rtp_last) - dropped
        service.child.send(do="count")
        last = service.wait_for("count")
    return Window(
        seconds=seconds,
        percent_of_core=100 * (used.cpu_seconds - use.cpu_seconds) / seconds,
        resident_mib=used.resident_mib,
        calls_up=int(last.fields["calls"]),
        datagrams_dropped=dropped,
        metrics={
            key: float(last.fields[key]) - float(first.fields[key])
            for key in ("frames", "sounding")
        },
    )


def noise_with_bursts(seconds: float) -> NDArray[np.int16]:
    """Line noise, and every second 100 ms of a voice."""
    samples = telephone.line_noise(seconds)
    voice = telephone.spoken("ja", "nl+m3")[:800]
    for start in range(4000, len(samples) - 800, 8000):
        samples[start : start + len(voice)] += voice // 2
    return samples


def monologue(seconds: float) -> NDArray[np.int16]:
    """Questions in a row, pauses of 150 ms between them."""
    gap = telephone.line_noise(0.15)
    parts = []
    for number, text in enumerate(MONOLOGUE):
        parts += [telephone.spoken(text, f"nl+{'fm'[number % 2]}{number % 4 + 1}"), gap]
    speech = np.concatenate(parts)
    return np.resize(speech, round(seconds * telephone.RATE_HZ))


def prepare(folder: Path, calls: int, seconds: float, model: Path | None, *, pinned: bool) -> Plan:
    """Write the sounds."""
    prompt = folder / "prompt.wav"
    said = np.resize(
        telephone.spoken(" ".join(MONOLOGUE), "nl+belinda"), int(PROMPT_SECONDS * 8000)
    )
    soundfile.write(prompt, said, telephone.RATE_HZ, subtype="PCM_16")
    return Plan(
        calls=calls,
        seconds=seconds,
        folder=folder,
        prompt=prompt,
        noise=telephone.write_alaw(folder / "noise.alaw", noise_with_bursts(30.0)),
        speech=telephone.write_alaw(folder / "speech.alaw", monologue(60.0)),
        cores=telephone.two_cores() if pinned else (None, None),
        model=model,
    )


def add_window(
    made: Report,
    plan: Plan,
    window: Window,
    what: str,
    data: str,
    *,
    baseline: float | None = None,
    target: float | None = None,
) -> None:
    """Report one window; ``baseline`` and ``target`` are of the CPU a call."""
    calls = plan.calls
    first = Measurement(
        benchmark="call_capacity",
        metric=f"{what}: core used per call",
        value=window.percent_of_core / calls,
        unit="% of a core",
        baseline=baseline,
        target=target,
        model="embedded" if plan.model is None else plan.model.name,
        data=f"{calls} calls, {data}",
    )
    made.add(first)
    other = replace(first, baseline=None, target=None)

    def add(metric: str, value: float, unit: str) -> None:
        made.add(replace(other, metric=f"{what}: {metric}", value=value, unit=unit))

    made.add(
        replace(
            other,
            metric=f"{what}: calls up at the end",
            value=window.calls_up,
            unit="calls",
            target=calls,
            higher_is_better=True,
        )
    )
    add("datagrams unread", window.datagrams_dropped, "datagrams")
    add("resident memory", window.resident_mib, "MiB")
    if "lost" not in window.metrics:
        return
    made.add(
        replace(
            other,
            metric=f"{what}: frames dropped",
            value=window.metrics["lost"],
            unit="frames",
            target=0,
        )
    )
    due = calls * window.seconds / FRAME_SECONDS
    add("frames processed, of those due", 100 * window.metrics["frames"] / due, "%")
    add("callers listened to at the end", window.metrics["speaking"], "calls")
    add("late ticks", window.metrics["late"], "ticks")
    p50, p95, p99 = (1000 * telephone.bucket_percentile(window.ticks, p) for p in (50, 95, 99))
    made.add(
        replace(other, metric=f"{what}: tick", value=p50, unit="ms", p50=p50, p95=p95, p99=p99)
    )


def main() -> None:
    """Measure and print."""
    parser = arguments(__doc__.splitlines()[0])
    parser.add_argument("--calls", type=int, default=100, help="calls at once")
    parser.add_argument("--seconds", type=float, default=20.0, help="measured, at most 60")
    parser.add_argument("--model", type=Path, help="recogniser model; the embedded one if absent")
    parser.add_argument("--no-pin", action="store_true", help="let the system choose processors")
    options = parser.parse_args()
    if not 1 <= options.calls <= 200 or not 1 <= options.seconds <= 60:
        parser.error("--calls takes 1 to 200, --seconds 1 to 60")
    made = report(as_json=options.json, packages=["pjsua2", "numpy", "vosk"])
    with telephone.temporary_folder("capacity") as folder:
        try:
            plan = prepare(
                Path(folder), options.calls, options.seconds, options.model,
                pinned=not options.no_pin,
            )  # fmt: skip
            print("about two and a half minutes", file=sys.stderr)
            floor = measure_bare(plan, "c")
            naive = measure_bare(plan, "naive")
            quiet = measure_phone(plan, 0, "phone")
            speaking = max(1, round(SPEAKING_SHARE * plan.calls))
            # Recognition has threads of its own, which one processor would starve.
            both = replace(plan, cores=(None, plan.cores[1]))
            busy = measure_phone(both, speaking, "phone-busy")
            if naive.metrics["sounding"] < 0.9 * naive.metrics["frames"]:
                raise RuntimeError("the callers' RTP did not arrive: this would measure silence")
            if busy.metrics["speaking"] < speaking / 2:
                raise RuntimeError("the speaking callers were not heard")
        except (WegwijsError, telephone.SippMissingError, RuntimeError) as error:
            print(f"bench_call_capacity: {error}", file=sys.stderr)
            raise SystemExit(1) from None
    calls = plan.calls
    add_window(made, plan, floor, "pjsua2 alone", NOISE)
    add_window(made, plan, naive, "naive Python", NOISE)
    add_window(
        made, plan, quiet, "service", NOISE,
        baseline=naive.percent_of_core / calls, target=TARGET_PERCENT_A_CALL,
    )  # fmt: skip
    add_window(made, plan, busy, f"service, {speaking} speak", SPEECH)
    finish(made)


if __name__ == "__main__":
    main()
