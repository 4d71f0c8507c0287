"""One call's ear: a session for each turn, its recording, and the deadline of its transcript.

Everything here runs on the asyncio loop's thread.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial

from ivr import ports
from ivr.call import actions as act
from ivr.engine.background import BackgroundPass
from ivr.engine.recognition import RecognitionPool
from ivr.engine.register import CallRegister, Recorded
from ivr.engine.session import Heard, Session
from ivr.engine.settling import Settling
from ivr.lines.line import Line

_SAMPLE_RATE_HZ = 8000


class Hearing:
    """Turns of one caller, from the first word to what was understood.

    Args:
        loop: Of the engine.
        ears: The audio core.
        recognition: Shared by all calls.
        deadline_seconds: From the end of a turn to its transcript.
        line: The called line.
        register: Writes recordings and utterances of this call.
        background: Transcribes recordings once more after the call; None where nobody does.
        understood: Told what came of a turn.
        idle: Told when no turn is being recognised any more.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        ears: ports.Ears,
        recognition: RecognitionPool,
        deadline_seconds: float,
        line: Line,
        register: CallRegister,
        background: BackgroundPass | None,
        *,
        understood: Callable[[act.Recognise, Heard], None],
        idle: Callable[[], None],
    ) -> None:
        self._loop = loop
        self._ears = ears
        self._recognition = recognition
        self._deadline_seconds = deadline_seconds
        self._line = line
        self._register = register
        self._background = background
        self._understood = understood
        self._idle = idle
        self._session: Session | None = None
        self._pending: dict[int, list[asyncio.TimerHandle]] = {}
        """Utterances that are being recognised, with the deadlines of each."""
        self._again: list[Recorded] = []
        """Recorded turns that only the first engine heard."""
        self._is_over = False
        self.since = float("inf")
        """On the loop's clock; what the audio thread told before is about an earlier turn."""

    @property
    def is_busy(self) -> bool:
        """Whether an utterance is being recognised."""
        return bool(self._pending)

    def attend(self, slot: int, *, playing: bool, confirming: bool) -> None:
        """Let a turn begin, or go on under these parameters.

        Args:
            slot: The call's frame slot.
            playing: Our own prompt sounds.
            confirming: A yes or no is expected.
        """
        pauses, timers = self._line.pauses, self._line.rules.timers
        if self._session is None:
            self.since = self._loop.time()
            self._session = self._open(slot, confirming=confirming)
        self._ears.attend(
            slot,
            playing=playing,
            pause_ms=pauses.answer_ms if confirming else pauses.usual_ms,
            max_seconds=timers.confirm_seconds if confirming else timers.utterance_seconds,
            sink=self._session.feed,
        )

    def _open(self, slot: int, *, confirming: bool) -> Session:
        if confirming:
            return self._recognition.open(classify_result=False)
        settling = Settling(
            self._line.rules,
            self._line.pauses,
            lambda pause_ms: self._ears.set_pause(slot, pause_ms),
        )
        return self._recognition.open(
            lambda heard, classification: settling.partial(classification, heard.confidence)
        )

    def ignore(self, slot: int | None) -> None:
        """Forget the turn under way; one that is being recognised goes on."""
        if slot is not None:
            self._ears.ignore(slot)
        if self._session is not None:
            self._session.cancel()
            self._session = None

    def recognise(self, action: act.Recognise, slot: int | None) -> bool:
        """Understand the turn that just ended; ``understood`` is told, within the deadline.

        Returns:
            False when there is no turn to understand.
        """
        session = self._session
        if session is None or slot is None:
            return False
        pcm = self._ears.take_utterance(slot)
        keeps = self._line.keeps_recordings
        seconds = len(pcm) / _SAMPLE_RATE_HZ
        number = self._register.utterance_recorded(pcm if keeps else None, seconds)

        def heard(result: Heard) -> None:
            for timer in self._pending.pop(number):
                timer.cancel()
            self._keep_for_later(number, result)
            self._register.utterance_heard(number, result)
            self._understood(action, result)
            self._idle()

        def late(give_up: Callable[[], Heard | None]) -> None:
            result = give_up()
            # None: the result was faster and is on its way to this thread.
            if result is not None:
                heard(result)

        self._session = None
        timers = [self._loop.call_later(self._deadline_seconds, late, session.late)]
        second = self._recognition.second
        if second is not None and second.rules.deadline_seconds is not None:
            seconds = min(second.rules.deadline_seconds, self._deadline_seconds)
            timers.append(self._loop.call_later(seconds, late, session.give_up_second))
        self._pending[number] = timers
        session.finish(
            lambda result: _in_loop(self._loop, heard, result),
            utterance=pcm if second is not None else None,
        )
        return True

    def call_ended(self) -> None:
        """The call has its outcome: what was recorded may be heard once more."""
        self._is_over = True
        self._hand_over()

    def _keep_for_later(self, number: int, heard: Heard) -> None:
        recorded = self._register.recording_of(number)
        if self._background is None or recorded is None or heard.second_heard:
            return
        self._again.append(recorded)
        if self._is_over:
            self._hand_over()

    def _hand_over(self) -> None:
        background, again = self._background, self._again
        self._again = []
        if background is not None and background.wants(self._register.call_id):
            for recorded in again:
                self._register.once_written(partial(background.offer, recorded))


def _in_loop(loop: asyncio.AbstractEventLoop, call: Callable[[Heard], None], heard: Heard) -> None:
    """Call on the loop's thread; a loop that is closed has no calls left to tell."""
    try:
        loop.call_soon_threadsafe(call, heard)
    except RuntimeError:
        return
