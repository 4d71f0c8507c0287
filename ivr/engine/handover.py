"""Hands one caller over: tells the leg where to, and what is heard of it to the call's machine.

Everything here runs on the asyncio loop's thread.
"""

from __future__ import annotations

from collections.abc import Callable

from ivr import ports
from ivr.call import events as ev
from ivr.call.routing import Attempt
from ivr.call.rules import TransferMethod
from ivr.call.states import Outcome
from ivr.engine.register import CallRegister
from ivr.ports.observer import Observer


class Handover:
    """The attempts to hand one caller over. Each gets one result, in the record and the metrics.

    Args:
        leg: The caller's.
        register: Writes this call's contact record.
        observer: Counts what became of the attempts.
        handle: Takes the news as events of the call's machine.
    """

    def __init__(
        self,
        leg: ports.Leg,
        register: CallRegister,
        observer: Observer,
        handle: Callable[[ev.Event], None],
    ) -> None:
        self._leg = leg
        self._register = register
        self._observer = observer
        self._handle = handle
        self._refers: set[int] = set()

    def begin(self, attempt: Attempt, thema: str | None) -> None:
        """Send the caller there; the target is told what the call is about, where that is known."""
        self._register.transfer_started(attempt)
        if attempt.target.method is TransferMethod.REFER:
            self._refers.add(attempt.number)
        about = {} if thema is None else {"X-Wegwijs-Thema": thema}
        self._leg.transfer(
            attempt.target.uri,
            method=attempt.target.method,
            token=attempt.number,
            headers={
                "X-Wegwijs-Call-Id": self._register.call_id,
                "X-Wegwijs-Groep": attempt.group,
            }
            | about,
        )

    def abandon(self, number: int) -> None:
        """Nothing was heard of this attempt in time."""
        self._leg.abandon_transfer(number)
        self._over(number, "timeout")

    def news(self, news: ports.TransferProgress) -> None:
        """Take what the leg heard of an attempt."""
        self._register.transfer_status(news.token, news.status)
        if not news.final:
            # A NOTIFY may overtake the 202 that it follows from. A plain 100 to our own INVITE
            # comes from the next hop and says nothing of the target.
            if news.status >= 180 or news.token in self._refers:
                self._handle(ev.TransferAccepted(attempt=news.token))
        elif news.status < 300:
            self._over(news.token, "succeeded")
            self._handle(ev.TransferSucceeded(attempt=news.token))
        else:
            self.failed(news.token)

    def failed(self, number: int) -> None:
        """The attempt failed, at the target or here."""
        self._over(number, "failed")
        self._handle(ev.TransferFailed(attempt=number))

    def call_ended(self, outcome: Outcome) -> None:
        """Attempts that are still open get no other result than this."""
        unsettled = "unconfirmed" if outcome is Outcome.TRANSFER_UNCONFIRMED else "abandoned"
        for number in self._register.transfers_open():
            self._over(number, unsettled)

    def _over(self, number: int, result: str) -> None:
        ended = self._register.transfer_ended(number, result)
        if ended is not None:
            self._observer.transfer_ended(ended.group, ended.method, result, ended.seconds)
