"""The audio core's clock: what a tick that fails costs."""

from __future__ import annotations

import threading

from structlog.testing import capture_logs

from ivr.audio.ticker import Ticker


def test_tick_that_fails_is_told_and_the_next_one_comes() -> None:
    """
    One bad frame must not deafen every call, nor fill the disk with log lines.
    """
    ended = threading.Event()
    failures = iter(range(1, 10))

    def work() -> None:
        if next(failures) == 9:
            ended.set()
        raise RuntimeError("kwispelmarter")

    ticker = Ticker(work)
    with capture_logs() as logged:
        ticker.start()
        assert ended.wait(100)
        ticker.stop()

    assert [1, 2, 4, 8] == [line["failed_ticks"] for line in logged][:4]
    assert {"tick_failed"} == {line["event"] for line in logged}
    assert ticker.counters().failed_ticks == ticker.counters().ticks >= 9
