"""The configuration file: every mistake named with file, key, value and remedy, all in one go."""

from __future__ import annotations

import math
import tomllib
from pathlib import Path

import pytest

from ivr.call.rules import Costs, Mode, Pauses, Target, Timers, TransferMethod
from ivr.config.loading import load_config, parse_config
from ivr.config.schema import Config
from ivr.errors import ConfigError, ConfigErrors
from tests.config_fields import fields_of

PATH = Path("/etc/wegwijs/wegwijs.toml")


def mistakes(text: str) -> list[ConfigError]:
    """What is wrong with a file of this text."""
    with pytest.raises(ConfigErrors) as raised:
        parse_config(tomllib.loads(text), PATH)
    return list(raised.value.errors)


def mistake(text: str) -> ConfigError:
    """The only mistake."""
    found = mistakes(text)
    assert 1 == len(found), [str(error) for error in found]
    return found[0]


# --- what is right -------------------------------------------------------------------------------


def test_empty_file_is_a_valid_configuration() -> None:
    """
    Everything has a default; nothing listens beyond this machine unless asked.
    """
    config = parse_config({}, PATH)

    assert Config() == config
    assert ("127.0.0.1", "127.0.0.1") == (config.sip.bind_address, config.service.http_address)
    assert ["*"] == list(config.lines)
    assert (Timers(), Costs(), Pauses()) == (
        Timers(**fields_of(config.timers, Timers)),
        Costs(**fields_of(config.costs, Costs)),
        Pauses(**fields_of(config.pauses, Pauses)),
    )


def test_values_arrive_where_they_belong() -> None:
    """
    One of every kind.
    """
    config = parse_config(
        tomllib.loads(
            """
            general = "balie"
            [service]
            max_calls = 5
            [sip]
            tcp_port = false
            udp_port = 0
            [lines.1700]
            mode = "shadow"
            hours.ma = "9:00-12:00"
            [groups.energie]
            targets = [
                "sip:701@pbx.example.be",
                { uri = "sips:702@pbx.example.be", method = "bridge", wait_seconds = 30 },
            ]
            [timers]
            menu_seconds = 12
            [costs.misroute_seconds_by_thema]
            energie = 90
            """
        ),
        PATH,
    )

    assert ("balie", 5, None, 0) == (
        config.general,
        config.service.max_calls,
        config.sip.tcp_port,
        config.sip.udp_port,
    )
    line = config.lines["1700"]
    assert Mode.SHADOW is line.mode
    assert line.hours is not None
    assert {"ma": "9:00-12:00"} == line.hours.weekly()
    assert (
        Target("sip:701@pbx.example.be"),
        Target("sips:702@pbx.example.be", TransferMethod.BRIDGE, 30.0),
    ) == config.groups["energie"].call_targets()
    assert (12.0, 90.0, 80.0) == (
        config.timers.menu_seconds,
        config.costs.misroute("energie"),
        config.costs.misroute("onderwijs"),
    )


def test_relative_paths_are_relative_to_the_file(tmp_path: Path) -> None:
    """
    Not to the folder in which somebody started the service; absolute ones stay.
    """
    file = tmp_path / "wegwijs.toml"
    file.write_text(
        """
        [recognition]
        model = "models/nl"
        [catalogue]
        folder = "/srv/catalogue"
        [prompts]
        recordings = "../wavs"
        [sip.tls]
        certificate = "cert.pem"
        key = "key.pem"
        """,
        encoding="utf-8",
    )
    config = load_config(file)

    assert config.sip.tls is not None
    assert (
        str(tmp_path / "models/nl"),
        Path("/srv/catalogue"),
        tmp_path / "../wavs",
        tmp_path / "cert.pem",
    ) == (
        config.recognition.model,
        config.catalogue.folder,
        config.prompts.recordings,
        config.sip.tls.certificate,
    )


# --- what is wrong -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "key", "close"),
    [
        ("srvice = 1", "srvice", "service"),
        ("[service]\nmax_cals = 1", "service.max_cals", "max_calls"),
        (
            "[sip.tls]\ncertificate='a'\nkey='b'\ncertificat='c'",
            "sip.tls.certificat",
            "certificate",
        ),
        ("[timers]\nanswer_secs = 1", "timers.answer_secs", "answer_seconds"),
        ("[costs]\nmisroute_second = 1", "costs.misroute_second", "misroute_seconds"),
        ("[pauses]\nsetled_ms = 1", "pauses.setled_ms", "settled_ms"),
        ("[lines.1700]\nmod = 'route'", "lines.1700.mod", "mode"),
        ("[lines.1700.hours]\nmaa = '9:00-12:00'", "lines.1700.hours.maa", "ma"),
        ("[groups.a]\ntarget = []\ntargets = ['sip:a@b']", "groups.a.target", "targets"),
        (
            "[groups.a]\ntargets = [{uri='sip:a@b', metod='refer'}]",
            "groups.a.targets[1].metod",
            "method",
        ),
    ],
)
def test_misspelt_key_is_named_with_the_likely_one(text: str, key: str, close: str) -> None:
    """
    Also deep inside lists and named sections.
    """
    error = mistake(text)

    assert (PATH, key, "is not a key we know") == (error.path, error.key, error.problem)
    assert f'did you mean "{close}"?' == error.remedy


