"""The contact centre itself is right: without this, its logs would prove nothing about us."""

from pathlib import Path

import pytest

from tests.integration.asterisk import GROUPS
from tests.integration.conftest import StartAsterisk
from tests.integration.ports import free_port
from tests.integration.sipp import SCENARIOS, WITHIN_SECONDS, Sipp

pytestmark = [pytest.mark.asterisk, pytest.mark.sipp, pytest.mark.usefixtures("sipp")]


def test_every_group_has_its_own_queue(asterisk: StartAsterisk) -> None:
    """
    A group without a queue would swallow its callers.
    """
    shown = asterisk().rx("queue show")

    assert all(f"voorlichter-{group}" in shown for group in GROUPS), shown


def test_caller_of_a_group_reaches_its_voorlichter(asterisk: StartAsterisk, tmp_path: Path) -> None:
    """
    The queue_log names the group and the voorlichter who answered.
    """
    with Sipp.voorlichter(tmp_path) as voorlichter:
        centre = asterisk(voorlichters={"onderwijs": voorlichter.port})
        with Sipp.caller(tmp_path, centre.uri("onderwijs")) as caller:
            connected = centre.wait_for("CONNECT", queue="onderwijs")
            caller.hang_up()
            code = caller.wait(within_seconds=WITHIN_SECONDS)

    assert "PJSIP/voorlichter-onderwijs" == connected.member
    assert 0 == code, caller.errors()


def test_refer_puts_the_caller_in_the_queue_with_its_thema(
    asterisk: StartAsterisk, tmp_path: Path
) -> None:
    """
    The infoline's transfer ends at the group's voorlichter, and the CDR holds the thema.
    """
    with Sipp.voorlichter(tmp_path) as voorlichter:
        port = free_port()
        centre = asterisk(infoline_port=port, voorlichters={"belastingen": voorlichter.port})
        infoline = Sipp.infoline(
            tmp_path, port=port, target=centre.uri("belastingen"), thema="belastingen"
        )
        with infoline, Sipp.caller(tmp_path, centre.uri("1700")) as caller:
            centre.wait_for_bridge()
            infoline.go_on()
            connected = centre.wait_for("CONNECT", queue="belastingen")
            caller.hang_up()
            code = caller.wait(within_seconds=WITHIN_SECONDS)
            centre.wait_for("COMPLETECALLER", queue="belastingen")
            centre.wait_for_thema("belastingen")

    assert "PJSIP/voorlichter-belastingen" == connected.member
    assert 0 == code, caller.errors()


def test_dead_infoline_costs_the_caller_nothing_but_time(
    asterisk: StartAsterisk, tmp_path: Path
) -> None:
    """
    The safety net: nobody listens on the infoline's port, and a voorlichter answers.
    """
    with Sipp.voorlichter(tmp_path) as voorlichter:
        centre = asterisk(voorlichters={"algemeen": voorlichter.port})
        with Sipp.caller(tmp_path, centre.uri("1700")) as caller:
            connected = centre.wait_for("CONNECT", queue="algemeen")
            caller.hang_up()

    assert "PJSIP/voorlichter-algemeen" == connected.member


def test_infoline_that_dies_in_the_call_leaves_the_caller_in_the_general_queue(
    asterisk: StartAsterisk, tmp_path: Path
) -> None:
    """
    kill -9 of the infoline: Asterisk notices the silence and a voorlichter answers.
    """
    with Sipp.voorlichter(tmp_path) as voorlichter:
        infoline = Sipp.voorlichter(tmp_path, name="infoline")
        centre = asterisk(
            infoline_port=infoline.port,
            voorlichters={"algemeen": voorlichter.port},
            silence_seconds=None,
        )
        with infoline, Sipp.caller(tmp_path, centre.uri("1700")):
            centre.wait_for_channels(2)
            infoline.kill()
            connected = centre.wait_for("CONNECT", queue="algemeen")

    assert "PJSIP/voorlichter-algemeen" == connected.member


def test_infoline_that_says_goodbye_ends_the_call(asterisk: StartAsterisk, tmp_path: Path) -> None:
    """
    The safety net is for callers who were let down, not for those who are done.
    """
    port = free_port()
    centre = asterisk(infoline_port=port)
    infoline = Sipp(
        tmp_path, "-sf", str(SCENARIOS / "infoline_goodbye.xml"), "-m", "1", "-d", "300",
        name="infoline", port=port,
    )  # fmt: skip

    with infoline, Sipp.caller(tmp_path, centre.uri("1700")):
        code = infoline.wait(within_seconds=WITHIN_SECONDS)
        centre.wait_for_channels(0)

    assert 0 == code, infoline.errors()
    assert [] == centre.queue_log()


def test_group_where_nobody_answers_lets_the_caller_go(
    asterisk: StartAsterisk, tmp_path: Path
) -> None:
    """
    The wait is bounded, so that the infoline can try the next target.
    """
    centre = asterisk(queue_seconds=2)

    with Sipp.caller(tmp_path, centre.uri("energie")) as caller:
        gone = centre.wait_for("EXITWITHTIMEOUT", queue="energie")
        code = caller.wait(within_seconds=WITHIN_SECONDS)

    assert "energie" == gone.queue
    assert 0 != code


def test_two_contact_centres_run_at_once(asterisk: StartAsterisk) -> None:
    """
    Tests may run beside each other in one root folder.
    """
    first, second = asterisk(), asterisk()

    assert first.sip_port != second.sip_port
    assert "0 active channels" in first.rx("core show channels count")
    assert "0 active channels" in second.rx("core show channels count")
