"""``wegwijs check``: every mistake before a call finds it, each with its remedy."""

from __future__ import annotations

import difflib
import os
import re
import shutil
import socket
import tempfile
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum, unique
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from intent.catalogue import Catalogue
from ivr.config.advice import oddities
from ivr.config.schema import Config, SipSection, load_config, parse_config, uri_place
from ivr.contacts.database import look_over
from ivr.errors import ConfigError, ConfigErrors, ContactStoreError, WegwijsError
from ivr.files.embedded import set_up_command
from ivr.files.home import Home
from ivr.learning.catalogue_gaps import thema_gaps
from ivr.learning.model_versions import model_registry
from ivr.lines.rules import lines_of, opening_hours
from ivr.service.model_in_use import ModelInUse
from ivr.service.settings import ModelUnusableError, catalogue_of, prompt_book, sip_settings
from ivr.service.speech_engines import deadline_problems, engine_problems
from ivr.sip.message import is_target

_LEAST_FREE_OCTETS = 1 << 30
_SIP_PORT = 5060
_SIPS_PORT = 5061
_IPV4 = re.compile(r"\d+\.\d+\.\d+\.\d+", re.ASCII)


@unique
class Weight(StrEnum):
    """How bad a finding is."""

    MISTAKE = "mistake"
    """The service would not start, or a call would go wrong."""
    ADVICE = "advice"
    """It works; an engineer should know."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing found."""

    weight: Weight
    message: str


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

    unusable = _attempt(lambda: _home(home))
    found += unusable
    if unusable:
        # Said once: what is asked of its models and its register would only say it again.
        mistaken |= {"home"}

    def look(step: Callable[[], Iterator[Finding]], *sections: str) -> None:
        if mistaken.isdisjoint(sections):
            found.extend(_attempt(step))

    catalogue: list[Catalogue] = []
    look(lambda: _sip(config, path))
    look(lambda: _ports(config, path, home), "sip", "service")
    look(lambda: _targets(config, path), "sip", "groups")
    look(lambda: _catalogue(config, catalogue, path), "catalogue")
    if catalogue:
        look(lambda: _groups(config, catalogue[0], path, blamed), "groups", "general")
        look(lambda: _costs(config, catalogue[0], path))
    look(lambda: _hours(config, path), "lines")
    look(lambda: _recognisers(config, home, path), "recognition", "home")
    look(lambda: _told(deadline_problems(config, path)), "recognition", "timers")
    if catalogue:
        look(lambda: _classifier(home, catalogue[0]), "home")
        look(lambda: _themas(config, home, path), "home", "catalogue")
        look(lambda: _prompts(config, catalogue[0], path), "prompts", "lines", "contacts")
    look(lambda: _retention(config, path), "contacts")
    if (url := config.contacts.database_url) is not None:
        look(lambda: _register(url, path), "contacts")
    else:
        look(lambda: _register(home.database_url, None), "contacts", "home")
    look(lambda: _machine(home))
    look(lambda: _odd(config, path), "sip", "timers", "groups", "pauses", "lines")
    # Two steps may stumble over the same mistake.
    return list(dict.fromkeys(found))


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


def _mistake(path: Path, key: str, value: object, problem: str, remedy: str) -> Finding:
    return Finding(Weight.MISTAKE, str(ConfigError(path, key, value, problem, remedy=remedy)))


def _sip(config: Config, path: Path) -> Iterator[Finding]:
    for problem in sip_settings(config).problems():
        yield Finding(Weight.MISTAKE, f"{path}: {problem}")
    if find_spec("pjsua2") is None:
        yield Finding(
            Weight.ADVICE,
            "pjsua2 is not installed here: this machine can check, classify and transcribe, but "
            f"not take calls; to build it, run: {set_up_command()}",
        )


