"""When a line is open."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from ivr.errors import ConfigError, ConfigErrors
from ivr.prompts.hours import DAYS, parse_day


class OpeningHours:
    """Weekly hours, less holidays, in local time.

    Args:
        weekly: Intervals by day (``ma`` ... ``zo``), for example ``9:00-12:00, 13:00-17:00``;
            a day left out is closed.
        holidays: Days on which we are closed, as ``2026-12-25``.
        timezone: IANA name.
        path: Of the configuration file, for messages.
        key: Of the section, for messages.

    Raises:
        ConfigError: A value cannot be understood.
        ConfigErrors: Several cannot.
    """

    def __init__(
        self,
        weekly: Mapping[str, str],
        *,
        holidays: Sequence[str] = (),
        timezone: str = "Europe/Brussels",
        path: Path | None = None,
        key: str = "hours",
    ) -> None:
        errors: list[ConfigError] = []
        try:
            self._zone = ZoneInfo(timezone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            errors.append(
                ConfigError(
                    path,
                    f"{key}.timezone",
                    timezone,
                    "is not a time zone",
                    remedy='write for example "Europe/Brussels"',
                )
            )
        self._intervals = []
        for day in DAYS:
            try:
                self._intervals.append(parse_day(day, weekly.get(day, "")))
            except ConfigError as error:
                errors.append(
                    ConfigError(
                        path, f"{key}.{day}", error.value, error.problem, remedy=error.remedy
                    )
                )
        self._holidays = set()
        for number, holiday in enumerate(holidays, start=1):
            try:
                self._holidays.add(datetime.date.fromisoformat(holiday))
            except ValueError:
                errors.append(
                    ConfigError(
                        path,
                        f"{key}.holidays[{number}]",
                        holiday,
                        "is not a day",
                        remedy='write for example "2026-12-25"',
                    )
                )
        if len(errors) > 1:
            raise ConfigErrors(errors)
        if errors:
            raise errors[0]

    def is_open(self, moment: datetime.datetime) -> bool:
        """Whether ``moment`` (aware) lies in an interval of its local day."""
        local = moment.astimezone(self._zone)
        if local.date() in self._holidays:
            return False
        minute = local.hour * 60 + local.minute
        return any(start <= minute < end for start, end in self._intervals[local.weekday()])
