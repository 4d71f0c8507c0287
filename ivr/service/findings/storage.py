"""What is kept: the home folder, the contact register, how long, and room on the disk."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from ivr.config.schema import Config
from ivr.contacts.database import look_over
from ivr.errors import ContactStoreError
from ivr.files.home import Home
from ivr.service.findings.finding import Finding, Weight, mistake

_LEAST_FREE_OCTETS = 1 << 30


def check_home(home: Home) -> Iterator[Finding]:
    """Find out whether the home folder can be used.

    Raises:
        ConfigError: It cannot.
    """
    home.check()
    yield from ()


def check_register(url: str, path: Path | None) -> Iterator[Finding]:
    """Look at the register; ``path`` is that of the file that names it."""
    try:
        look_over(url)
    except ContactStoreError as error:
        where = "" if path is None else f"{path}: contacts.database_url: "
        yield Finding(Weight.MISTAKE, f"{where}{error}")


def check_retention(config: Config, path: Path) -> Iterator[Finding]:
    """Days that are not in the order in which data expires."""
    contacts = config.contacts
    if not contacts.audio_days <= contacts.text_days <= contacts.features_days:
        yield mistake(
            path,
            "contacts.text_days",
            contacts.text_days,
            "does not lie between audio_days and features_days",
            "audio expires first, then text, then features",
        )


def check_disk(home: Home) -> Iterator[Finding]:
    """Little room where the home folder is."""
    absolute = home.path.absolute()
    folder = next(place for place in (absolute, *absolute.parents) if os.path.exists(place))
    free = shutil.disk_usage(folder).free
    if free < _LEAST_FREE_OCTETS:
        yield Finding(
            Weight.ADVICE,
            f"{home.path}: only {free >> 20} MB free; recordings of a busy day need about 1 GB",
        )
