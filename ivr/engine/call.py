"""Runs one call: turns what happens into events of its machine, and its actions into deeds.

Everything here runs on the asyncio loop's thread.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

import structlog

from ivr import ports
from ivr.call import actions as act
from ivr.call import events as ev
from ivr.call.confirmation import read_answer
from ivr.call.machine import CallMachine, UndeclaredEventError
from ivr.call.prompts import SpokenPrompt
from ivr.call.ranking import ranking_of
from ivr.call.states import CallState, Outcome
from ivr.engine.handover import Handover
from ivr.engine.keys import Keys
from ivr.engine.register import CallRegister
from ivr.engine.tools import Tools
from ivr.engine.turn import Heard
from ivr.engine.turns import Turns
from ivr.errors import WegwijsError
from ivr.lines.line import Line

_log = structlog.get_logger("wegwijs.engine")

_FORGET_SECONDS = 10.0
"""A leg that was told to hang up and does not say so is forgotten after this."""


class Call:
    """One call, from its INVITE to the end of its leg.

    Args:
        tools: Shared by all calls.
        leg: The caller's.
        line: The called line.
        register: Writes this call's contact record.
        on_gone: Called once, when the outcome is known, the leg gone and the last utterance
            recognised.
    """

    def __init__(
        self,
        tools: Tools,
        leg: ports.Leg,
        line: Line,
        register: CallRegister,
        on_gone: Callable[[Call], None],
    ) -> None:
        self.call_id = register.call_id
        self.line = line
        self._tools = tools
        self._leg = leg
        self._register = register
        self._on_gone = on_gone
        self._machine = CallMachine(line.rules)
        self._slot: int | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._limit: asyncio.TimerHandle | None = None
        self._forgetting: asyncio.TimerHandle | None = None
        self._turns = Turns(tools, line, register, heard=self._turn_heard, idle=self._perhaps_gone)
        self._keys = Keys()
        self._handover = Handover(leg, register, tools.observer, self.handle)
        self._open_since = float("inf")
        """On the loop's clock; what the audio thread told before is about somebody else's audio:
        a slot is used again by the next call."""
        self._events: deque[ev.Event] = deque()
        self._handling = False
        self._failing = False
        self._leg_gone = False
        self._ended = False
        self._gone = False
        self._began = tools.loop.time()
        tools.observer.state_changed(line.number, None, CallState.OFFERED)
        leg.listener = self.leg_event

    @property
    def state(self) -> CallState:
        """Where the call stands."""
        return self._machine.state

    @property
    def slot(self) -> int | None:
        """The call's frame slot, once audio flows."""
        return self._slot

    @property
    def is_live(self) -> bool:
        """Whether the outcome is still open."""
        return not self._ended

    def offer(self, admission: ev.Admission, *, is_open: bool) -> None:
        """Admit or refuse the call."""
        can_call_back = self.line.offers_callback and bool(self._leg.caller)
        self.handle(ev.Offered(admission=admission, open=is_open, can_call_back=can_call_back))

    # --- what happens -------------------------------------------------------------------------

    def leg_event(self, event: ports.LegEvent) -> None:
        """Take news of the caller's leg."""
        match event:
            case ports.MediaReady(slot=slot):
                self._media_ready(slot)
            case ports.PlayStarted(at_seconds=at_seconds):
                self._turns.prompt_heard(at_seconds)
            case ports.PlayFinished(token=token):
                self.handle(ev.PromptFinished(epoch=token))
            case ports.DigitPressed(digit=digit):
                self._key(digit, inband=False)
            case ports.TransferProgress():
                self._handover.news(event)
            case ports.TargetHungUp(token=token):
                self.handle(ev.TargetHungUp(attempt=token))
            case ports.MediaLost():
                self.handle(ev.MediaLost())
            case ports.HungUp(status=status, by_us=by_us):
                self._leg_gone = True
                self._close_slot()
                if not self._ended:
                    self._register.sip_ended(status)
                self.handle(ev.CallerHungUp(by_us=by_us))
                self._perhaps_gone()

    def audio_event(self, event: ports.AudioEvent, told_at: float) -> None:
        """Take news of the caller's audio, told at this moment of the loop's clock."""
        if told_at < self._open_since:
            return
        match event:
            case ports.SpeechStarted():
                if self._turns.is_of_the_turn(told_at):
                    self.handle(ev.SpeechStarted())
            case ports.UtteranceEnded():
                if self._turns.is_of_the_turn(told_at):
                    self._turns.ended(event)
                    self.handle(ev.UtteranceEnded())
            case ports.InbandDigit(digit=digit):
                self._key(digit, inband=True)
            case ports.FramesDropped(count=count):
                self._tools.observer.frames_dropped(count)

    def _key(self, digit: str, *, inband: bool) -> None:
        key = self._keys.pressed(digit, self._tools.loop.time(), inband=inband)
        if key is not None:
            self.handle(key)

    def component_failed(self) -> None:
        """Something this call depends on broke."""
        self.handle(ev.ComponentFailed())

    def handle(self, event: ev.Event) -> None:
        """Give one event to the machine and do what it asks, after what came before it."""
        self._events.append(event)
        if self._handling:
            return
        self._handling = True
        try:
            while self._events:
                self._handle(self._events.popleft())
        finally:
            self._handling = False

    def _handle(self, event: ev.Event) -> None:
        before, epoch = self._machine.state, self._machine.epoch
        try:
            actions = self._machine.handle(event)
        except UndeclaredEventError as error:
            self._tools.observer.failed("undeclared_event")
            _log.error(
                "undeclared_event",
                call_id=self.call_id,
                state=error.state.value,
                event_name=error.event_name,
            )
            actions = self._machine.handle(ev.ComponentFailed())
        except Exception as error:
            self._tools.observer.failed("machine")
            _log.error(
                "machine_failed",
                call_id=self.call_id,
                state=before.value,
                error=type(error).__name__,
            )
            actions = self._rescued()
        after = self._machine.state
        if after is not before:
            self._tools.observer.state_changed(self.line.number, before, after)
        if self._machine.epoch != epoch:
            # A menu that is said again is news too, though the state's name stays.
            _log.info("state", call_id=self.call_id, old=before.value, new=after.value)
        for action in actions:
            self._try(action)

    def _rescued(self) -> list[act.Action]:
        """The machine has a bug: to the general group, or if even that cannot be, the end."""
        try:
            actions = self._machine.handle(ev.ComponentFailed())
        except Exception:
            actions = []
        if actions or self._ended:
            return actions
        end = act.End(outcome=Outcome.MEDIA_FAILED, reason="machine_failed", thema=None, group=None)
        return [act.HangUp(), end]

    # --- what to do ---------------------------------------------------------------------------

    def _try(self, action: act.Action) -> None:
        try:
            self._do(action)
        except Exception as error:
            # A fault of ours in one action must not strand this caller, nor touch another
            # call. The type alone is logged: a message may quote the caller.
            self._tools.observer.failed("action")
            _log.error(
                "action_failed",
                call_id=self.call_id,
                action=type(action).__name__,
                error=type(error).__name__,
            )
            self._failed(action)

    def _failed(self, action: act.Action) -> None:
        loop = self._tools.loop
        if not self._failing and not isinstance(action, act.End):
            self._failing = True
            loop.call_soon(self.component_failed)
        # Where that changes nothing, the call must not wait for what will never be reported.
        match action:
            case act.PlayPrompt(epoch=epoch):
                loop.call_soon(self.handle, ev.PromptFinished(epoch=epoch))
            case act.Transfer(attempt=attempt):
                loop.call_soon(self._handover.failed, attempt.number)

    def _do(self, action: act.Action) -> None:
        match action:
            case act.AnswerCall():
                self._leg.answer()
            case act.Refuse(status=status, retry_after_seconds=seconds):
                self._register.sip_ended(status)
                self._leg.refuse(status, retry_after_seconds=seconds)
            case act.PlayPrompt(prompts=prompts, epoch=epoch):
                self._play(prompts, epoch)
            case act.StopPrompt():
                self._leg.stop_playing()
            case act.Attend(playing=playing, purpose=purpose):
                if self._slot is not None:
                    self._turns.attend(self._slot, playing=playing, purpose=purpose)
            case act.Ignore():
                self._turns.ignore(self._slot)
            case act.Recognise(epoch=epoch):
                if not self._turns.finish(epoch, self._slot):
                    self.handle(ev.RecognitionFailed(epoch=epoch))
            case act.RecordDecision(decision=decision, applied=applied, turn=turn):
                self._register.decided(decision, applied=applied, turn=turn)
                self._tools.observer.decided(self.line.number, decision.action, applied)
            case act.RecordChoice():
                self._register.chosen(action)
            case act.Transfer(attempt=attempt):
                self._handover.begin(attempt, self._machine.thema)
            case act.AbandonTransfer(attempt=number):
                self._handover.abandon(number)
            case act.NoteCallback():
                self._register.callback_asked(self._leg.caller)
            case act.HangUp():
                self._leg.hang_up()
            case act.StartTimer(seconds=seconds, epoch=epoch):
                self._cancel_timer()
                self._timer = self._tools.loop.call_later(
                    seconds, self.handle, ev.TimerExpired(epoch=epoch)
                )
            case act.CancelTimer():
                self._cancel_timer()
            case act.End():
                self._end(action)

    def _media_ready(self, slot: int) -> None:
        if self._slot is None and not self._ended:
            self._slot = slot
            self._open_since = self._tools.loop.time()
            self._tools.ears.open(slot)
            self._register.answered()
            seconds = self.line.rules.timers.call_seconds
            self._limit = self._tools.loop.call_later(seconds, self.handle, ev.CallLimitReached())
        self.handle(ev.MediaReady())

    def _play(self, prompts: tuple[SpokenPrompt, ...], epoch: int) -> None:
        try:
            book = self.line.prompts or self._tools.prompts
            wavs = [wav for prompt in prompts for wav in book.wavs(prompt)]
        except WegwijsError as error:
            # A prompt that is not there is silence, not the end of the call.
            self._tools.observer.failed("prompt")
            _log.error("prompt_missing", call_id=self.call_id, code=error.code)
            self._tools.loop.call_soon(self.handle, ev.PromptFinished(epoch=epoch))
            return
        self._leg.play(wavs, token=epoch)

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    # --- hearing ------------------------------------------------------------------------------

    def _turn_heard(self, epoch: int, heard: Heard) -> None:
        if self._ended:
            return
        if heard.failure:
            self._tools.observer.failed(heard.failure)
        self.handle(self._event_of(epoch, heard))

    def _event_of(self, epoch: int, heard: Heard) -> ev.Event:
        """What the machine is told of a turn that was heard."""
        words, turn = heard.transcript, heard.number
        if words is None:
            return ev.RecognitionFailed(epoch=epoch)
        if heard.purpose is act.Purpose.ANSWER:
            return ev.AnswerHeard(epoch=epoch, answer=read_answer(words.text), turn=turn)
        if not words.text:
            return ev.ThemaRanked(epoch=epoch, ranking=(), confidence=words.confidence, turn=turn)
        if heard.classification is None:
            return ev.RecognitionFailed(epoch=epoch)
        try:
            ranked = heard.classification.ranking
            ranking = ranking_of((r.thema, r.probability) for r in ranked)
            return ev.ThemaRanked(
                epoch=epoch, ranking=ranking, confidence=words.confidence, turn=turn
            )
        except ValueError:
            # What a classifier gives may be no ranking at all.
            self._tools.observer.failed("ranking")
            return ev.RecognitionFailed(epoch=epoch)

    # --- ending -------------------------------------------------------------------------------

    def _end(self, end: act.End) -> None:
        self._ended = True
        if self._limit is not None:
            self._limit.cancel()
        self._cancel_timer()
        self._turns.ignore(None)
        self._handover.call_ended(end.outcome)
        self._register.ended(end)
        self._turns.call_ended()
        seconds = self._tools.loop.time() - self._began
        self._tools.observer.call_ended(self.line.number, end.outcome, end.reason, seconds)
        self._tools.observer.state_changed(self.line.number, CallState.ENDED, None)
        _log.info("call_ended", call_id=self.call_id, outcome=end.outcome.value, reason=end.reason)
        self._forgetting = self._tools.loop.call_later(_FORGET_SECONDS, self._forget)
        self._perhaps_gone()

    def _forget(self) -> None:
        self._leg_gone = True
        self._perhaps_gone()

    def _close_slot(self) -> None:
        if self._slot is not None:
            self._tools.ears.close(self._slot)
            self._slot = None

    def _perhaps_gone(self) -> None:
        if self._ended and self._leg_gone and not self._turns.is_busy and not self._gone:
            self._gone = True
            if self._forgetting is not None:
                self._forgetting.cancel()
            self._close_slot()
            self._on_gone(self)
