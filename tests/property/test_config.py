"""Any table at all is a configuration, or is explained."""

from __future__ import annotations

import datetime
import math
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from ivr.call.rules import Costs, Pauses, Timers
from ivr.config.loading import parse_config
from ivr.config.schema import Config
from ivr.errors import ConfigError, ConfigErrors
from tests.config_fields import fields_of

PATH = Path("/etc/wegwijs/wegwijs.toml")


_WORDS = st.sampled_from(
    [
        *("service", "sip", "recognition", "catalogue", "lines", "groups", "general", "prompts"),
        *("contacts", "timers", "costs", "pauses", "max_calls", "udp_port", "tls", "trunk", "uri"),
        *("targets", "hours", "ma", "mode", "menu_seconds", "misroute_seconds_by_thema", "1700"),
        *(
            "repeat_success",
            "usual_ms",
            "password",
            "second",
            "breaker",
            "engine",
            "model",
            "threads",
            "unsure_below",
            "codecs",
            "blocked_callers",
            "holidays",
            "*",
        ),
    ]
)
_KEYS = st.one_of(_WORDS, st.text(max_size=8))
_VALUES = st.one_of(
    st.booleans(),
    st.integers(),
    st.integers(-(10**400), 10**400),
    st.floats(),
    st.text(max_size=20),
    st.sampled_from(["sip:a@b", "route", "9:00-12:00", "20000-20999", "json", "\ud800", "\0"]),
    st.dates(),
    st.times(),
    st.datetimes(timezones=st.just(datetime.UTC)),
)
_TABLES = st.recursive(
    _VALUES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS, inner, max_size=4),
    max_leaves=25,
)


def parsed(table: dict[str, Any]) -> tuple[Config | None, tuple[ConfigError, ...]]:
    """The configuration, or its mistakes."""
    try:
        return parse_config(table, PATH), ()
    except ConfigErrors as errors:
        return None, errors.errors


@given(st.dictionaries(_KEYS, _TABLES, max_size=6))
def test_any_table_is_valid_or_explained(table: dict[str, Any]) -> None:
    """
    Nothing but a configuration or its mistakes, each with a remedy.
    """
    config, errors = parsed(table)

    assert (config is None) == bool(errors)
    for error in errors:
        assert error.problem
        assert error.remedy
        assert str(error).startswith(f"{PATH}: ")


@given(
    st.sampled_from(["timers", "costs", "pauses"]),
    st.dictionaries(_KEYS, st.one_of(_VALUES, _TABLES), max_size=4),
)
def test_any_section_of_numbers_is_valid_or_explained(section: str, values: dict[str, Any]) -> None:
    """
    Those that skip pydantic's own bounds.
    """
    config, errors = parsed({section: values})

    assert len({error.key for error in errors}) == len(errors)
    if config is not None:
        kept = getattr(config, section)
        kind = {"timers": Timers, "costs": Costs, "pauses": Pauses}[section]
        numbers = [v for v in fields_of(kept, kind).values() if isinstance(v, int | float)]
        assert all(math.isfinite(number) and number >= 0 for number in numbers)
