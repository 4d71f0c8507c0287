"""Looks at a configuration and all that it points to, in turn."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from intent.catalogue import Catalogue
from ivr.config.advice import advice_on
from ivr.config.loading import load_config, parse_config
from ivr.config.schema import Config
from ivr.errors import ConfigErrors, WegwijsError
from ivr.files.home import Home
from ivr.service.findings import recognition, storage, subjects, telephony
from ivr.service.findings.finding import Finding, Weight


def check(path: Path, home: Home) -> list[Finding]:
    """Check a configuration and all that it points to; nothing is started, made or changed.

    Args:
        path: The configuration file.
        home: Where the service would keep its state.

    Returns:
        All findings; empty when there is nothing to say.
    """
    found: list[Finding] = []
    mistaken: frozenset[str] = frozenset()
    blamed: frozenset[str] = frozenset()
    try:
        config = load_config(path)
    except ConfigErrors as errors:
        found += [Finding(Weight.MISTAKE, str(error)) for error in errors.errors]
        rest = _without(path, errors)
        if rest is None:
            return found
        config = rest
        # Of a section with mistakes of its own, defaults would be judged that nobody meant.
        keys = [error.key for error in errors.errors]
        blamed = frozenset(key.split(".")[1] for key in keys if key.startswith("groups."))
        mistaken = frozenset(key.partition(".")[0] for key in keys if not key.startswith("groups."))

    unusable = _attempt(lambda: storage.check_home(home))
    found += unusable
    if unusable:
        # Said once: what is asked of its models and its register would only say it again.
        mistaken |= {"home"}

    def look(step: Callable[[], Iterator[Finding]], *sections: str) -> None:
        if mistaken.isdisjoint(sections):
            found.extend(_attempt(step))

    loaded: list[Catalogue] = []
    look(lambda: telephony.check_settings(config, path))
    look(lambda: telephony.check_ports(config, path, home), "sip", "service")
    look(lambda: telephony.check_targets(config, path), "sip", "groups")
    look(lambda: subjects.check_catalogue(config, loaded, path), "catalogue")
    if loaded:
        (catalogue,) = loaded
        look(lambda: subjects.check_groups(config, catalogue, path, blamed), "groups", "general")
        look(lambda: subjects.check_costs(config, catalogue, path))
    look(lambda: subjects.check_hours(config, path), "lines")
    look(lambda: recognition.check_engines(config, home, path), "recognition", "home")
    look(lambda: recognition.check_deadlines(config, path), "recognition", "timers")
    if loaded:
        look(lambda: recognition.check_classifier(home, catalogue), "home")
        look(lambda: subjects.check_themas(config, home, path), "home", "catalogue")
        look(
            lambda: subjects.check_prompts(config, catalogue, path), "prompts", "lines", "contacts"
        )
    look(lambda: storage.check_retention(config, path), "contacts")
    if (url := config.contacts.database_url) is not None:
        look(lambda: storage.check_register(url, path), "contacts")
    else:
        look(lambda: storage.check_register(home.database_url, None), "contacts", "home")
    look(lambda: storage.check_disk(home))
    look(lambda: _advice(config, path), "sip", "timers", "groups", "pauses", "lines")
    # Two steps may stumble over the same mistake.
    return list(dict.fromkeys(found))


def _advice(config: Config, path: Path) -> Iterator[Finding]:
    return (Finding(Weight.ADVICE, str(advice)) for advice in advice_on(config, path))


def _without(path: Path, errors: ConfigErrors) -> Config | None:
    """The configuration without the keys that are mistaken; None when it cannot be judged so."""
    try:
        table: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8-sig"))
        for error in errors.errors:
            *sections, key = error.key.split(".")
            if sections[:1] == ["groups"]:
                # A group without its targets is none.
                sections, key = ["groups"], [*sections, key][1]
            place = table
            for section in sections:
                place = place[section]
            place.pop(key.partition("[")[0], None)
        return parse_config(table, path)
    except (OSError, ValueError, LookupError, TypeError, AttributeError, ConfigErrors):
        return None


def _attempt(step: Callable[[], Iterator[Finding]]) -> list[Finding]:
    """Run one step; an error it raises is a finding too."""
    found: list[Finding] = []
    try:
        found.extend(step())
    except ConfigErrors as errors:
        found += [Finding(Weight.MISTAKE, str(error)) for error in errors.errors]
    except WegwijsError as error:
        found.append(Finding(Weight.MISTAKE, str(error)))
    except OSError as error:
        found.append(
            Finding(
                Weight.MISTAKE,
                f"{error.filename}: cannot be used ({error.strerror}); give it to this user",
            )
        )
    return found
