"""The telephony port on pjsua2."""

from __future__ import annotations

import asyncio
import atexit
from collections.abc import Callable
from functools import partial
from typing import Final

import structlog

from ivr.ports import Leg
from ivr.sip import message
from ivr.sip.audio_port import FrameMatrix
from ivr.sip.errors import LibraryError
from ivr.sip.leg import PjsuaLeg
from ivr.sip.leg_base import RefusedLeg
from ivr.sip.owner import OwnerThread, guarded
from ivr.sip.runtime import Runtime
from ivr.sip.settings import SipSettings

_log = structlog.get_logger("wegwijs.sip")

_ALIVE_SECONDS: Final = 1.0
_SHUTDOWN_SECONDS: Final = 1.0
"""How long the end waits for the peers' answers to our BYEs."""
_REGISTRAR_SECONDS: Final = 4.0
"""How long the end waits for a registration that is under way, and for it to be taken back."""
_STOP_SECONDS: Final = 10.0
_OUR_FAULTS: Final = frozenset({500, 503})
# Refusals by the library after which nobody calls again at once, as with a longer session timer.
_SHOWN_REFUSALS: Final = frozenset({400, 486, 488, 606}) | _OUR_FAULTS


class PjsuaTelephony:
    """Implements :class:`ivr.ports.Telephony`. One per process: pjsua2 allows no more.

    Args:
        settings: Checked by :meth:`start`.
        matrix: Where received frames go; must hold ``settings.max_calls`` slots.
        loop: The engine's loop; every listener is called on its thread.
        retry_after_seconds: Told to callers for whom there are no ports.

    Raises:
        LibraryError: This pjsua2 is not the one that Wegwijs builds.
    """

    def __init__(
        self,
        settings: SipSettings,
        matrix: FrameMatrix,
        loop: asyncio.AbstractEventLoop,
        *,
        retry_after_seconds: int = 30,
    ) -> None:
        self.settings = settings
        self._options_retry_after_seconds: int | None = None
        self._matrix = matrix
        self._loop = loop
        self._on_offered: Callable[[Leg], None] = lambda leg: None
        self._runtime = Runtime(
            settings,
            on_incoming=self._on_incoming,
            on_rejected=self._on_rejected,
            retry_after_seconds=retry_after_seconds,
            before_close=self._shut_down,
        )
        self._owner = OwnerThread(self._runtime, "telephony")
        self._legs: set[PjsuaLeg] = set()
        self._stopped = False
        self._closing = False

    @property
    def ports(self) -> dict[str, int]:
        """Port that each transport listens on: keys ``udp``, ``tcp``, ``tls``."""
        return dict(self._runtime.ports)

    @property
    def options_retry_after_seconds(self) -> int | None:
        """When set, while draining, OPTIONS gets 503 and dispatchers look elsewhere. Any thread."""
        return self._options_retry_after_seconds

    @options_retry_after_seconds.setter
    def options_retry_after_seconds(self, seconds: int | None) -> None:
        self._options_retry_after_seconds = seconds
        self._runtime.set_options_retry_after(seconds)

    def start(self, on_offered: Callable[[Leg], None]) -> None:
        """See :class:`ivr.ports.Telephony`."""
        self._on_offered = on_offered
        try:
            self._owner.start()
        except TimeoutError:
            raise LibraryError(
                "the telephony thread did not start in 20 s; the machine is overloaded or a DNS "
                "name in the sip settings does not resolve"
            ) from None
        # The library's threads must not meet an interpreter that is gone.
        atexit.register(self.stop)
        _log.info("telephony_started", sip_ports=self.ports)

    def stop(self) -> None:
        """See :class:`ivr.ports.Telephony`."""
        if self._stopped:
            return
        self._stopped = True
        atexit.unregister(self.stop)
        if not self._owner.stop(_STOP_SECONDS):
            _log.error("telephony_thread_left_behind")

    def is_alive(self) -> bool:
        """See :class:`ivr.ports.Telephony`."""
        return self._owner.seconds_since_turn() < _ALIVE_SECONDS

    # On the owner's thread.

    def _on_incoming(self, number: int, invite: str) -> None:
        leg = PjsuaLeg(
            self._read(invite),
            number,
            owner=self._owner,
            runtime=self._runtime,
            matrix=self._matrix,
            loop=self._loop,
            on_gone=self._legs.discard,
        )
        self._legs.add(leg)
        if self._closing:
            leg.end_now()
            return
        self._offer(leg)

    def _on_rejected(self, invite: str, status: int) -> None:
        if status not in _SHOWN_REFUSALS or not invite:
            return
        if status in _OUR_FAULTS:
            _log.error(
                "no_sound_for_call",
                status=status,
                remedy="if another program holds the ports of sip.rtp_ports (see 'ss -lup'), end "
                "it or choose others",
            )
        # Only what the caller was told counts: no other refusal is about codecs.
        leg = RefusedLeg(self._read(invite), self._loop, status, codecs_in_common=status != 488)
        self._offer(leg)
        leg.end()

    def _read(self, invite: str) -> message.Invitation:
        trusts = self.settings.trust_asserted_identity
        return message.read_invitation(invite, trusts_identity=trusts)

    def _offer(self, leg: Leg) -> None:
        try:
            self._loop.call_soon_threadsafe(guarded, partial(self._on_offered, leg))
        except RuntimeError:
            pass  # the loop is closed: the shutdown refuses the leg

    def _shut_down(self) -> None:
        self._closing = True
        for leg in list(self._legs):
            guarded(leg.end_now)
        guarded(lambda: self._runtime.leave_registrar(_REGISTRAR_SECONDS))
        self._runtime.wait_for_goodbyes(_SHUTDOWN_SECONDS)
        self._owner.destroy_due()
