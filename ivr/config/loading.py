"""Reads the configuration file, and checks it as a whole before anything starts."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from ivr.config.problems import explain, impossible_numbers, null_characters, shown_key
from ivr.config.recognition import EngineSection
from ivr.config.schema import Config
from ivr.config.values import Section
from ivr.errors import ConfigError, ConfigErrors


def load_config(path: Path) -> Config:
    """Read and check a configuration file.

    Raises:
        ConfigErrors: Every mistake in the file, each with key, value and remedy.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, ValueError) as error:
        if isinstance(error, OSError):
            reason = error.strerror or type(error).__name__
        elif isinstance(error, UnicodeDecodeError):
            reason = "it is not UTF-8 text"
        else:
            reason = "no file can have this name"
        raise ConfigErrors(
            [
                ConfigError(
                    None,
                    str(path),
                    None,
                    f"cannot be read ({reason})",
                    remedy="give the path of a TOML file with --config; "
                    "sip_config/wegwijs.toml is an example",
                )
            ]
        ) from None
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigErrors(
            [ConfigError(path, "TOML", None, f"is malformed: {error}", remedy="mend that line")]
        ) from None
    except (RecursionError, ValueError):
        # tomllib recurses into nested brackets, and int() refuses numbers of 5000 digits.
        raise ConfigErrors(
            [
                ConfigError(
                    path,
                    "TOML",
                    None,
                    "has brackets nested too deeply, or a number of too many digits",
                    remedy="sip_config/wegwijs.toml shows every key that there is",
                )
            ]
        ) from None
    return parse_config(table, path)


def parse_config(table: Mapping[str, Any], path: Path | None) -> Config:
    """Check a configuration that was read; relative paths are made absolute.

    Raises:
        ConfigErrors: Every mistake.
    """
    errors = list(null_characters(table, path))
    told = {mistake.key for mistake in errors}
    errors += [e for e in impossible_numbers(table, path) if shown_key(e.key) not in told]
    try:
        config = Config.model_validate(table)
    except ValidationError as error:
        told |= {mistake.key for mistake in errors}
        others = [e for e in explain(error, Config, path) if shown_key(e.key) not in told]
        raise ConfigErrors([*others, *errors]) from None
    if errors:
        raise ConfigErrors(errors)
    return _absolute(config, path.parent if path is not None else Path.cwd())


def _absolute(config: Config, folder: Path) -> Config:
    """Make every relative path relative to the file's folder."""

    def walk(section: Section) -> Section:
        changed: dict[str, Any] = {}
        for name in type(section).model_fields:
            value = getattr(section, name)
            if isinstance(value, Path) and not value.is_absolute():
                changed[name] = folder / value
            elif isinstance(section, EngineSection) and name == "model" and "/" in (value or ""):
                changed[name] = str(folder / value)
            elif isinstance(value, Section):
                changed[name] = walk(value)
        return section.model_copy(update=changed)

    walked = walk(config)
    assert isinstance(walked, Config)
    return walked
