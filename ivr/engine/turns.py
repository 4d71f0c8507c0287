"""The turns of one caller: begun, numbered, timed, recorded, and told to the call when heard.

Everything here runs on the asyncio loop's thread.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial

from ivr.call.actions import Purpose
from ivr.engine.register import CallRegister, Recorded
from ivr.engine.tools import Tools
from ivr.engine.turn import Heard, Turn
from ivr.lines.line import Line
from ivr.ports import UtteranceEnded
from ivr.ports.audio import SAMPLE_RATE_HZ


class Turns:
    """At most one turn at a time listens; earlier ones may still be understood.

    Args:
        tools: Shared by all calls.
        line: The called line.
        register: Writes recordings, utterances and stage times of this call.
        heard: Told what came of a turn, with the epoch that asked for it.
        idle: Told when no turn is being understood any more.
    """

    def __init__(
        self,
        tools: Tools,
        line: Line,
        register: CallRegister,
        *,
        heard: Callable[[int, Heard], None],
        idle: Callable[[], None],
    ) -> None:
        self._tools = tools
        self._line = line
        self._register = register
        self._heard = heard
        self._idle = idle
        self._last_number = 0
        self._turn: Turn | None = None
        self._ended: UtteranceEnded | None = None
        """How the turn that listens ended, when the audio core has told."""
        self._asked: dict[int, int] = {}
        """By number, turns that are being understood, with the epoch that asked."""
        self._deadlines: dict[int, asyncio.TimerHandle] = {}
        self._quiet_since: tuple[int, float] | None = None
        """Number of the turn after which the caller waits for our next prompt, and the end of
        their last sound on the slot's clock."""
        self._again: list[Recorded] = []
        """Recorded turns that only the first engine heard."""
        self._is_over = False

    @property
    def is_busy(self) -> bool:
        """Whether a turn is being understood."""
        return bool(self._asked)

    def attend(self, slot: int, *, playing: bool, purpose: Purpose) -> None:
        """Let a turn begin, or go on under these parameters.

        Args:
            slot: The call's frame slot.
            playing: Our own prompt sounds.
            purpose: What the caller is expected to say.
        """
        timers, is_answer = self._line.rules.timers, purpose is Purpose.ANSWER
        if self._turn is None:
            self._turn = self._open(slot, purpose)
        self._tools.ears.attend(
            slot,
            playing=playing,
            pause_ms=self._turn.pause_ms,
            max_seconds=timers.confirm_seconds if is_answer else timers.utterance_seconds,
            sink=self._turn.feed,
        )

    def _open(self, slot: int, purpose: Purpose) -> Turn:
        self._last_number += 1
        self._ended = None
        tools, number = self._tools, self._last_number
        return Turn(
            number,
            purpose,
            tools.recognition,
            tools.classifier,
            tools.end_rules(self._line, purpose),
            deadline_seconds=tools.recognition_deadline_seconds,
            post=self._post,
            pause_changed=partial(tools.ears.set_pause, slot),
            heard=self._turn_heard,
            failed=tools.observer.failed,
            now=tools.loop.time(),
        )

    def _post(self, work: Callable[[float], None]) -> None:
        loop = self._tools.loop
        try:
            loop.call_soon_threadsafe(work, loop.time())
        except RuntimeError:
            # The loop is closed: no call is left to tell.
            return

    def is_of_the_turn(self, told_at: float) -> bool:
        """Whether what the audio thread told at this moment is about the turn that listens."""
        return self._turn is not None and told_at >= self._turn.since

    def ended(self, event: UtteranceEnded) -> None:
        """The audio core found the end of the turn that listens."""
        self._ended = event

    def ignore(self, slot: int | None) -> None:
        """Forget the turn that listens; one that is being understood goes on.

        Args:
            slot: The call's frame slot; None when there is no audio any more.
        """
        if slot is not None:
            self._tools.ears.ignore(slot)
        if self._turn is not None:
            self._turn.drop()
            self._turn = None

    def finish(self, epoch: int, slot: int | None) -> bool:
        """Understand the turn that listens; ``heard`` is told, within the deadline.

        Args:
            epoch: Of the state entry that asks.
            slot: The call's frame slot.

        Returns:
            False when there is no turn to understand.
        """
        turn, ended = self._turn, self._ended
        if turn is None or slot is None:
            return False
        pcm = self._tools.ears.take_utterance(slot)
        kept = pcm if self._line.keeps_recordings else None
        self._register.utterance_recorded(turn.number, kept, len(pcm) / SAMPLE_RATE_HZ)
        self._turn, self._ended = None, None
        if ended is not None:
            self._quiet_since = (turn.number, ended.last_energy_seconds)
        self._asked[turn.number] = epoch
        turn.finish(ended, self._tools.loop.time())
        self._await(turn)
        return True

    def _await(self, turn: Turn) -> None:
        """Wake the turn at its next deadline, if it has one."""
        if turn.next_deadline is None:
            return
        self._deadlines[turn.number] = self._tools.loop.call_at(
            turn.next_deadline, self._deadline, turn, turn.next_deadline
        )

    def _deadline(self, turn: Turn, due: float) -> None:
        # The loop's timers may come a moment early by its own clock; the turn is told when it is.
        turn.timer(max(due, self._tools.loop.time()))
        self._await(turn)

    def _turn_heard(self, heard: Heard) -> None:
        deadline = self._deadlines.pop(heard.number, None)
        if deadline is not None:
            deadline.cancel()
        epoch = self._asked.pop(heard.number)
        self._keep_for_later(heard)
        self._register.utterance_heard(heard)
        for stage, seconds in heard.stages.items():
            self._measured(heard.number, stage, seconds)
        self._heard(epoch, heard)
        self._idle()

    def prompt_heard(self, at_seconds: float) -> None:
        """The first sample of a prompt of ours goes out: the silence after a turn is over.

        Args:
            at_seconds: On the slot's audio clock.
        """
        if self._quiet_since is not None:
            number, since_seconds = self._quiet_since
            self._quiet_since = None
            self._measured(number, "dead_air", max(0.0, at_seconds - since_seconds))

    def _measured(self, number: int, stage: str, seconds: float) -> None:
        self._tools.observer.stage_measured(self._line.number, stage, seconds)
        self._register.stage(number, stage, seconds)

    def call_ended(self) -> None:
        """The call has its outcome: what was recorded may be heard once more."""
        self._is_over = True
        self._hand_over()

    def _keep_for_later(self, heard: Heard) -> None:
        recorded = self._register.recording_of(heard.number)
        if self._tools.background is None or recorded is None or heard.second_heard:
            return
        self._again.append(recorded)
        if self._is_over:
            self._hand_over()

    def _hand_over(self) -> None:
        background, again = self._tools.background, self._again
        self._again = []
        if background is not None and background.wants(self._register.call_id):
            for recorded in again:
                self._register.once_written(partial(background.offer, recorded))
