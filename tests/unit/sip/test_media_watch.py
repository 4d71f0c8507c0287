"""When a peer counts as silent, on a clock that the test turns."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("pjsua2", reason="pjsua2 is not built: run make setup")

from ivr.sip import media_watch
from ivr.sip.media import CallAudio
from ivr.sip.media_watch import MediaWatch
from ivr.sip.settings import SipSettings

LOST_SECONDS = 4.0


class Owner:
    """The owner's thread, whose timers the test runs."""

    def __init__(self) -> None:
        self.due: list[Callable[[], None]] = []

    def call_later(self, seconds: float, action: Callable[[], None]) -> SimpleNamespace:
        self.due.append(action)
        return SimpleNamespace(cancel=lambda: None)


class Peer:
    """A call whose peer sends 50 packets a second, or none; a look follows each passing."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 100.0
        self.packets = 0
        self.losses = 0
        self._owner = Owner()
        monkeypatch.setattr(media_watch, "time", SimpleNamespace(monotonic=lambda: self.now))
        monkeypatch.setattr(media_watch, "signs_of_life", lambda call, index: (self.packets, 0))
        owner: Any = self._owner
        self.watch = MediaWatch(
            owner,
            SipSettings(media_lost_seconds=LOST_SECONDS),
            call=SimpleNamespace(isActive=lambda: True),
            audio=lambda: CallAudio(None, 0, True),
            is_sent_away=lambda: False,
            on_lost=self._lose,
            on_vanished=lambda: None,
        )
        self.watch.start()

    def _lose(self) -> None:
        self.losses += 1

    def pass_(self, *seconds: float, sends: bool = True) -> None:
        """Let seconds pass between one look and the next, for each number."""
        for passed in seconds:
            self.now += passed
            self.packets += round(50 * passed) if sends else 0
            self._owner.due.pop()()


@pytest.fixture
def peer(monkeypatch: pytest.MonkeyPatch) -> Peer:
    """Somebody who has talked for three seconds."""
    peer = Peer(monkeypatch)
    peer.pass_(1.0, 1.0, 1.0)
    return peer


def test_silence_is_told_once(peer: Peer) -> None:
    """
    After the time that the settings allow; sound again arms the watch anew.
    """
    peer.pass_(1.0, 1.0, 1.0, sends=False)
    assert 0 == peer.losses

    peer.pass_(1.0, 1.0, 1.0, sends=False)
    assert 1 == peer.losses

    peer.pass_(1.0)
    peer.pass_(1.0, 1.0, 1.0, 1.0, 1.0, sends=False)
    assert 2 == peer.losses


def test_our_own_standstill_is_no_silence(peer: Peer) -> None:
    """
    What came meanwhile is read only after the first look: neither is the caller lost, nor one who
    sends all the time taken for one who pauses. Silence that goes on is told nevertheless.
    """
    peer.pass_(60.0, sends=False)

    assert 0 == peer.losses
    assert peer.watch.was_steady

    peer.pass_(1.0, 1.0, sends=False)
    assert 1 == peer.losses
