"""Which news belongs to which REFER."""

from __future__ import annotations

import pytest

from ivr.ports import TransferProgress
from ivr.sip.message import TransferNotice
from ivr.sip.refer import ReferLedger


def news(status: int | None, *, cseq: int | None = None, ended: bool = False) -> TransferNotice:
    """A NOTIFY."""
    return TransferNotice(cseq, status, ended)


@pytest.fixture
def ledger() -> ReferLedger:
    """One REFER with token 1 and CSeq 10 is out."""
    ledger = ReferLedger()
    ledger.begin(1)
    ledger.sent(10)
    return ledger


def test_usual_course(ledger: ReferLedger) -> None:
    """
    Accepted, ringing, reached.
    """
    assert TransferProgress(1, 202, False) == ledger.answered(10, 202, unsubscribed=False)
    assert TransferProgress(1, 100, False) == ledger.notified(news(100))
    assert ledger.notified(news(100)) is None
    assert TransferProgress(1, 180, False) == ledger.notified(news(180))
    assert TransferProgress(1, 200, True) == ledger.notified(news(200, ended=True))
    assert ledger.notified(news(200, ended=True)) is None


def test_notify_overtakes_the_answer(ledger: ReferLedger) -> None:
    """
    Over UDP the 202 may come after the news; it then says nothing new.
    """
    assert TransferProgress(1, 180, False) == ledger.notified(news(180))
    assert ledger.answered(10, 202, unsubscribed=False) is None
    assert TransferProgress(1, 200, True) == ledger.notified(news(200))


@pytest.mark.parametrize("status", [400, 403, 408, 481, 500, 503, 603])
def test_refused(ledger: ReferLedger, status: int) -> None:
    """
    Every failure of the REFER itself is final, and only the first counts.
    """
    assert TransferProgress(1, status, True) == ledger.answered(10, status, unsubscribed=False)
    assert ledger.answered(10, status, unsubscribed=False) is None
    assert ledger.notified(news(200)) is None


def test_peer_that_sends_no_news(ledger: ReferLedger) -> None:
    """
    Refer-Sub: false: accepted is all that will be known, and counts as reached.
    """
    assert TransferProgress(1, 200, True) == ledger.answered(10, 202, unsubscribed=True)


def test_subscription_that_ends_without_outcome(ledger: ReferLedger) -> None:
    """
    Nobody will tell any more: the attempt has failed.
    """
    ledger.answered(10, 202, unsubscribed=False)

    assert TransferProgress(1, 408, True) == ledger.notified(news(100, ended=True))


def test_unreadable_news_is_no_news(ledger: ReferLedger) -> None:
    """
    A NOTIFY without a status line changes nothing while the subscription lives.
    """
    assert ledger.notified(news(None)) is None
    assert TransferProgress(1, 200, True) == ledger.notified(news(200))


def test_two_refers_are_told_apart(ledger: ReferLedger) -> None:
    """
    The id, which is the REFER's CSeq, says which attempt succeeded; a forgotten one may.
    """
    ledger.answered(10, 202, unsubscribed=False)
    ledger.abandon(1)
    ledger.begin(2)
    ledger.sent(11)
    ledger.answered(11, 202, unsubscribed=False)

    assert ledger.notified(news(486, cseq=99)) is None
    assert ledger.notified(news(180, cseq=10)) is None
    assert TransferProgress(2, 180, False) == ledger.notified(news(180, cseq=11))
    assert TransferProgress(1, 200, True) == ledger.notified(news(200, cseq=10))
    assert TransferProgress(2, 487, True) == ledger.notified(news(487, cseq=11))


def test_refer_sent_again_with_credentials(ledger: ReferLedger) -> None:
    """
    After a challenge the same attempt has a new CSeq.
    """
    ledger.sent(11)

    assert TransferProgress(1, 202, False) == ledger.answered(11, 202, unsubscribed=False)
    assert TransferProgress(1, 200, True) == ledger.notified(news(200, cseq=11))


def test_news_without_any_refer() -> None:
    """
    A stranger's NOTIFY is nobody's.
    """
    assert ReferLedger().notified(news(200, ended=True)) is None
    assert ReferLedger().answered(1, 202, unsubscribed=False) is None
