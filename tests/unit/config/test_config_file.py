"""The configuration file as a file: absent, unreadable, malformed, our example."""

from __future__ import annotations

from pathlib import Path

import pytest

from ivr.call.rules import Costs, Pauses, Timers
from ivr.config.loading import load_config
from ivr.config.schema import Config
from ivr.errors import ConfigErrors
from tests.config_fields import fields_of


def failure(path: Path) -> str:
    with pytest.raises(ConfigErrors) as raised:
        load_config(path)
    assert 1 == len(raised.value.errors)
    return str(raised.value)


def test_missing_file(tmp_path: Path) -> None:
    """
    Named, with the reason and an example to start from.
    """
    message = failure(tmp_path / "absent.toml")

    assert "absent.toml" in message
    assert "No such file" in message
    assert "sip_config/wegwijs.toml" in message


def test_folder_instead_of_a_file(tmp_path: Path) -> None:
    """
    A slip of the shell's completion.
    """
    assert "cannot be read" in failure(tmp_path)


def test_file_of_another_encoding(tmp_path: Path) -> None:
    """
    Saved by an old editor.
    """
    file = tmp_path / "latin.toml"
    file.write_bytes("general = 'caf\xe9'".encode("latin-1"))

    assert "not UTF-8" in failure(file)


def test_byte_order_mark_is_no_mistake(tmp_path: Path) -> None:
    """
    Some editors begin every file with one; nobody sees it on the line that would be blamed.
    """
    path = tmp_path / "wegwijs.toml"
    path.write_text('general = "balie"\n', encoding="utf-8-sig")

    assert "balie" == load_config(path).general


def test_name_that_no_file_can_have() -> None:
    """
    From a script that went wrong.
    """
    assert "no file can have this name" in failure(Path("a\0b.toml"))


@pytest.mark.parametrize(
    "text", ["general = ", "[service", "a = 1\na = 2", "[a]\n[a]", "x = 08", "= 3", "\x00"]
)
def test_malformed_file_is_named_with_its_line(tmp_path: Path, text: str) -> None:
    """
    TOML's own words, with line and column.
    """
    file = tmp_path / "wegwijs.toml"
    file.write_text(text, encoding="utf-8")
    message = failure(file)

    assert f"{file}: TOML is malformed" in message
    assert "line" in message or "end of document" in message


@pytest.mark.parametrize("text", ["a = " + "[" * 5000, f"a = {'9' * 9999}"])
def test_file_that_breaks_the_reader(tmp_path: Path, text: str) -> None:
    """
    No traceback, whatever is in it.
    """
    file = tmp_path / "wegwijs.toml"
    file.write_text(text, encoding="utf-8")

    assert f"{file}: TOML " in failure(file)


def test_our_example_is_valid() -> None:
    """
    And it shows the defaults that the code has.
    """
    example = Path(__file__).parents[3] / "sip_config" / "wegwijs.toml"
    config = load_config(example)

    assert fields_of(Config().timers, Timers) == fields_of(config.timers, Timers)
    shown = fields_of(config.costs, Costs)
    own = fields_of(Config().costs, Costs)
    del shown["misroute_seconds_by_thema"], own["misroute_seconds_by_thema"]
    assert own == shown
    assert fields_of(Config().pauses, Pauses) == fields_of(config.pauses, Pauses)
