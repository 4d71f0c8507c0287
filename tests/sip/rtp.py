"""The media side of a peer: sends and counts RTP, packet by packet."""

from __future__ import annotations

import socket
import struct
import threading
import time
from types import TracebackType
from typing import Self

import numpy as np

from tests.integration.ports import free_range

_WITHIN_SECONDS = 90.0
_FRAME_SECONDS = 0.02
_LATE_SECONDS = 0.5
"""A talker that a busy machine held up for longer does not make up for it."""
_EVENT_PAYLOAD = 101
_KEYS = "0123456789*#ABCD"


class RtpPeer:
    """A socket that speaks A-law. A context manager.

    It learns the other side's address from the packets that arrive. :meth:`keep_talking` sends
    by a thread; everything else is sent by the caller's.
    """

    def __init__(self, payload: int = 8) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.port = free_range(2)
        self._socket.bind(("127.0.0.1", self.port))
        self._socket.settimeout(0.1)
        self._payload = payload
        self._sequence = 100
        self._timestamp = 8000
        self.received = 0
        self.sent = 0
        self.address: tuple[str, int] | None = None
        self._heard = threading.Event()
        self._sound = threading.Event()
        self._stop = threading.Event()
        self._talk = threading.Event()
        self._lock = threading.Lock()
        self._threads = [
            threading.Thread(target=self._listen, daemon=True),
            threading.Thread(target=self._talk_on, daemon=True),
        ]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(10)
        self._socket.close()

    def wait_for_packets(self) -> None:
        """Return when the other side sends."""
        if not self._heard.wait(_WITHIN_SECONDS):
            raise TimeoutError("no RTP arrived")

    def wait_for_sound(self) -> None:
        """Return when the other side sends more than silence."""
        if not self._sound.wait(_WITHIN_SECONDS):
            raise TimeoutError("only silence arrived")

    @property
    def heard_sound(self) -> bool:
        """Whether the other side sent more than silence."""
        return self._sound.is_set()

    def keep_talking(self, on: bool = True) -> None:
        """Send a tone from now on, or nothing any more."""
        (self._talk.set if on else self._talk.clear)()

    def frame(self, octets: bytes | None = None, *, marker: bool = False) -> None:
        """Send 20 ms."""
        tone = bytes((np.arange(160) % 16 < 8) * 0x80 + 0x2A) if octets is None else octets
        with self._lock:
            self._send(self._payload, marker, self._timestamp, tone)
            self._timestamp += 160

    def press(self, key: str, *, marker: bool = True, lose: int = 0, repeat_end: int = 3) -> None:
        """Send the packets of one key, 100 ms of it, at once.

        Args:
            key: 0-9, * or #.
            marker: Whether the first packet carries the marker bit.
            lose: How many of the first packets are lost.
            repeat_end: How often the last one is sent.
        """
        event = _KEYS.index(key)
        with self._lock:
            start = self._timestamp
            updates = [(160 * number, False) for number in range(1, 6)]
            ends = [(800, True)] * repeat_end
            for number, (duration, end) in enumerate(updates + ends):
                body = struct.pack("!BBH", event, 0x80 * end + 10, duration)
                if number < lose:
                    self._sequence += 1
                else:
                    self._send(_EVENT_PAYLOAD, marker and number == 0, start, body)
            self._timestamp += 960

    def _send(self, payload: int, marker: bool, timestamp: int, body: bytes) -> None:
        if self.address is None:
            raise RuntimeError("the other side's address is not known yet")
        self._sequence += 1
        head = struct.pack(
            "!BBHII", 0x80, marker * 0x80 + payload, self._sequence & 0xFFFF, timestamp, 0x1234
        )
        self._socket.sendto(head + body, self.address)
        self.sent += 1

    def _listen(self) -> None:
        while not self._stop.is_set():
            try:
                packet, self.address = self._socket.recvfrom(2048)
            except TimeoutError:
                continue
            # A-law: the larger the code without its even bits inverted, the louder.
            loudness = (np.frombuffer(packet[12:], np.uint8) ^ 0x55) & 0x7F
            if packet[1] & 0x7F == self._payload and loudness.max(initial=0) > 0x40:
                self._sound.set()
            self.received += 1
            self._heard.set()

    def _talk_on(self) -> None:
        due = time.monotonic()
        while not self._stop.wait(max(0.0, due - time.monotonic())):
            due = max(due + _FRAME_SECONDS, time.monotonic() - _LATE_SECONDS)
            if self._talk.is_set() and self.address is not None:
                self.frame()
