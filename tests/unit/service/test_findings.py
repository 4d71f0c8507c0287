"""What is wrong with a configuration: every mistake in one go, also those only the whole shows."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from intent.catalogue import load_catalogue
from ivr.files.embedded import embedded_dir
from ivr.files.home import Home
from ivr.service.findings.check import check
from ivr.service.findings.finding import Weight

GROUPS = [group.slug for group in load_catalogue(embedded_dir("training_data")).groups]
PORTS = "[service]\nhttp_port = 0\n[sip]\nudp_port = 0\ntcp_port = false\n"


def targets(*groups: str) -> str:
    return "".join(f'[groups."{group}"]\ntargets = ["sip:1@pbx.invalid"]\n' for group in groups)


def mistakes(folder: Path, text: str) -> list[str]:
    """What is wrong with a file of this text."""
    file = folder / "wegwijs.toml"
    file.write_text(text, encoding="utf-8")
    found = check(file, Home(folder / "home"))
    return [finding.message for finding in found if finding.weight is Weight.MISTAKE]


@pytest.fixture(scope="module")
def all_groups() -> str:
    return targets(*{*GROUPS, "algemeen"})


def test_good_configuration_has_no_mistakes(tmp_path: Path, all_groups: str) -> None:
    """
    Ports, models, prompts and groups are all looked at.
    """
    assert [] == mistakes(tmp_path, PORTS + all_groups)


def test_checking_makes_nothing(tmp_path: Path, all_groups: str) -> None:
    """
    Neither the home folder nor a register that the service makes at its start.
    """
    url = f"sqlite:///{tmp_path}/newdb.sqlite"
    found = mistakes(tmp_path, PORTS + all_groups + f'[contacts]\ndatabase_url = "{url}"\n')

    assert [] == found
    assert ["wegwijs.toml"] == [path.name for path in tmp_path.iterdir()]


def test_register_that_cannot_be_made_is_blamed_on_its_key(tmp_path: Path, all_groups: str) -> None:
    """
    File and key of the configuration, then what is wrong.
    """
    url = f"sqlite:///{tmp_path}/wegwijs.toml/x.sqlite"
    found = mistakes(tmp_path, PORTS + all_groups + f'[contacts]\ndatabase_url = "{url}"\n')

    assert 1 == len(found), found
    assert found[0].startswith(f"{tmp_path / 'wegwijs.toml'}: contacts.database_url: ")
    assert "is not a folder" in found[0]


def test_home_that_cannot_be_made_is_told_once(tmp_path: Path, all_groups: str) -> None:
    """
    Not again by everything that lies in it.
    """
    (tmp_path / "home").touch()
    found = mistakes(tmp_path, PORTS + all_groups)

    assert 1 == len(found), found
    assert "home = " in found[0]
    assert f"{tmp_path / 'home'} is not a folder" in found[0]


def test_misspelt_key_does_not_hide_the_other_mistakes(tmp_path: Path, all_groups: str) -> None:
    """
    What the file says elsewhere is judged in the same run.
    """
    found = mistakes(
        tmp_path,
        '[service]\nmax_cals = 5\n[sip]\nudp_port = false\nrtp_ports = "20000-20003"\n'
        '[recognition]\nmodel = "./nowhere"\n[contacts]\naudio_days = 90\ntext_days = 3\n'
        + all_groups
        + targets("energi"),
    )

    wanted = ["max_cals", "sip.rtp_ports", str(tmp_path / "nowhere"), "contacts.text_days"]
    assert [] == [word for word in wanted if not any(word in message for message in found)]
    assert any("groups.energi " in message and '"energie"' in message for message in found)
    assert len(wanted) + 1 == len(found)


def test_sections_with_mistakes_are_not_judged_by_their_defaults(
    tmp_path: Path, all_groups: str
) -> None:
    """
    A misspelt text_days leaves its default, with which the rest of the section would not agree.
    """
    found = mistakes(
        tmp_path, PORTS + all_groups + "[contacts]\naudio_days = 900\ntekst_days = 901"
    )

    assert 1 == len(found)
    assert "contacts.tekst_days is not a key we know" in found[0]


def test_port_in_use_is_named(tmp_path: Path, all_groups: str) -> None:
    """
    Address, port and key; nothing else is wrong.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        found = mistakes(
            tmp_path, PORTS.replace("http_port = 0", f"http_port = {port}") + all_groups
        )

    assert 1 == len(found)
    assert f"service.http_port = {port} cannot be used on 127.0.0.1" in found[0]


def test_file_that_cannot_be_read_is_the_only_mistake(tmp_path: Path) -> None:
    """
    Nothing can be said of what is not there.
    """
    assert 1 == len(mistakes(tmp_path, "[sip\n"))
    assert 1 == len(check(tmp_path / "absent.toml", Home(tmp_path / "home")))


def test_wrong_hours_are_told_once(tmp_path: Path, all_groups: str) -> None:
    """
    Several steps read the hours; an engineer reads of them once.
    """
    hours = '[lines."*".hours]\nma = "19:00-9:00"\n'
    found = mistakes(tmp_path, PORTS + all_groups + hours)

    assert 1 == len(found), found
    assert "hours.ma = '19:00-9:00'" in found[0]


def test_misspelt_general_group_is_blamed_on_its_own_key(tmp_path: Path, all_groups: str) -> None:
    """
    Not on the section that is spelt right.
    """
    found = mistakes(tmp_path, 'general = "algemen"\n' + PORTS + all_groups)

    assert 1 == len(found), found
    assert "general = 'algemen' is not a group that has targets" in found[0]
    assert 'did you mean "algemeen"?' in found[0]