def _ports(config: Config, path: Path, home: Home) -> Iterator[Finding]:
    service = config.service
    addresses = {config.sip.bind_address, service.http_address}
    if len(addresses) == 1 or "0.0.0.0" in addresses:
        for name in ("tcp_port", "tls_port"):
            if service.http_port and service.http_port == getattr(config.sip, name):
                yield _mistake(
                    path,
                    "service.http_port",
                    service.http_port,
                    f"equals sip.{name}",
                    "write another port for one of them",
                )
    # They may be in use by the very service that is checked.
    if home.is_in_use():
        return
    sip = config.sip
    ports = (
        ("sip.udp_port", sip.bind_address, sip.udp_port, socket.SOCK_DGRAM),
        ("sip.tcp_port", sip.bind_address, sip.tcp_port, socket.SOCK_STREAM),
        ("sip.tls_port", sip.bind_address, sip.tls_port, socket.SOCK_STREAM),
        (
            "service.http_port",
            config.service.http_address,
            config.service.http_port,
            socket.SOCK_STREAM,
        ),
    )
    for key, address, port, kind in ports:
        if port and (problem := _bind(address, port, kind)):
            yield _mistake(
                path,
                key,
                port,
                f"cannot be used on {address} ({problem})",
                "stop what listens there, or choose another address or port",
            )


def _targets(config: Config, path: Path) -> Iterator[Finding]:
    """Targets that nobody can be handed over to, and those that are ourselves.

    Of the latter, a caller would be asked the same question for ever.
    """
    sip = config.sip
    ports = {port for port in (sip.udp_port, sip.tcp_port, sip.tls_port) if port}
    for name, group in config.groups.items():
        for place, target in enumerate(group.targets, start=1):
            key = f"groups.{name}.targets[{place}].uri"
            if not is_target(target.uri):
                yield _mistake(
                    path,
                    key,
                    target.uri,
                    "is no address that callers can be handed over to",
                    'write it plainly, without "?" and what follows it, for example '
                    '"sip:701@pbx.example.be"',
                )
                continue
            host, port = uri_place(target.uri)
            uri = target.uri.lower()
            is_tls = uri.startswith("sips:") or ";transport=tls" in uri
            usual = _SIPS_PORT if is_tls else _SIP_PORT
            if (int(port) if port else usual) in ports and _is_ours(host, config.sip):
                yield _mistake(
                    path,
                    key,
                    target.uri,
                    "is this service itself: callers would go round in circles",
                    "give the address of the exchange where the group answers",
                )


def _is_ours(host: str, sip: SipSection) -> bool:
    """Whether we listen at this address or name (IPv4)."""
    if _as_address(host) in (_as_address(sip.bind_address), _as_address(sip.public_address or "")):
        return True
    if sip.bind_address != "0.0.0.0":
        return False
    # On every address: only those of this machine can be bound.
    return bool(_IPV4.fullmatch(_as_address(host))) and not _bind(
        _as_address(host), 0, socket.SOCK_DGRAM
    )


def _as_address(host: str) -> str:
    own = {"localhost", socket.gethostname().lower()}
    return "127.0.0.1" if host.lower() in own else host.lower()


def _bind(address: str, port: int, kind: socket.SocketKind) -> str:
    try:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        with socket.socket(family, kind) as probe:
            if kind == socket.SOCK_STREAM:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((address, port))
    except OSError as error:
        return error.strerror or "unusable"
    return ""


def _hours(config: Config, path: Path) -> Iterator[Finding]:
    for number, line in config.lines.items():
        try:
            opening_hours(line, f'lines."{number}"', path)
        except ConfigErrors as errors:
            yield from _told(iter(errors.errors))
        except WegwijsError as error:
            yield Finding(Weight.MISTAKE, str(error))


def _catalogue(config: Config, found: list[Catalogue], path: Path) -> Iterator[Finding]:
    try:
        found.append(catalogue_of(config))
    except ModelUnusableError as error:
        where = "" if config.catalogue.folder is None else f"{path}: catalogue.folder: "
        yield Finding(Weight.MISTAKE, f"{where}{error}")


