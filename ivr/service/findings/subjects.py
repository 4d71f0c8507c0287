"""What callers may ask: the catalogue, its groups and themas, opening hours and prompts."""

from __future__ import annotations

import difflib
import tempfile
from collections.abc import Iterator
from pathlib import Path

from intent.catalogue import Catalogue
from ivr.config.schema import Config
from ivr.errors import ConfigErrors, WegwijsError
from ivr.files.home import Home
from ivr.learning.catalogue_gaps import thema_gaps
from ivr.learning.model_versions import model_registry
from ivr.lines.rules import lines_of, opening_hours
from ivr.service.findings.finding import Finding, Weight, mistake, mistakes
from ivr.service.settings import ModelUnusableError, catalogue_of, prompt_book


def check_catalogue(config: Config, loaded: list[Catalogue], path: Path) -> Iterator[Finding]:
    """Load the catalogue into ``loaded``, or say why it cannot be used."""
    try:
        loaded.append(catalogue_of(config))
    except ModelUnusableError as error:
        where = "" if config.catalogue.folder is None else f"{path}: catalogue.folder: "
        yield Finding(Weight.MISTAKE, f"{where}{error}")


def check_groups(
    config: Config, catalogue: Catalogue, path: Path, blamed: frozenset[str]
) -> Iterator[Finding]:
    """Groups without a target, and those that nobody knows.

    Args:
        config: Without the groups of ``blamed``.
        catalogue: Names the groups.
        path: Of the configuration file, for messages.
        blamed: Groups with mistakes that were told already.
    """
    themas = {thema.group for thema in catalogue.themas if not thema.non_thema}
    known = themas | {config.general}
    spare = sorted(set(config.groups) - themas)
    if config.general not in {*config.groups, *blamed} and spare:
        close = difflib.get_close_matches(config.general, spare, n=1)
        yield mistake(
            path,
            "general",
            config.general,
            "is not a group that has targets",
            f'did you mean "{close[0]}"?' if close else f"choose one of: {', '.join(spare)}",
        )
        # Its section is not blamed as well for what this one key does.
        known = themas | set(close or spare)
    for group in sorted(known - set(config.groups) - blamed):
        yield mistake(
            path,
            f"groups.{group}",
            None,
            "has no target, and callers with its subjects need one",
            f'add [groups.{group}] with targets = ["sip:..."]',
        )
    for group in sorted(set(config.groups) - known):
        close = difflib.get_close_matches(group, sorted(known), n=1)
        yield mistake(
            path,
            f"groups.{group}",
            None,
            "is not a group of the catalogue",
            f'did you mean "{close[0]}"?' if close else f"known groups: {', '.join(sorted(known))}",
        )
    if not config.lines:
        yield mistake(path, "lines", None, "is empty", 'add [lines."*"] for every called number')


def check_costs(config: Config, catalogue: Catalogue, path: Path) -> Iterator[Finding]:
    """Themas with a cost of their own that nobody knows."""
    slugs = [thema.slug for thema in catalogue.themas if not thema.non_thema]
    for thema in config.costs.misroute_seconds_by_thema:
        if thema not in slugs:
            close = difflib.get_close_matches(thema, slugs, n=1)
            yield mistake(
                path,
                f"costs.misroute_seconds_by_thema.{thema}",
                None,
                "is not a thema of the catalogue",
                f'did you mean "{close[0]}"?' if close else f"known themas: {', '.join(slugs)}",
            )


def check_themas(config: Config, home: Home, path: Path) -> Iterator[Finding]:
    """Themas that only the classifier or only the catalogue knows."""
    gaps = thema_gaps(model_registry(home), config.catalogue.folder, path)
    return (Finding(Weight.ADVICE, gap) for gap in gaps)


def check_hours(config: Config, path: Path) -> Iterator[Finding]:
    """Opening hours that cannot be understood."""
    for number, line in config.lines.items():
        try:
            opening_hours(line, f'lines."{number}"', path)
        except ConfigErrors as errors:
            yield from mistakes(errors.errors)
        except WegwijsError as error:
            yield Finding(Weight.MISTAKE, str(error))


def check_prompts(config: Config, catalogue: Catalogue, path: Path) -> Iterator[Finding]:
    """Recordings that cannot be used; they are prepared for it, in a temporary folder."""
    with tempfile.TemporaryDirectory(prefix="wegwijs-") as folder:
        elsewhere = Home(Path(folder))
        for problem in prompt_book(config, catalogue, elsewhere, "").check():
            yield Finding(Weight.MISTAKE, str(problem))
        lines_of(
            config, catalogue, path, lambda hours: prompt_book(config, catalogue, elsewhere, hours)
        )