def test_target_that_is_ourselves_is_a_mistake(tmp_path: Path, all_groups: str) -> None:
    """
    The caller would be welcomed again and again.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    ourselves = f"sip:700@127.0.0.1:{port}"
    found = mistakes(
        tmp_path,
        PORTS.replace("udp_port = 0", f"udp_port = {port}")
        + all_groups.replace("sip:1@pbx.invalid", ourselves, 1),
    )

    assert 1 == len(found), found
    assert "targets[1].uri" in found[0]
    assert "circles" in found[0]


def test_every_mistake_of_both_engines_is_told(tmp_path: Path, all_groups: str) -> None:
    """
    In one run: a missing model here, a missing engine there, and deadlines that contradict.
    """
    found = mistakes(
        tmp_path,
        PORTS + '[recognition]\nmodel = "./nergens"\ndeadline_seconds = 3.0\n'
        '[recognition.second]\nengine = "kaldi"\ndeadline_seconds = 4.0\n' + all_groups,
    )

    wanted = [
        "nergens",
        "'kaldi'",
        "recognition.second.deadline_seconds = 4.0",
        "recognition.deadline_seconds = 3.0",
    ]
    assert [] == [word for word in wanted if not any(word in message for message in found)], found


def test_background_pass_without_recordings_is_advice(tmp_path: Path, all_groups: str) -> None:
    """
    It would have nothing to hear; the service works all the same.
    """
    file = tmp_path / "wegwijs.toml"
    second = '[recognition.second]\nengine = "vosk"\nmodel = "./nergens"\n'
    lines = '[lines."*"]\nkeep_recordings = false\n'
    file.write_text(PORTS + second + lines + all_groups, encoding="utf-8")
    found = check(file, Home(tmp_path / "home"))

    assert any("share_of_calls" in f.message for f in found if f.weight is Weight.ADVICE)


def test_target_that_nobody_is_handed_over_to_is_a_mistake(tmp_path: Path, all_groups: str) -> None:
    """
    By the rule of telephony itself, which would otherwise refuse it in every call.
    """
    bad = all_groups
    for uri in ("sip:701@pbx.invalid?Subject=x", "sip:701@pbx.invalid;;"):
        bad = bad.replace("sip:1@pbx.invalid", uri, 1)
    found = mistakes(tmp_path, PORTS + bad)

    assert 2 == len(found), found
    for told in found:
        assert "targets[1].uri" in told
        assert "is no address that callers can be handed over to" in told


@pytest.mark.parametrize("bind", ["0.0.0.0", "127.0.0.1"])
def test_targets_on_this_machine_are_ourselves(tmp_path: Path, all_groups: str, bind: str) -> None:
    """
    By whatever name; on every address we listen at each of them.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    listening = PORTS.replace("udp_port = 0", f'udp_port = {port}\nbind_address = "{bind}"')
    ours = all_groups
    for host in ("127.0.0.1", "localhost", "LOCALHOST"):
        ours = ours.replace("sip:1@pbx.invalid", f"SIP:1@{host}:{port}", 1)
    found = mistakes(tmp_path, listening + ours)

    assert 3 == len(found), found
    assert all("circles" in told for told in found)


def test_mistakes_of_one_section_do_not_hide_one_another(tmp_path: Path, all_groups: str) -> None:
    """
    Two days and a time zone, three values of SIP, a cost and the thema of another.
    """
    found = mistakes(
        tmp_path,
        PORTS.replace("tcp_port = false", "tcp_port = 8019").replace(
            "http_port = 0", "http_port = 8019"
        )
        + 'public_address = "10.0.0.1:5060"\ncodecs = ["G729"]\nrtp_ports = "20000-20010"\n'
        + '[lines."*".hours]\nma = "9:60-10:00"\ndi = "9"\ntimezone = "Europe/Brussel"\n'
        + "[costs]\nmisroute_seconds = -1\n[costs.misroute_seconds_by_thema]\nenergei = 100\n"
        + all_groups,
    )

    wanted = [
        "sip.public_address",
        "sip.codecs",
        "sip.rtp_ports",
        "service.http_port = 8019 equals sip.tcp_port",
        "hours.ma = '9:60-10:00' has a time that is none",
        "hours.di",
        "hours.timezone",
        "costs.misroute_seconds = -1",
        "costs.misroute_seconds_by_thema.energei",
    ]
    assert [] == [word for word in wanted if not any(word in told for told in found)], found
    assert len(wanted) == len(found), found


def test_mistake_in_one_group_does_not_hide_those_of_others(
    tmp_path: Path, all_groups: str
) -> None:
    """
    Nor is that group called missing as well.
    """
    found = mistakes(
        tmp_path,
        PORTS
        + all_groups.replace("targets", "targts", 1).replace('"sip:1@pbx.invalid"', '"tel:1"', 2)
        + targets("energi"),
    )

    wanted = ["is not a key we know", "targets is missing", "is not a SIP URI", "groups.energi "]
    assert [] == [word for word in wanted if not any(word in told for told in found)], found
    assert len(wanted) == len(found), found


def test_catalogue_that_cannot_be_used_is_blamed_on_its_key(
    tmp_path: Path, all_groups: str
) -> None:
    """
    File and key of the configuration, then the file of the catalogue.
    """
    found = mistakes(tmp_path, PORTS + all_groups + '[catalogue]\nfolder = "nowhere"\n')

    assert 1 == len(found), found
    assert found[0].startswith(f"{tmp_path / 'wegwijs.toml'}: catalogue.folder: ")