def _groups(
    config: Config, catalogue: Catalogue, path: Path, blamed: frozenset[str]
) -> Iterator[Finding]:
    """Groups without a target, and those that nobody knows; ``blamed`` have mistakes of their own.

    These were left out of ``config``.
    """
    themas = {thema.group for thema in catalogue.themas if not thema.non_thema}
    known = themas | {config.general}
    spare = sorted(set(config.groups) - themas)
    if config.general not in {*config.groups, *blamed} and spare:
        close = difflib.get_close_matches(config.general, spare, n=1)
        yield _mistake(
            path,
            "general",
            config.general,
            "is not a group that has targets",
            f'did you mean "{close[0]}"?' if close else f"choose one of: {', '.join(spare)}",
        )
        # Its section is not blamed as well for what this one key does.
        known = themas | set(close or spare)
    for group in sorted(known - set(config.groups) - blamed):
        yield _mistake(
            path,
            f"groups.{group}",
            None,
            "has no target, and callers with its subjects need one",
            f'add [groups.{group}] with targets = ["sip:..."]',
        )
    for group in sorted(set(config.groups) - known):
        close = difflib.get_close_matches(group, sorted(known), n=1)
        yield _mistake(
            path,
            f"groups.{group}",
            None,
            "is not a group of the catalogue",
            f'did you mean "{close[0]}"?' if close else f"known groups: {', '.join(sorted(known))}",
        )
    if not config.lines:
        yield _mistake(path, "lines", None, "is empty", 'add [lines."*"] for every called number')


def _costs(config: Config, catalogue: Catalogue, path: Path) -> Iterator[Finding]:
    slugs = [thema.slug for thema in catalogue.themas if not thema.non_thema]
    for thema in config.costs.misroute_seconds_by_thema:
        if thema not in slugs:
            close = difflib.get_close_matches(thema, slugs, n=1)
            yield _mistake(
                path,
                f"costs.misroute_seconds_by_thema.{thema}",
                None,
                "is not a thema of the catalogue",
                f'did you mean "{close[0]}"?' if close else f"known themas: {', '.join(slugs)}",
            )


def _recognisers(config: Config, home: Home, path: Path) -> Iterator[Finding]:
    yield from _told(engine_problems(config, home, path))
    second = config.recognition.second
    keeps = any(line.keep_recordings for line in config.lines.values())
    if second is not None and second.share_of_calls and not keeps:
        yield Finding(
            Weight.ADVICE,
            f"{path}: recognition.second.share_of_calls does nothing, because no line keeps its "
            "recordings",
        )


def _told(problems: Iterator[ConfigError]) -> Iterator[Finding]:
    return (Finding(Weight.MISTAKE, str(problem)) for problem in problems)


def _classifier(home: Home, catalogue: Catalogue) -> Iterator[Finding]:
    ModelInUse(model_registry(home), catalogue)
    yield from ()


def _themas(config: Config, home: Home, path: Path) -> Iterator[Finding]:
    gaps = thema_gaps(model_registry(home), config.catalogue.folder, path)
    return (Finding(Weight.ADVICE, gap) for gap in gaps)


def _prompts(config: Config, catalogue: Catalogue, path: Path) -> Iterator[Finding]:
    with tempfile.TemporaryDirectory(prefix="wegwijs-") as folder:
        elsewhere = Home(Path(folder))
        for problem in prompt_book(config, catalogue, elsewhere, "").check():
            yield Finding(Weight.MISTAKE, str(problem))
        lines_of(
            config, catalogue, path, lambda hours: prompt_book(config, catalogue, elsewhere, hours)
        )


def _retention(config: Config, path: Path) -> Iterator[Finding]:
    contacts = config.contacts
    if not contacts.audio_days <= contacts.text_days <= contacts.features_days:
        yield _mistake(
            path,
            "contacts.text_days",
            contacts.text_days,
            "does not lie between audio_days and features_days",
            "audio expires first, then text, then features",
        )


def _register(url: str, path: Path | None) -> Iterator[Finding]:
    """Look at the register; ``path`` is that of the file that names it."""
    try:
        look_over(url)
    except ContactStoreError as error:
        where = "" if path is None else f"{path}: contacts.database_url: "
        yield Finding(Weight.MISTAKE, f"{where}{error}")


def _home(home: Home) -> Iterator[Finding]:
    home.check()
    yield from ()


def _odd(config: Config, path: Path) -> Iterator[Finding]:
    return (Finding(Weight.ADVICE, str(odd)) for odd in oddities(config, path))


def _machine(home: Home) -> Iterator[Finding]:
    absolute = home.path.absolute()
    folder = next(place for place in (absolute, *absolute.parents) if os.path.exists(place))
    free = shutil.disk_usage(folder).free
    if free < _LEAST_FREE_OCTETS:
        yield Finding(
            Weight.ADVICE,
            f"{home.path}: only {free >> 20} MB free; recordings of a busy day need about 1 GB",
        )
