"""Claim: a caller waits at most 800 ms (p50) and 1.2 s (p95) for our answer.

Fifty demo calls, each with another everyday question in another voice of espeak-ng, against a
real phone process and a contact centre. Dead air is measured from the caller's own recording:
from the last energy said to the first energy heard, so that jitter buffers and packets on the
way count as they do for a person. Beside the speed stands what it must not cost: whether the
question reached the right group, and whether the caller was cut off in mid-sentence.

Baseline: the same calls at the same time to a second phone whose pause is always the usual
700 ms, so that partial transcripts change nothing. The welcome is shortened in both, because
dead air begins after it.
"""

from __future__ import annotations

import csv
import json
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

import numpy as np
import soundfile
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks import telephone
from benchmarks.common import (
    Measurement,
    Report,
    arguments,
    fingerprint,
    finish,
    percentile,
    report,
)
from ivr.contacts.models import Call
from ivr.contacts.store import ContactStore
from ivr.demo.children import ADDRESS
from ivr.demo.dead_air import SAID_LEVEL, dead_airs
from ivr.demo.processes import Child
from ivr.demo.stage import Stage, StageSettings
from ivr.errors import WegwijsError

QUESTIONS: Final = Path(__file__).with_name("everyday_questions.tsv")
VOICES: Final = (
    *("f1", "m1", "f2", "m2", "f3", "m3", "f4", "m4", "f5", "m5", "Andrea", "m6", "Alicia", "m7"),
    *("linda", "m8", "steph", "paul", "anika", "Diogo"),
)
TARGET_P50_MS: Final = 800.0
TARGET_P95_MS: Final = 1200.0
USUAL_MS: Final = 700
FIRST_LINE: Final = 2000
CALL_SECONDS: Final = 60.0
RECORD_SECONDS: Final = 10.0
PROMPT_PAUSE_MS: Final = 900
"""Silence after which a caller takes our prompt for finished; the welcome pauses for 300."""
SERVICE: Final = "service"
FIXED: Final = f"fixed pause of {USUAL_MS} ms"
DATA: Final = "espeak-ng, A-law, loopback"


@dataclass(frozen=True, slots=True)
class Question:
    """What one caller asks."""

    number: int
    thema: str
    file: Path
    speech: NDArray[np.int16]


@dataclass(slots=True, kw_only=True)
class Result:
    """What became of one call."""

    thema: str
    dead_air_ms: float | None = None
    """None when no prompt followed."""
    talked_over: bool = False
    """Our prompt began while the caller had still something to say."""
    answered: bool = False
    cut_short: bool = False
    """The recorded turn is shorter than what was said: its end was not listened to."""
    action: str = "none"
    reached: str | None = None
    """Group that the caller was sent to."""
    right: bool = False
    offered: bool = False
    """Routed rightly, or asked or given the choice rightly."""
    stages_ms: dict[str, float] = field(default_factory=dict)