def test_key_that_resembles_nothing_gets_the_list() -> None:
    """
    So that nobody has to open the documentation.
    """
    error = mistake("[catalogue]\nqqq = 1")

    assert "known keys: folder" == error.remedy


@pytest.mark.parametrize(
    ("text", "key", "value", "remedy"),
    [
        ("[service]\nmax_calls = 0", "service.max_calls", 0, "at least 1"),
        ("[service]\nmax_calls = true", "service.max_calls", True, "digits"),
        ("[service]\nmax_calls = '10'", "service.max_calls", "10", "without quotes"),
        ("[service]\nmax_calls = 1.5", "service.max_calls", 1.5, "digits"),
        ("[service]\ndrain_seconds = 0", "service.drain_seconds", 0, "more than 0"),
        ("[service]\nlog_format = 'xml'", "service.log_format", "xml", "'json' or 'text'"),
        ("[service]\nhttp_port = 65536", "service.http_port", 65536, "at most 65535"),
        ("[sip]\nudp_port = true", "sip.udp_port", True, "digits"),
        ("[sip]\nudp_port = -1", "sip.udp_port", -1, "at least 0"),
        ("[sip]\nrtp_ports = '20000'", "sip.rtp_ports", "20000", '"20000-20999"'),
        ("[sip]\nsrtp = 'on'", "sip.srtp", "on", "'mandatory'"),
        ("[sip]\nmedia_lost_seconds = inf", "sip.media_lost_seconds", math.inf, ""),
        ("[sip]\ncodecs = 'PCMA'", "sip.codecs", "PCMA", "[ ... ]"),
        ("[sip.trunk]\nproxy = 'pbx'", "sip.trunk.proxy", "pbx", "sip:701@pbx.example.be"),
        ("[sip]\nname_servers = ['dns']", "sip.name_servers[1]", "dns", "192.0.2.53"),
        ("[recognition]\nworkers = 257", "recognition.workers", 257, "at most 256"),
        ("[recognition]\nmodel = 3", "recognition.model", 3, "quotes"),
        ("[lines.1700]\nmode = 'routing'", "lines.1700.mode", "routing", "'collect'"),
        ("[lines.1700]\nrepeats = 4", "lines.1700.repeats", 4, "at most 3"),
        ("[lines.1700]\nbarge_in = 'maybe'", "lines.1700.barge_in", "maybe", "true or false"),
        ("[lines.1700]\nbarge_in = 'yes'", "lines.1700.barge_in", "yes", "true or false"),
        ("[lines.1700]\nbarge_in = 1", "lines.1700.barge_in", 1, "true or false"),
        ("[lines.1700.hours]\nma = 9", "lines.1700.hours.ma", 9, "quotes"),
        ("[groups.a]\ntargets = 'sip:a@b'", "groups.a.targets", "sip:a@b", "[ ... ]"),
        ("[groups.a]\ntargets = ['701']", "groups.a.targets[1].uri", "701", "sip:701@"),
        (
            "[groups.a]\ntargets = ['sip:a@b', 'sip:a b']",
            "groups.a.targets[2].uri",
            "sip:a b",
            "sip:701@",
        ),
        ("[groups.a]\ntargets = ['sip:@']", "groups.a.targets[1].uri", "sip:@", "sip:701@"),
        (
            "[groups.a]\ntargets = ['sip:a@b:70000']",
            "groups.a.targets[1].uri",
            "sip:a@b:70000",
            "1 to 65535",
        ),
        ("[contacts]\naudio_days = 0", "contacts.audio_days", 0, "at least 1"),
        ("[timers]\nmenu_seconds = 0", "timers.menu_seconds", 0, "for example 65"),
        ("[timers]\nmenu_seconds = -1.5", "timers.menu_seconds", -1.5, "for example 65"),
        ("[timers]\nmenu_seconds = '8'", "timers.menu_seconds", "8", "for example 65"),
        ("[timers]\nmenu_seconds = true", "timers.menu_seconds", True, "for example 65"),
        ("[timers]\nmenu_seconds = inf", "timers.menu_seconds", math.inf, "for example 65"),
        ("[costs]\nmisroute_seconds = '-1'", "costs.misroute_seconds", "-1", "for example 65"),
        ("[costs]\nrepeat_success = 1.5", "costs.repeat_success", 1.5, "0 to 1"),
        (
            "[costs.misroute_seconds_by_thema]\nenergie = 0",
            "costs.misroute_seconds_by_thema.energie",
            0,
            "for example 65",
        ),
        ("[pauses]\nusual_ms = -5", "pauses.usual_ms", -5, "for example 700"),
        ("[pauses]\nusual_ms = 1.5", "pauses.usual_ms", 1.5, "digits"),
        ("service = 3", "service", 3, "[service]"),
        ("timers = 'long'", "timers", "long", "[timers]"),
        ("[lines]\n1700 = 'route'", "lines.1700", "route", "[lines.1700]"),
    ],
)
def test_wrong_value_is_named_with_its_remedy(
    text: str, key: str, value: object, remedy: str
) -> None:
    """
    File, key, value, what is wrong, and what to write instead, in one line.
    """
    error = mistake(text)

    assert (PATH, key, value) == (error.path, error.key, error.value)
    assert type(value) is type(error.value)
    assert remedy in error.remedy
    assert str(error).startswith(f"{PATH}: {key} = {value!r} ")
    assert str(error).endswith(f"; {error.remedy}")
    assert "pydantic" not in str(error)
    assert "\n" not in str(error)


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("[sip.tls]\ncertificate = 'a'", "sip.tls.key"),
        ("[groups.a]", "groups.a.targets"),
        ("[groups.a]\ntargets = [{method = 'refer'}]", "groups.a.targets[1].uri"),
    ],
)
def test_missing_key_is_named(text: str, key: str) -> None:
    """
    With its full name, so that it can be searched for.
    """
    error = mistake(text)

    assert (key, "is missing", "add it") == (error.key, error.problem, error.remedy)


