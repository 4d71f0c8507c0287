"""Settings that work, but probably not as they were meant: the advice of ``wegwijs check``."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from ivr.config.schema import Config
from ivr.errors import ConfigError

_LEAST_SECONDS: Final = {
    "answer_seconds": (2.0, "slow phones need longer until their audio flows"),
    "prompt_seconds": (20.0, "a menu lasts longer, and would be cut off"),
    "no_input_seconds": (3.0, "people think before they speak"),
    "utterance_seconds": (8.0, "who tells a story would be cut off"),
    "confirm_seconds": (3.0, "people think before they answer"),
    "menu_seconds": (3.0, "people need to find the key"),
    "transfer_seconds": (3.0, "an exchange that is busy answers later"),
    "call_seconds": (60.0, "who has not decided by then is put through to the general group"),
}
"""Timer: below this, and why that is too short."""
_COUNTRY: Final = frozenset({"+32", "0032"})
_NUMBER: Final = re.compile(r"[^\s:@<>\"?;]+")
"""The user part of a SIP URI, as far as a called number goes."""
_LEAST_START: Final = 3
"""Digits of a rule that ends with a star."""
_LEAST_WAIT_SECONDS: Final = 10.0
_LEAST_LOST_SECONDS: Final = 6.0
_LEAST_PAUSE_MS: Final = 150


def advice_on(config: Config, path: Path) -> Iterator[ConfigError]:
    """What an engineer should look at again: each with key, value and remedy.

    Args:
        config: Without mistakes.
        path: Of the configuration file, for messages.
    """
    yield from _callers(config, path)
    yield from _lines(config, path)
    yield from _ports(config, path)
    yield from _waits(config, path)
    yield from _pauses(config, path)


def _lines(config: Config, path: Path) -> Iterator[ConfigError]:
    for number, line in config.lines.items():
        if number != "*" and not _NUMBER.fullmatch(number):
            yield ConfigError(
                path,
                f'lines."{number}"',
                None,
                "is no number that can be called: this line never takes a call",
                remedy='write the number alone, for example [lines.1700], or "*" for every other',
            )
        if line.hours is not None and not line.hours.weekly():
            yield ConfigError(
                path,
                f'lines."{number}".hours',
                None,
                "names no day: the line is always closed",
                remedy='write for example ma = "9:00-19:00", or leave the section out: always open',
            )


def _callers(config: Config, path: Path) -> Iterator[ConfigError]:
    for rule in config.sip.blocked_callers:
        start = rule.removesuffix("*")
        if "*" in start or any(character.isspace() for character in rule):
            # Not shown either.
            yield ConfigError(
                path,
                "sip.blocked_callers",
                None,
                "has a rule that holds for nobody: one with a space, or a star before its end",
                remedy='write numbers without spaces, and a star at the end only: "0900*"',
            )
            return
        if start in _COUNTRY or (len(start) < _LEAST_START and rule != start) or not rule:
            # Not shown: the value of this key may hold callers' numbers.
            yield ConfigError(
                path,
                "sip.blocked_callers",
                None,
                "has a rule that holds for a great many callers, and all of them are refused",
                remedy='write whole numbers, or longer beginnings such as "0900*"',
            )
            return


def _ports(config: Config, path: Path) -> Iterator[ConfigError]:
    first, _, last = config.sip.rtp_ports.partition("-")
    if (port := config.sip.udp_port) and int(first) <= port <= int(last):
        yield ConfigError(
            path,
            "sip.udp_port",
            port,
            f"lies among the ports for sound, {config.sip.rtp_ports}",
            remedy="move one of them, so that a firewall can tell signalling from sound",
        )


def _waits(config: Config, path: Path) -> Iterator[ConfigError]:
    for name, (least, why) in _LEAST_SECONDS.items():
        seconds = getattr(config.timers, name)
        if seconds < least:
            yield ConfigError(
                path,
                f"timers.{name}",
                seconds,
                f"is very short: {why}",
                remedy=f"write at least {least:g}",
            )
    if config.sip.media_lost_seconds < _LEAST_LOST_SECONDS:
        yield ConfigError(
            path,
            "sip.media_lost_seconds",
            config.sip.media_lost_seconds,
            "is very short: phones that send no silence are heard every 5 seconds only",
            remedy=f"write at least {_LEAST_LOST_SECONDS:g}",
        )
    for name, group in config.groups.items():
        for place, target in enumerate(group.targets, start=1):
            if target.wait_seconds < _LEAST_WAIT_SECONDS:
                yield ConfigError(
                    path,
                    f"groups.{name}.targets[{place}].wait_seconds",
                    target.wait_seconds,
                    "is very short: a voorlichter needs longer to answer",
                    remedy="write the longest wait in the queue, for example 600",
                )


def _pauses(config: Config, path: Path) -> Iterator[ConfigError]:
    pauses = config.pauses
    for shorter, longer in (("settled_ms", "usual_ms"), ("usual_ms", "unsettled_ms")):
        value, bound = getattr(pauses, shorter), getattr(pauses, longer)
        if value > bound:
            yield ConfigError(
                path,
                f"pauses.{shorter}",
                value,
                f"is longer than pauses.{longer} = {bound}: the surer we are, the longer callers "
                "would wait",
                remedy=f"write at most {bound}",
            )
    for name in ("settled_ms", "usual_ms", "unsettled_ms", "answer_ms"):
        if (value := getattr(pauses, name)) < _LEAST_PAUSE_MS:
            yield ConfigError(
                path,
                f"pauses.{name}",
                value,
                "is shorter than the pauses inside words: callers would be cut off",
                remedy=f"write at least {_LEAST_PAUSE_MS}",
            )