class Side:
    """One phone with its contact centre and all its calls.

    Args:
        name: For messages.
        questions: In order.
        pauses: Its ``[pauses]``; the defaults when empty.
        recordings: Prompts of this run.
        model: Of the recogniser; the embedded one when None.
        parallel: Callers at once.
        rtp_first: First of its 200 RTP ports.
    """

    def __init__(
        self,
        name: str,
        questions: Sequence[Question],
        *,
        pauses: Mapping[str, int],
        recordings: Path,
        model: Path | None,
        parallel: int,
        rtp_first: int,
    ) -> None:
        self.name = name
        self.results: list[Result] = []
        self.own_metric_ms: list[float] = []
        self.failure: BaseException | None = None
        self._questions = list(questions)
        self._parallel = parallel
        # Both sides run in one process, which the stage tells ports apart by.
        rtp_ports = f"{rtp_first}-{rtp_first + 199}"
        tables: dict[str, Mapping[str, object]] = {
            "prompts": {"recordings": str(recordings)},
            "sip": {"rtp_ports": rtp_ports},
        }
        if pauses:
            tables["pauses"] = pauses
        if model is not None:
            tables["recognition"] = {"model": str(model)}
        self._settings = StageSettings(tables=tables)
        self._thread = threading.Thread(target=self._run, name=name)

    def start(self) -> None:
        """Begin calling."""
        self._thread.start()

    def wait(self) -> None:
        """Return when all calls are over.

        Raises:
            WegwijsError: The service broke.
        """
        self._thread.join()
        if self.failure is not None:
            raise self.failure

    def _run(self) -> None:
        try:
            with Stage(self._settings) as stage:
                stage.start_all()
                recordings = self._call_all(stage)
                self._judge_all(stage, recordings)
        except BaseException as error:
            self.failure = error

    def _call_all(self, stage: Stage) -> dict[int, tuple[Path, str | None]]:
        """Place every call; gives the recording and the target of each."""
        waiting = list(reversed(self._questions))
        calling: dict[str, tuple[Question, Child, float]] = {}
        over: dict[int, tuple[Path, str | None]] = {}
        targets: dict[str, str] = {}
        while waiting or calling:
            while waiting and len(calling) < self._parallel:
                question = waiting.pop()
                name = f"caller {question.number}"
                calling[name] = (question, self._dial(stage, question, name), time.monotonic())
            happening = stage.next(0.5)
            for _, child, began in calling.values():
                if time.monotonic() - began > CALL_SECONDS and child.running:
                    child.stop(2.0)
            if happening is None or happening.source not in calling:
                continue
            if happening.event == "transferring":
                targets[happening.source] = str(happening.fields.get("target", ""))
            if happening.event == "gone":
                question, _, _ = calling.pop(happening.source)
                over[question.number] = (
                    stage.folder / f"{question.number}.wav",
                    targets.get(happening.source),
                )
        return over

    def _dial(self, stage: Stage, question: Question, name: str) -> Child:
        return stage.start_caller(
            f"sip:{FIRST_LINE + question.number}@{ADDRESS}:{stage.sip_port}",
            *("--step", f"say:{question.file}", "--step", "hangup"),
            *("--pause-ms", str(PROMPT_PAUSE_MS), "--talk-seconds", "0.5"),
            *("--max-seconds", "40", "--record", str(stage.folder / f"{question.number}.wav")),
            name=name,
        )

    def _judge_all(self, stage: Stage, over: Mapping[int, tuple[Path, str | None]]) -> None:
        group_of = {thema.slug: thema.group for thema in stage.catalogue.themas}
        calls = self._records(stage)
        for question in self._questions:
            recording, target = over[question.number]
            result = Result(thema=question.thema)
            _judge_sound(result, recording)
            result.reached = _user_part(target)
            result.right = result.reached == group_of[question.thema]
            call = calls.get(str(FIRST_LINE + question.number))
            if call is not None:
                _judge_record(result, question, call)
                self.own_metric_ms += [
                    1000 * latency.seconds
                    for latency in call.latencies
                    if latency.stage == "dead_air" and latency.seconds is not None
                ]
            self.results.append(result)

    def _records(self, stage: Stage) -> dict[str, Call]:
        """Records by called number, once all are complete."""
        until = time.monotonic() + RECORD_SECONDS
        store = ContactStore(stage.home.database_url, read_only=True)
        try:
            while True:
                calls = store.list(limit=len(self._questions) + 10)
                if all(call.ended_at is not None for call in calls) or time.monotonic() > until:
                    return {call.line: call for call in calls}
                stage.next(0.2)
        finally:
            store.close()


def _judge_sound(result: Result, recording: Path) -> None:
    try:
        stereo, _ = soundfile.read(recording, dtype="int16", always_2d=True)
    except (OSError, soundfile.LibsndfileError):
        return
    waits = dead_airs(stereo[:, 0], stereo[:, 1])
    if waits:
        result.answered, result.dead_air_ms = True, waits[0].ms
        after = stereo[round(waits[0].prompt_seconds * telephone.RATE_HZ) :, 0]
        result.talked_over = bool(np.abs(after.astype(np.int32)).max(initial=0) > 4 * SAID_LEVEL)


def _judge_record(result: Result, question: Question, call: Call) -> None:
    if call.utterances and call.utterances[0].audio_seconds is not None:
        said = len(question.speech) / telephone.RATE_HZ
        # A turn that was heard out holds the pause after it too, 480 ms at the least.
        result.cut_short = call.utterances[0].audio_seconds < said
    if call.decisions:
        decision = call.decisions[0]
        result.action = decision.action
        ranking = [str(thema) for thema, _ in decision.ranking or ()]
        result.offered = result.right
        if decision.action == "confirm":
            result.offered = decision.thema == question.thema
        elif decision.action == "choose":
            result.offered = question.thema in ranking[:4]
    for latency in call.latencies:
        if latency.seconds is not None and latency.stage != "dead_air":
            result.stages_ms.setdefault(latency.stage, 1000 * latency.seconds)


def _user_part(uri: str | None) -> str | None:
    return None if uri is None else uri.partition(":")[2].partition("@")[0]


def prepare(folder: Path, calls: int) -> list[Question]:
    """Write what the callers say.

    Raises:
        PromptError: espeak-ng is missing.
    """
    with QUESTIONS.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    # A step that shares no factor with fifty spreads a small run over all themas.
    chosen = [rows[number * 7 % len(rows)] for number in range(calls)]
    questions = []
    for number, row in enumerate(chosen):
        speech = telephone.spoken(
            row["text"],
            f"nl+{VOICES[number % len(VOICES)]}",
            words_per_minute=140 + number * 11 % 31,
            pitch=40 + number * 7 % 21,
        )
        path = folder / f"question-{number}.wav"
        soundfile.write(path, speech, telephone.RATE_HZ, subtype="PCM_16")
        questions.append(Question(number, row["thema"], path, speech))
    return questions


