"""A carrier or PBX that wants us to register and to show a password."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from ivr.engine.ports import MediaReady, TransferMethod, TransferProgress
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


def test_registers_with_password_and_leaves(
    own_stage: Callable[..., PjsuaStage], tmp_path: Path
) -> None:
    """
    The challenge is answered, and the end takes the registration back.
    """
    with carrier(
        tmp_path,
        sip.wait_for("REGISTER"),
        sip.reply(401, extra=f"WWW-{CHALLENGE}", first=True),
        sip.wait_for("REGISTER", check="Authorization: Digest username=.1700"),
        sip.reply(200, extra="Expires: 300", first=True),
        sip.wait_for("REGISTER", check="Expires: 0"),
        sip.reply(200, first=True),
    ) as sipp:
        wait_until_bound(sipp.port)
        stage = own_stage(
            trunk=Trunk(
                registrar=f"sip:127.0.0.1:{sipp.port}",
                identity="sip:1700@127.0.0.1",
                user="1700",
                password="geheim",
            )
        )
        wait_until(lambda: "Expires: 300" in sipp.messages())
        stage.telephony.stop()

        assert 0 == sipp.wait(within_seconds=WITHIN_SECONDS), sipp.errors() + sipp.messages()
        assert "geheim" not in sipp.messages()


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
