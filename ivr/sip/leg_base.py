"""What all incoming legs share, and the leg that the library refused by itself. No pjsua2."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import structlog

from ivr.ports import HungUp, LegEvent, TransferMethod
from ivr.sip import message

_log = structlog.get_logger("wegwijs.sip")


class LegBase:
    """Identity and listener of a leg; carries events to the loop."""

    def __init__(
        self,
        invitation: message.Invitation,
        loop: asyncio.AbstractEventLoop,
        *,
        codecs_in_common: bool,
    ) -> None:
        self.line = invitation.line
        self.caller = invitation.caller
        self.sip_call_id = invitation.sip_call_id
        self.codecs_in_common = codecs_in_common
        self.listener: Callable[[LegEvent], None] = lambda event: None
        self._loop = loop
        self._gone = False

    def _emit(self, event: LegEvent) -> None:
        if self._gone:
            return
        self._gone = isinstance(event, HungUp)
        try:
            self._loop.call_soon_threadsafe(self._deliver, event)
        except RuntimeError:
            pass  # the loop is closed: nobody listens any more

    def _deliver(self, event: LegEvent) -> None:
        try:
            self.listener(event)
        except Exception as error:
            # By type only: the text of an exception may hold what a caller said or pressed.
            _log.error(
                "listener_failed", error=type(error).__name__, event_type=type(event).__name__
            )


class RefusedLeg(LegBase):
    """An INVITE that the library refused by itself, shown so that it is counted and recorded.

    :class:`HungUp` with the status that the caller got follows its offer; commands do nothing.
    """

    def __init__(
        self,
        invitation: message.Invitation,
        loop: asyncio.AbstractEventLoop,
        status: int,
        *,
        codecs_in_common: bool,
    ) -> None:
        super().__init__(invitation, loop, codecs_in_common=codecs_in_common)
        self._status = status

    def end(self) -> None:
        """Send the only event."""
        self._emit(HungUp(self._status, by_us=True))

    def answer(self) -> None:
        """See :class:`ivr.ports.Leg`."""

    def refuse(self, status: int, *, retry_after_seconds: int | None = None) -> None:
        """See :class:`ivr.ports.Leg`."""

    def play(self, wavs: Sequence[Path], *, token: int) -> None:
        """See :class:`ivr.ports.Leg`."""

    def stop_playing(self) -> None:
        """See :class:`ivr.ports.Leg`."""

    def transfer(
        self, target: str, *, method: TransferMethod, token: int, headers: Mapping[str, str]
    ) -> None:
        """See :class:`ivr.ports.Leg`."""

    def abandon_transfer(self, token: int) -> None:
        """See :class:`ivr.ports.Leg`."""

    def hang_up(self) -> None:
        """See :class:`ivr.ports.Leg`."""