@contextmanager
def short_welcome(folder: Path) -> Iterator[Path]:
    """Recordings in place of the two first prompts."""
    recordings = folder / "prompts"
    recordings.mkdir()
    for name, text in (("notice", "Welkom."), ("question", "Waarover gaat uw vraag?")):
        speech = telephone.spoken(text, "nl+belinda")
        soundfile.write(recordings / f"{name}.wav", speech, telephone.RATE_HZ, subtype="PCM_16")
    yield recordings


def add_results(made: Report, sides: Mapping[str, Side], model: Path | None) -> None:
    """Report speed, and quality beside it."""
    ours, fixed = sides[SERVICE], sides[FIXED]
    plain = Measurement(
        benchmark="dead_air",
        metric="",
        value=0.0,
        unit="ms",
        model="embedded" if model is None else model.name,
        data=f"{fingerprint(QUESTIONS)}, {len(ours.results)} calls, {DATA}",
    )

    def add_times(metric: str, times: Sequence[float]) -> None:
        if times:
            p50, p95, p99 = (percentile(times, percent) for percent in (50, 95, 99))
            made.add(replace(plain, metric=metric, value=p50, p50=p50, p95=p95, p99=p99))

    airs, fixed_airs = (
        _known(result.dead_air_ms for result in side.results) for side in (ours, fixed)
    )
    for percent, target in ((50, TARGET_P50_MS), (95, TARGET_P95_MS)):
        made.add(
            replace(
                plain,
                metric=f"dead air, p{percent}",
                value=percentile(airs, percent),
                p99=percentile(airs, 99) if percent == 95 else None,
                baseline=percentile(fixed_airs, percent) if fixed_airs else None,
                target=target,
            )
        )
    add_times("as the service itself measures it", ours.own_metric_ms)
    for stage in ("endpoint", "recognition", "classification"):
        add_times(f"of it: {stage}", _known(result.stages_ms.get(stage) for result in ours.results))
    for metric, wanted, better in (
        ("calls with an answer to the question", "answered", True),
        ("sent to the right group", "right", True),
        ("right group, confirmation or choice", "offered", True),
        ("prompt began while the caller spoke", "talked_over", False),
        ("end of the question not listened to", "cut_short", False),
    ):
        made.add(
            replace(
                plain,
                metric=metric,
                value=_share(ours.results, wanted),
                unit="%",
                baseline=_share(fixed.results, wanted),
                higher_is_better=better,
            )
        )


def _share(results: Sequence[Result], wanted: str) -> float:
    return 100 * sum(bool(getattr(result, wanted)) for result in results) / len(results)


def _known(values: Iterator[float | None]) -> list[float]:
    return [value for value in values if value is not None]


def main() -> None:
    """Measure and print."""
    parser = arguments(__doc__.splitlines()[0])
    parser.add_argument("--calls", type=int, default=50, help="1 to 50")
    parser.add_argument("--parallel", type=int, default=2, help="callers at once, of each phone")
    parser.add_argument("--model", type=Path, help="recogniser model; the embedded one if absent")
    parser.add_argument("--details", type=Path, help="file for one JSON object a call")
    options = parser.parse_args()
    if not 1 <= options.calls <= 50 or not 1 <= options.parallel <= 4:
        parser.error("--calls takes 1 to 50, --parallel 1 to 4")
    made = report(as_json=options.json, packages=["pjsua2", "numpy", "vosk", "scikit-learn"])
    model = None if options.model is None else options.model.resolve()
    with telephone.temporary_folder("dead-air") as name:
        folder = Path(name)
        try:
            questions = prepare(folder, options.calls)
            with short_welcome(folder) as recordings:
                fixed = {f"{kind}_ms": USUAL_MS for kind in ("settled", "usual", "unsettled")}
                sides = {
                    name: Side(
                        name, questions, pauses=pauses, recordings=recordings, model=model,
                        parallel=options.parallel, rtp_first=rtp_first,
                    )
                    for name, pauses, rtp_first in (
                        (SERVICE, {}, 12_000), (FIXED, fixed, 12_200)
                    )
                }  # fmt: skip
                for side in sides.values():
                    side.start()
                for side in sides.values():
                    side.wait()
        except WegwijsError as error:
            print(f"bench_dead_air: {error}", file=sys.stderr)
            raise SystemExit(1) from None
    if options.details is not None:
        write_details(options.details, sides)
    if not any(result.dead_air_ms is not None for result in sides[SERVICE].results):
        print("bench_dead_air: no call was answered", file=sys.stderr)
        raise SystemExit(1)
    add_results(made, sides, model)
    finish(made)


def write_details(path: Path, sides: Mapping[str, Side]) -> None:
    """One line a call: what was measured, without what was said."""
    with path.open("w", encoding="utf-8") as file:
        for name, side in sides.items():
            for number, result in enumerate(side.results):
                row = {slot: getattr(result, slot) for slot in Result.__slots__}
                file.write(json.dumps({"side": name, "call": number, **row}) + "\n")


if __name__ == "__main__":
    main()
