"""Transfers through a real Asterisk, whose own log says where the caller ended."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ivr.ports import HungUp, MediaReady, TransferMethod, TransferProgress
from tests.integration.asterisk import Asterisk
from tests.integration.conftest import StartAsterisk
from tests.integration.conftest import asterisk as asterisk  # a fixture is found by its name here
from tests.integration.sipp import Sipp
from tests.sip.stage import WITHIN_SECONDS, Heard, PjsuaStage

pytestmark = [pytest.mark.asterisk, pytest.mark.sipp, pytest.mark.slow]


@contextmanager
def caller_at_the_infoline(
    stage: PjsuaStage, centre: Asterisk, folder: Path
) -> Iterator[tuple[Heard, Sipp]]:
    """A caller who dials 1700 at the exchange, which calls us; answered. Hung up by the test."""
    with Sipp.caller(folder, centre.uri("1700")) as caller:
        heard = stage.offered("1700")
        stage.do(heard.leg.answer)
        heard.next(MediaReady)
        centre.wait_for_bridge()
        yield heard, caller
        assert 0 == caller.wait(within_seconds=WITHIN_SECONDS), caller.errors()


def final(heard: Heard) -> TransferProgress:
    """The outcome of the transfer."""
    while not (progress := heard.next(TransferProgress)).final:
        pass
    return progress


def send_on(stage: PjsuaStage, heard: Heard, target: str, method: TransferMethod) -> None:
    """Hand the caller over with token 1."""
    headers = {"X-Wegwijs-Thema": "bouwen-wonen"}
    stage.do(lambda: heard.leg.transfer(target, method=method, token=1, headers=headers))


def test_refer_ends_at_the_group(
    own_stage: Callable[..., PjsuaStage], asterisk: StartAsterisk, tmp_path: Path
) -> None:
    """
    REFER, NOTIFY 200 when a voorlichter answers, our BYE: the caller is in the right queue with
    the thema.
    """
    stage = own_stage()
    with Sipp.voorlichter(tmp_path) as voorlichter:
        centre = asterisk(infoline_port=stage.port, voorlichters={"bouwen-wonen": voorlichter.port})
        with caller_at_the_infoline(stage, centre, tmp_path) as (heard, caller):
            send_on(stage, heard, centre.uri("bouwen-wonen"), TransferMethod.REFER)
            assert TransferProgress(1, 202, final=False) == heard.next(TransferProgress)
            assert TransferProgress(1, 200, final=True) == final(heard)
            stage.do(heard.leg.hang_up)
            heard.until(HungUp)
            connected = centre.wait_for("CONNECT", queue="bouwen-wonen")
            caller.hang_up()
        centre.wait_for("COMPLETECALLER", queue="bouwen-wonen")
        centre.wait_for_thema("bouwen-wonen")

    assert "PJSIP/voorlichter-bouwen-wonen" == connected.member


def test_bridge_ends_at_the_group(
    own_stage: Callable[..., PjsuaStage], asterisk: StartAsterisk, tmp_path: Path
) -> None:
    """
    Our own call reaches the same queue; when the caller leaves, the voorlichter is free again.
    """
    stage = own_stage()
    with Sipp.voorlichter(tmp_path) as voorlichter:
        centre = asterisk(infoline_port=stage.port, voorlichters={"bouwen-wonen": voorlichter.port})
        with caller_at_the_infoline(stage, centre, tmp_path) as (heard, caller):
            send_on(stage, heard, centre.uri("bouwen-wonen"), TransferMethod.BRIDGE)
            assert TransferProgress(1, 200, final=True) == final(heard)
            caller.hang_up()
            assert HungUp(200, by_us=False) == heard.until(HungUp)
        connected = centre.wait_for("CONNECT", queue="bouwen-wonen")
        centre.wait_for("COMPLETECALLER", queue="bouwen-wonen")

    assert "PJSIP/voorlichter-bouwen-wonen" == connected.member


def test_exchange_that_is_asked_keeps_the_caller_in_its_queue(
    own_stage: Callable[..., PjsuaStage], asterisk: StartAsterisk, tmp_path: Path
) -> None:
    """
    While nobody answers, Asterisk sends neither sound nor news; it does say that our call stands.
    """
    stage = own_stage(ask_seconds=1.0)
    centre = asterisk(infoline_port=stage.port)
    with caller_at_the_infoline(stage, centre, tmp_path) as (heard, caller):
        send_on(stage, heard, centre.uri("bouwen-wonen"), TransferMethod.REFER)
        assert TransferProgress(1, 202, final=False) == heard.next(TransferProgress)
        centre.wait_for("ENTERQUEUE", queue="bouwen-wonen")
        with pytest.raises(AssertionError, match="no HungUp within 5 s"):
            heard.until(HungUp, within_seconds=5.0)
        caller.hang_up()
        assert TransferProgress(1, 503, final=True) == final(heard)
        stage.do(heard.leg.hang_up)
        heard.until(HungUp)


@pytest.mark.parametrize("method", list(TransferMethod))
def test_group_that_is_not_there(
    own_stage: Callable[..., PjsuaStage],
    asterisk: StartAsterisk,
    tmp_path: Path,
    method: TransferMethod,
) -> None:
    """
    An unknown target fails with 404, and the caller is still ours for the next one.
    """
    stage = own_stage()
    centre = asterisk(infoline_port=stage.port)
    with caller_at_the_infoline(stage, centre, tmp_path) as (heard, caller):
        send_on(stage, heard, centre.uri("bestaat-niet"), method)
        assert TransferProgress(1, 404, final=True) == final(heard)
        caller.hang_up()
        assert HungUp(200, by_us=False) == heard.until(HungUp)
