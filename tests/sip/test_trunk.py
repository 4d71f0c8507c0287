"""A carrier or PBX that wants us to register and to show a password."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from structlog.typing import EventDict

from ivr.ports import MediaReady, TransferMethod, TransferProgress
from ivr.sip import endpoint
from ivr.sip.settings import Trunk
from tests.integration.sipp import Sipp
from tests.sip import scenarios as sip
from tests.sip.stage import WITHIN_SECONDS, Peer, PjsuaStage, wait_until, wait_until_bound

pytestmark = pytest.mark.sipp

CHALLENGE = 'Authenticate: Digest realm="trunk", nonce="n1", algorithm=MD5'


def carrier(folder: Path, *steps: str | list[str]) -> Sipp:
    """A SIPp that plays the carrier."""
    scenario = sip.write(folder, "carrier", *steps)
    return Sipp(folder, "-sf", str(scenario), "-m", "1", "-key", "rtp", "9", name="carrier")


@pytest.fixture
def patient_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """A telephony whose end waits for a registrar as long as a busy machine may need."""
    monkeypatch.setattr(endpoint, "_REGISTRAR_SECONDS", WITHIN_SECONDS)
    monkeypatch.setattr(endpoint, "_STOP_SECONDS", 2 * WITHIN_SECONDS)


def registered_at(sipp: Sipp) -> Trunk:
    """A trunk that registers there."""
    return Trunk(
        registrar=f"sip:127.0.0.1:{sipp.port}",
        identity="sip:1700@127.0.0.1",
        user="1700",
        password="geheim",
    )


@pytest.mark.usefixtures("patient_end")
def test_registers_with_password_and_leaves(
    own_stage: Callable[..., PjsuaStage], tmp_path: Path, logged: Sequence[EventDict]
) -> None:
    """
    The challenge is answered, and the end takes the registration back, though the registrar wants
    a fresh answer to its challenge.
    """
    with carrier(
        tmp_path,
        sip.wait_for("REGISTER"),
        sip.reply(401, extra=f"WWW-{CHALLENGE}", first=True),
        sip.wait_for("REGISTER", check="Authorization: Digest username=.1700"),
        sip.reply(200, extra="Expires: 300", first=True),
        sip.wait_for("REGISTER", check="Expires: 0"),
        sip.reply(401, extra=f"WWW-{CHALLENGE.replace('n1', 'n2')}, stale=true", first=True),
        sip.wait_for("REGISTER", check="nonce=.n2"),
        sip.reply(200, first=True),
    ) as sipp:
        wait_until_bound(sipp.port)
        stage = own_stage(trunk=registered_at(sipp))
        wait_until(lambda: "registered" in [line["event"] for line in logged])
        stage.telephony.stop()

        assert 0 == sipp.wait(within_seconds=WITHIN_SECONDS), sipp.errors() + sipp.messages()
        assert "geheim" not in sipp.messages()
    assert "unregistered" == logged[-1]["event"]


@pytest.mark.usefixtures("patient_end")
def test_stop_amid_a_registration_takes_it_back(
    own_stage: Callable[..., PjsuaStage], tmp_path: Path
) -> None:
    """
    The registrar would else send calls to a service that is gone, until the registration expires.
    """
    with carrier(
        tmp_path,
        sip.wait_for("REGISTER"),
        sip.pause(1000),
        sip.reply(200, extra="Expires: 300", first=True),
        sip.wait_for("REGISTER", check="Expires: 0"),
        sip.reply(200, first=True),
    ) as sipp:
        wait_until_bound(sipp.port)
        stage = own_stage(trunk=registered_at(sipp))
        wait_until(lambda: "REGISTER" in sipp.messages())
        stage.telephony.stop()

        assert 0 == sipp.wait(within_seconds=WITHIN_SECONDS), sipp.errors() + sipp.messages()


def test_silent_registrar_does_not_hold_up_the_stop(
    own_stage: Callable[..., PjsuaStage], tmp_path: Path, logged: Sequence[EventDict]
) -> None:
    """
    The wait is bounded, and the log says what stays behind.
    """
    with carrier(tmp_path, sip.wait_for("REGISTER"), sip.pause(600_000)) as sipp:
        wait_until_bound(sipp.port)
        stage = own_stage(trunk=registered_at(sipp))
        wait_until(lambda: "REGISTER" in sipp.messages())
        stage.telephony.stop()

    assert not stage.telephony.is_alive()
    assert "registrar_silent_at_end" in [line["event"] for line in logged]


def test_wrong_password_is_told(
    own_stage: Callable[..., PjsuaStage], tmp_path: Path, logged: Sequence[EventDict]
) -> None:
    """
    A trunk that does not take us is an error in the log, and the service ends as it should.
    """
    with carrier(tmp_path, sip.wait_for("REGISTER"), sip.reply(403, first=True)) as sipp:
        wait_until_bound(sipp.port)
        stage = own_stage(trunk=registered_at(sipp))
        wait_until(lambda: "registration_failed" in [line["event"] for line in logged])
        assert 0 == sipp.wait(within_seconds=WITHIN_SECONDS), sipp.errors()
        stage.telephony.stop()

    refused = [line for line in logged if line["event"] == "registration_failed"]
    assert [403] == [line["status"] for line in refused]


def test_bridge_goes_through_the_proxy_with_password(
    own_stage: Callable[..., PjsuaStage], tmp_path: Path
) -> None:
    """
    A target elsewhere is reached by the trunk's proxy, as the identity that it knows.
    """
    with carrier(
        tmp_path,
        sip.wait_for("INVITE"),
        sip.reply(407, extra=f"Proxy-{CHALLENGE}", first=True),
        sip.wait_for("ACK"),
        sip.wait_for("INVITE", check="Proxy-Authorization: Digest"),
        sip.reply(486, first=True),
        sip.wait_for("ACK"),
    ) as sipp:
        wait_until_bound(sipp.port)
        stage = own_stage(
            trunk=Trunk(
                proxy=f"sip:127.0.0.1:{sipp.port};lr",
                identity="sip:1700@pbx.invalid",
                user="1700",
                password="geheim",
            )
        )
        with stage.call(Peer.STAYS) as heard:
            stage.do(heard.leg.answer)
            heard.next(MediaReady)
            stage.do(
                lambda: heard.leg.transfer(
                    "sip:groep@acd.invalid", method=TransferMethod.BRIDGE, token=1, headers={}
                )
            )
            assert TransferProgress(1, 486, final=True) == heard.next(TransferProgress)
            stage.do(heard.leg.hang_up)

        assert 0 == sipp.wait(within_seconds=WITHIN_SECONDS), sipp.errors() + sipp.messages()
        assert "From: sip:1700@pbx.invalid;tag=" in sipp.messages()
