"""The lines that a configuration describes, each with its rules and hours."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from intent.catalogue import Catalogue
from ivr.call.rules import CallRules
from ivr.config.lines import LineSection
from ivr.config.schema import Config
from ivr.lines.line import Line
from ivr.lines.opening_hours import OpeningHours
from ivr.ports import Prompts
from ivr.prompts.hours import spoken_hours


def opening_hours(line: LineSection, key: str, path: Path | None) -> OpeningHours | None:
    """Translate ``[lines.NUMBER.hours]``.

    Args:
        line: The line's section.
        key: Of that section, for messages.
        path: Of the configuration file, for messages.

    Returns:
        None when the line is always open.

    Raises:
        ConfigError: A value cannot be understood.
    """
    if line.hours is None:
        return None
    return OpeningHours(
        line.hours.weekly(),
        holidays=line.hours.holidays,
        timezone=line.hours.timezone,
        path=path,
        key=f"{key}.hours",
    )


def call_rules(config: Config, catalogue: Catalogue, line: LineSection) -> CallRules:
    """The rules of one line.

    Args:
        config: Checked.
        catalogue: Of the voorlichter groups and themas.
        line: The line's section.
    """
    themas = [thema for thema in catalogue.themas if not thema.non_thema]
    return CallRules(
        groups={t.slug: t.group for t in themas if t.group in config.groups},
        targets={name: group.call_targets() for name, group in config.groups.items()},
        general=config.general,
        busiest=tuple(t.slug for t in catalogue.busiest(len(themas))),
        mode=line.mode,
        barge_in=line.barge_in,
        records=line.keep_recordings,
        repeats_most=line.repeats,
        no_input_most=line.no_input_retries,
        menu_replays_most=line.menu_replays,
        retry_after_seconds=config.service.retry_after_seconds,
        timers=config.timers,
        costs=config.costs,
    )


def lines_of(
    config: Config,
    catalogue: Catalogue,
    path: Path | None,
    prompts_for: Callable[[str], Prompts],
) -> Mapping[str, Line]:
    """All lines by called number.

    Args:
        config: Checked.
        catalogue: Of the voorlichter groups and themas.
        path: Of the configuration file, for messages.
        prompts_for: Returns the prompts of a line whose opening hours are said so; asked once for
            each wording.

    Raises:
        WegwijsError: Hours or prompts cannot be used.
    """
    books: dict[str, Prompts] = {}
    lines = {}
    for number, section in config.lines.items():
        hours = opening_hours(section, f'lines."{number}"', path)
        text = spoken_hours(section.hours.weekly()) if section.hours is not None else ""
        if text not in books:
            books[text] = prompts_for(text)
        lines[number] = Line(
            number=number,
            rules=call_rules(config, catalogue, section),
            is_open=(lambda _: True) if hours is None else hours.is_open,
            offers_callback=section.callback,
            keeps_caller_number=section.keep_caller_number,
            keeps_recordings=section.keep_recordings,
            pauses=config.pauses,
            prompts=books[text],
        )
    return lines
