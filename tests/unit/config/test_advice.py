"""The advice of ``wegwijs check`` on values that work and are hardly meant."""

from __future__ import annotations

from pathlib import Path

import pytest

from ivr.config.advice import advice_on
from ivr.config.loading import load_config
from ivr.files.embedded import embedded_dir
from ivr.files.home import Home
from ivr.service.findings.check import check
from ivr.service.findings.finding import Weight

ODD = {
    "sip.blocked_callers": '[sip]\nblocked_callers = ["0470123456", "*"]\n',
    "sip.udp_port": '[sip]\nudp_port = 20100\nrtp_ports = "20000-20999"\n',
    "sip.media_lost_seconds": "[sip]\nmedia_lost_seconds = 0.5\n",
    'lines."1700 "': '[lines."1700 "]\n',
    'lines.""': '[lines.""]\n',
    'lines."sip:1700@x"': '[lines."sip:1700@x"]\n',
    'lines."*".hours': '[lines."*".hours]\n',
    "pauses.settled_ms": "[pauses]\nsettled_ms = 800\nusual_ms = 700\n",
    "pauses.usual_ms": "[pauses]\nusual_ms = 950\n",
    "pauses.answer_ms": "[pauses]\nanswer_ms = 20\n",
    "timers.menu_seconds": "[timers]\nmenu_seconds = 0.1\n",
    "timers.prompt_seconds": "[timers]\nprompt_seconds = 1\n",
    "timers.call_seconds": "[timers]\ncall_seconds = 5\n",
    "groups.energie.targets[1].wait_seconds": (
        '[groups.energie]\ntargets = [{ uri = "sip:1@pbx.invalid", wait_seconds = 1 }]\n'
    ),
}


def advice(folder: Path, text: str) -> list[str]:
    """What is odd about a configuration of this text."""
    file = folder / "wegwijs.toml"
    file.write_text(text, encoding="utf-8")
    return [str(odd) for odd in advice_on(load_config(file), file)]


@pytest.mark.parametrize("key", ODD)
def test_odd_value_is_named_with_a_remedy(tmp_path: Path, key: str) -> None:
    """
    One line for it, with file and key.
    """
    (told,) = advice(tmp_path, ODD[key])

    assert told.startswith(f"{tmp_path / 'wegwijs.toml'}: {key} ")
    assert "; " in told
    assert "0470123456" not in told


@pytest.mark.parametrize("rule", ["", "0*", "04*", "+*", "+32*", "0032*"])
def test_rule_for_a_great_many_callers_is_odd(tmp_path: Path, rule: str) -> None:
    """
    Withheld numbers, every Belgian, every mobile telephone.
    """
    assert 1 == len(advice(tmp_path, f'[sip]\nblocked_callers = ["{rule}"]\n'))


@pytest.mark.parametrize("rule", ["0900*", "0470123456", "070*"])
def test_rule_for_some_callers_is_not(tmp_path: Path, rule: str) -> None:
    """
    That is what the setting is for.
    """
    assert [] == advice(tmp_path, f'[sip]\nblocked_callers = ["{rule}"]\n')


def test_example_configuration_is_not_odd() -> None:
    """
    Nor are the defaults, which it shows.
    """
    example = embedded_dir("sip_config") / "wegwijs.toml"

    assert [] == list(advice_on(load_config(example), example))


def test_check_tells_it_as_advice(tmp_path: Path) -> None:
    """
    The service would start, so it is no mistake.
    """
    file = tmp_path / "wegwijs.toml"
    file.write_text("[pauses]\nsettled_ms = 800\n", encoding="utf-8")

    found = check(file, Home(tmp_path / "home"))

    weights = {f.weight for f in found if "pauses.settled_ms" in f.message}
    assert {Weight.ADVICE} == weights


@pytest.mark.parametrize("rule", ["0475 12 34 56", "*123", "0475*12"])
def test_rule_for_nobody_is_odd(tmp_path: Path, rule: str) -> None:
    """
    Not shown: it may hold a caller's number.
    """
    (told,) = advice(tmp_path, f'[sip]\nblocked_callers = ["{rule}"]\n')

    assert "has a rule that holds for nobody" in told
    assert rule not in told