def test_group_without_targets_is_a_mistake() -> None:
    """
    Its callers would go nowhere.
    """
    assert "is empty" == mistake("[groups.a]\ntargets = []").problem


@pytest.mark.parametrize(
    "text",
    [
        "[sip.trunk]\npassword = 31415926",
        "[sip.trunk]\npasword = 'x31415926'",
        "[sip.trunk]\nuser = 31415926",
        "[sip]\ntrunk = 'voip:31415926@pbx'",
        "[sip]\npassword = 'x31415926'",
        "sip = 'voip:31415926@pbx'",
        "[sip]\nblocked_callers = [31415926]",
        "[sip]\nblocked_callers = '31415926'",
        "[contacts]\ndatabase_url = ['postgresql://u:31415926@db/x']",
        "contacts = 'postgresql://u:31415926@db/x'",
    ],
)
def test_secrets_are_not_shown(text: str) -> None:
    """
    Passwords and callers' numbers, even in the wrong place or type.
    """
    for error in mistakes(text):
        assert "31415926" not in str(error)
        assert "31415926" not in repr(error)


def test_password_is_hidden_in_the_configuration_itself() -> None:
    """
    A log line or a debugger that shows the configuration shows no password.
    """
    config = parse_config({"sip": {"trunk": {"password": "x31415926"}}}, PATH)

    assert "x31415926" not in repr(config)


def test_all_mistakes_are_found_in_one_go() -> None:
    """
    An engineer mends the file once.
    """
    found = mistakes(
        """
        general = 3
        [service]
        max_cals = 10
        http_port = 99999
        [timers]
        menu_seconds = -1
        [costs]
        repeat_success = 7
        misroute_seconds = "much"
        [lines.1700]
        mode = "fast"
        [groups.energie]
        targets = ["energie"]
        """
    )

    assert {
        "general",
        "service.max_cals",
        "service.http_port",
        "timers.menu_seconds",
        "costs.repeat_success",
        "costs.misroute_seconds",
        "lines.1700.mode",
        "groups.energie.targets[1].uri",
    } == {error.key for error in found}
    assert 8 == len(found)
    assert all(error.path == PATH for error in found)


def test_long_and_huge_values_do_not_flood_the_message() -> None:
    """
    Nor break it: Python refuses to print an integer of five thousand digits.
    """
    for text in (
        f"[service]\nmax_calls = '{'x' * 5000}'",
        f"[timers]\nmenu_seconds = 0x{'f' * 6000}",
        f"[service]\nmax_calls = -0{'1' * 400}".replace("-0", "-"),
    ):
        assert len(str(mistake(text))) < 500


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ('[prompts]\nrecordings = "a\\u0000b"', "prompts.recordings"),
        ('[catalogue]\nfolder = "a\\u0000b"', "catalogue.folder"),
        ('[recognition]\nmodel = "./\\u0000"', "recognition.model"),
        ('[contacts]\ndatabase_url = "sqlite:////\\u0000"', "contacts.database_url"),
        ('[sip]\ncodecs = ["PCMA", "\\u0000"]', "sip.codecs[2]"),
        ('[sip.tls]\ncertificate = "a"\nkey = "\\u0000"', "sip.tls.key"),
        ('[lines."17\\u000000"]', "lines.17\\u000000"),
    ],
)
def test_null_characters_are_refused(text: str, key: str) -> None:
    """
    No file, address or number can have one; Python would raise what nobody catches.
    """
    told = mistake(text)

    assert key == told.key
    assert "has a null character" in str(told)
    assert "\0" not in str(told)


@pytest.mark.parametrize(
    "text",
    [
        "[sip]\nsession_expires_seconds = 10000000000",
        "[contacts]\naudio_days = 999999",
        "[contacts]\nfeatures_days = 36501",
    ],
)
def test_numbers_beyond_what_dates_and_telephony_hold_are_refused(text: str) -> None:
    """
    They would stop the start, or the purge of old data.
    """
    assert "is out of range; write at most" in str(mistake(text))
