"""What became of our REFERs, from the messages alone. Pure: no pjsua2, no clock.

The library tells a transfer's news without saying which transfer; a caller may have several
behind him. So the messages are read here: a REFER's CSeq names it (RFC 3515 section 2.4.6).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from ivr.ports import TransferProgress
from ivr.sip.message import TransferNotice

_LOST: Final = frozenset({408, 481})
"""The peer is silent, or knows no such call."""


@dataclass(slots=True)
class _Refer:
    token: int
    cseq: int | None = None
    accepted: bool = False
    final: bool = False
    abandoned: bool = False
    last: int = 0


class ReferLedger:
    """The REFERs of one leg, oldest first."""

    def __init__(self) -> None:
        self._refers: list[_Refer] = []

    @property
    def is_doubtful(self) -> bool:
        """Whether the caller may be elsewhere: a REFER was accepted, ever, or its call unknown."""
        return any(refer.accepted or refer.last in _LOST for refer in self._refers)

    def begin(self, token: int) -> None:
        """A REFER for ``token`` is about to be sent."""
        self._refers.append(_Refer(token))

    def sent(self, cseq: int | None) -> None:
        """The newest REFER went out with ``cseq``, perhaps again with credentials."""
        if self._refers and not self._refers[-1].accepted:
            self._refers[-1].cseq = cseq

    def abandon(self, token: int) -> None:
        """Forget about ``token``, but for the news that the caller did reach its target."""
        for refer in self._refers:
            if refer.token == token:
                refer.abandoned = True

    def answered(
        self, cseq: int | None, status: int, *, unsubscribed: bool
    ) -> TransferProgress | None:
        """The peer answered a REFER.

        Args:
            cseq: CSeq of the REFER.
            status: A final status.
            unsubscribed: The peer will send no NOTIFY (RFC 4488): accepted is all we will know.

        Returns:
            What the engine is told; None when it brings nothing new.
        """
        refer = self._find(cseq)
        if refer is None or refer.final or refer.accepted:
            return None
        if status >= 300:
            return self._news(refer, status, final=True)
        refer.accepted = True
        if unsubscribed:
            return self._news(refer, 200, final=True)
        # A NOTIFY may overtake the answer to its REFER.
        return self._news(refer, 202, final=False) if refer.last == 0 else None

    def notified(self, notice: TransferNotice) -> TransferProgress | None:
        """The peer sent a NOTIFY. None when it brings nothing new."""
        refer = self._find(notice.refer_cseq)
        if refer is None or refer.final:
            return None
        status = notice.status
        if status is not None and status >= 200:
            return self._news(refer, status, final=True)
        if notice.terminated:
            # The subscription ended without an outcome: nobody will tell us any more.
            return self._news(refer, 408, final=True)
        if status is None or status == refer.last:
            return None
        return self._news(refer, status, final=False)

    def _find(self, cseq: int | None) -> _Refer | None:
        if cseq is not None:
            for refer in self._refers:
                if refer.cseq == cseq:
                    return refer
        # Without id the peer speaks of the one that is open; RFC 3515 asks for the id only from
        # the second REFER on.
        still_open = [refer for refer in self._refers if not refer.final]
        if cseq is not None and any(refer.cseq is not None for refer in still_open):
            still_open = [refer for refer in still_open if refer.cseq is None]
        return still_open[-1] if still_open else None

    def _news(self, refer: _Refer, status: int, *, final: bool) -> TransferProgress | None:
        refer.final = final
        refer.last = status
        if refer.abandoned and not (final and status < 300):
            return None
        return TransferProgress(refer.token, status, final)
