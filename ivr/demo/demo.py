"""``wegwijs demo``: one real SIP call, from a caller to a voorlichter group, on this machine."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Final, TextIO

import soundfile

from ivr.call.prompts import SpokenPrompt
from ivr.contacts.models import Call
from ivr.contacts.store import ContactStore
from ivr.demo.children import ended_by_signals, require_pjsua2
from ivr.demo.dead_air import DeadAir, dead_airs
from ivr.demo.director import ActKind, Director
from ivr.demo.errors import DemoError
from ivr.demo.processes import Child, Happening
from ivr.demo.render import check_svg, report, write_svg
from ivr.demo.replay import Pressed
from ivr.demo.speech import QUESTION, check_digits, check_question, write_question
from ivr.demo.stage import CENTRE, PHONE, Stage, StageSettings
from ivr.demo.story import Story
from ivr.demo.timeline import Evidence, tell
from ivr.errors import ContactStoreError, PromptError, WegwijsError

_TURN_SECONDS: Final = 0.1
_DIAL_SECONDS: Final = 15.0
_CALL_SECONDS: Final = 240.0
"""A caller who is not understood hears everything twice; that takes a minute and a half."""
_RECORD_SECONDS: Final = 15.0
_TALK_SECONDS: Final = 1.0

Progress = Callable[[str], None]


def progress_on(stream: TextIO) -> Progress:
    """Return what tells people, on a terminal only, what is being done."""

    def progress(text: str) -> None:
        if stream.isatty():
            print(f"{text} ...", file=stream, flush=True)

    return progress


def dead_airs_of(recording: Path) -> list[DeadAir]:
    """Dead air of a caller's recording; nothing when the call had no audio."""
    try:
        stereo, _ = soundfile.read(recording, dtype="int16", always_2d=True)
    except (OSError, soundfile.LibsndfileError):
        return []
    return dead_airs(stereo[:, 0], stereo[:, 1])


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What the caller of a demonstration does."""

    say: str | None = None
    audio: Path | None = None
    digits: str = ""


def run_demo(
    *,
    say: str | None,
    audio: Path | None,
    digits: str | None,
    json_output: bool,
    svg: Path | None,
    home: Path | None,
    settings: StageSettings | None = None,
    stdout: TextIO | None = None,
    stderr: TextIO | None = None,
) -> int:
    """Show one call.

    Args:
        say: What the caller says.
        audio: Recording of what the caller says.
        digits: Keys that the caller presses.
        json_output: One JSON object instead of the timeline.
        svg: File for the timeline as a picture.
        home: Home folder of the service; a temporary one, removed afterwards, when None.
        settings: For tests: groups that do not answer, other timers.
        stdout: For the result.
        stderr: For progress, when it is a terminal, and for what went wrong.

    Returns:
        0 when the caller reached a voorlichter group, 1 when not, 2 for wrong usage.
    """
    out, errors = stdout or sys.stdout, stderr or sys.stderr
    progress = progress_on(errors)

    def make() -> Story:
        request = Request(say=say, audio=audio, digits=check_digits(digits))
        if svg is not None:
            check_svg(svg)
        story = demonstrate(request, settings=settings, home=home, progress=progress)
        if svg is not None:
            write_svg(story, svg)
        return story

    return report(make, json_output=json_output, stdout=out, stderr=errors)


def demonstrate(
    request: Request,
    *,
    settings: StageSettings | None = None,
    home: Path | None = None,
    progress: Progress = lambda text: None,
) -> Story:
    """Place one call and tell what came of it; every process is gone when this returns.

    Args:
        request: What the caller says and presses.
        settings: What differs from the usual stage.
        home: Home folder of the service; a temporary one, removed afterwards, when None.
        progress: Told what is being done.

    Raises:
        DemoUsageError: The question cannot be used.
        WegwijsError: Something is missing or broke; the message names the remedy.
    """
    require_pjsua2()
    say = request.say
    if say is None and request.audio is None and not request.digits:
        say = QUESTION
    check_question(say, request.audio)
    questions: list[Path | None] = []
    with ended_by_signals(), Stage(settings, home) as stage:
        progress("starting the service and the voorlichter groups (about 5 s)")
        stage.start_all(lambda: questions.append(write_question(stage.folder, say, request.audio)))
        progress("calling (about 30 s)")
        call = StagedCall(stage, questions[0], request.digits)
        # The story needs the service's own code, whose libraries take a second to load.
        threading.Thread(target=import_module, args=("ivr.service.phone",), daemon=True).start()
        run_calls(stage, [call])
        progress("reading the contact record")
        said = say if request.audio is None else f"recording {request.audio.name}"
        return call.story(said)


def run_calls(stage: Stage, calls: Sequence[StagedCall]) -> None:
    """Let callers dial, one after the other is taken in, and follow all calls to their end.

    Raises:
        DemoError: The service broke, or a call does not end.
    """
    waiting = list(calls)
    until = time.monotonic() + _CALL_SECONDS + _DIAL_SECONDS * len(waiting)
    dialled: StagedCall | None = None
    while not all(call.over for call in calls):
        if time.monotonic() > until:
            raise DemoError("the call did not end in time; try again on a calmer machine")
        if waiting and (dialled is None or dialled.call_id is not None or dialled.over):
            dialled = waiting.pop(0)
            dialled.dial()
        happening = stage.next(_TURN_SECONDS)
        if happening is not None:
            if happening.source == PHONE and happening.event == "call_offered" and dialled:
                dialled.offered(str(happening.fields["call_id"]))
            for call in calls:
                call.hear(happening)
        for call in calls:
            call.act()


class StagedCall:
    """One caller on a stage where service and contact centre are ready.

    Args:
        stage: Started.
        question: WAV of what the caller says; None for a caller with keys only.
        digits: Keys to press.
        name: Of the caller, when a stage has several.
        number: The caller's; withheld when empty.
    """

    def __init__(
        self,
        stage: Stage,
        question: Path | None,
        digits: str = "",
        *,
        name: str = "caller",
        number: str = "",
    ) -> None:
        self._stage = stage
        self._question = question
        self._name = name
        self._number = number
        self._over = False
        self._director = Director(speaks=question is not None, digits=digits)
        self._recording = stage.folder / f"{name}.wav"
        self._pressed: list[Pressed] = []
        self._call_id: str | None = None
        self._caller: Child | None = None

    @property
    def call_id(self) -> str | None:
        """Of the service; None until the call is there."""
        return self._call_id

    @property
    def over(self) -> bool:
        """Whether the caller is gone."""
        return self._over

    def dial(self) -> None:
        """Let the caller dial."""
        self._caller = self._stage.start_caller(
            self._stage.uri,
            *("--record", str(self._recording)),
            *("--talk-seconds", str(_TALK_SECONDS)),
            *("--max-seconds", str(_CALL_SECONDS - 20)),
            *(("--from-user", self._number) if self._number else ()),
            name=self._name,
        )

    def hear(self, happening: Happening) -> None:
        """Take news of the stage.

        Raises:
            DemoError: The service or the caller broke.
        """
        source, event, fields = happening.source, happening.event, happening.fields
        if happening.pid == self._stage.phone_pid and event == "gone":
            raise DemoError("the service ended in the middle of the call; start it again")
        if source == PHONE and event == "state" and fields.get("call_id") == self._call_id:
            self._director.entered(str(fields["new"]), time.monotonic())
        if source == self._name and event == "error":
            raise DemoError(f"the caller: {fields.get('text', 'failed')}")
        self._over = self._over or (source == self._name and event == "gone")

    def offered(self, call_id: str) -> None:
        """The service has taken this call in."""
        self._call_id = call_id

    def act(self) -> None:
        """Say or press what is due."""
        act = self._director.due(time.monotonic())
        if act is None or self._caller is None:
            return
        if act.kind is ActKind.SAY:
            self._caller.send(do="say", file=str(self._question))
        else:
            self._pressed.append(Pressed(time=time.time(), key=act.key))
            self._caller.send(do="digits", digits=act.key)

    def story(self, said: str | None) -> Story:
        """Tell the call that is over.

        Raises:
            WegwijsError: The contact record cannot be read.
        """
        # Here, because it is heavy and the caller need not wait for it.
        from ivr.lines.rules import call_rules

        stage = self._stage
        call = self._record()
        # Let the contact centre say that it is over.
        while stage.next(0.3) is not None:
            continue
        rules = call_rules(stage.config, stage.catalogue, stage.config.lines["*"])
        return tell(
            Evidence(
                said=said,
                happenings=stage.happenings,
                pressed=self._pressed,
                dead_airs=dead_airs_of(self._recording),
                call=call,
                rules=rules,
                prompt_text=self._prompt_texts(),
                centre=CENTRE,
                phone=PHONE,
                caller=self._name,
            )
        )

    def _record(self) -> Call | None:
        """The contact record, once it is complete; as it is when that takes too long."""
        if self._call_id is None:
            return None
        store = ContactStore(self._stage.home.database_url, read_only=True)
        try:
            until = time.monotonic() + _RECORD_SECONDS
            while True:
                call = store.get(self._call_id)
                if call is not None and call.ended_at is not None:
                    return call
                if time.monotonic() > until:
                    return call
                self._stage.next(_TURN_SECONDS)
        except ContactStoreError as error:
            raise DemoError(f"the contact record cannot be read: {error}") from None
        finally:
            store.close()

    def _prompt_texts(self) -> Callable[[SpokenPrompt], str]:
        from ivr.service.settings import prompt_book

        stage = self._stage
        try:
            book = prompt_book(stage.config, stage.catalogue, stage.home, "")
        except WegwijsError:
            return lambda prompt: prompt.prompt.value

        def text(prompt: SpokenPrompt) -> str:
            try:
                return book.text(prompt)
            except PromptError:
                return prompt.prompt.value

        return text
