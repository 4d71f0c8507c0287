"""Themas that only the classifier or only the catalogue knows.

Either works: a thema that the catalogue lacks counts as out of scope, and one that the classifier
lacks is reached by keys alone. Neither is what somebody wants who has just trained.
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from intent.catalogue import Catalogue, load_catalogue
from intent.errors import IntentError
from intent.registry import Registry
from intent.storage import read_card
from ivr.files.embedded import embedded_dir


def folder_setting(folder: Path) -> str:
    """Return the lines of the configuration that name this catalogue."""
    # A JSON string is a TOML string too.
    return f"[catalogue] folder = {json.dumps(str(folder.absolute()), ensure_ascii=False)}"


def only_one_knows(
    card: Mapping[str, Any], catalogue: Catalogue
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the themas that only the model, and those that only the catalogue knows.

    Args:
        card: Of the model; one that does not tell its labels differs in nothing.
        catalogue: With its expired themas: the model may know them still.
    """
    labels = card.get("labels")
    if not isinstance(labels, list):
        return (), ()
    today = datetime.datetime.now(datetime.UTC).date()
    valid = [thema for thema in catalogue.valid_on(today).themas if not thema.non_thema]
    return (
        tuple(label for label in labels if label not in catalogue),
        tuple(thema.slug for thema in valid if thema.slug not in labels),
    )


def after_change(directory: Path) -> Iterator[str]:
    """Yield what to know of a version now in use, whatever configuration it will meet.

    Args:
        directory: Of the version; that it is damaged is worth knowing too.
    """
    try:
        catalogue = load_catalogue(embedded_dir("training_data"))
        ours, theirs = only_one_knows(read_card(directory), catalogue)
    except IntentError as error:
        yield str(error)
        return
    if ours:
        yield (
            f"the embedded catalogue lacks {', '.join(ours)}, which this version knows: callers "
            "with these subjects reach them only if the configuration says [catalogue] folder = "
            '"…", the folder that was trained on; wegwijs check compares them'
        )
    if theirs:
        yield (
            f"the embedded catalogue has {', '.join(theirs)}, which this version does not know: "
            "callers reach them by keys alone, unless [catalogue] folder names a catalogue "
            "without them; wegwijs check compares them"
        )


def thema_gaps(registry: Registry, folder: Path | None, path: Path) -> Iterator[str]:
    """Yield what the version in use and the configured catalogue do not know of each other.

    Args:
        registry: Tells which version is in use.
        folder: ``[catalogue] folder``; the embedded catalogue when None.
        path: The configuration file, for the message.
    """
    place = folder or embedded_dir("training_data")
    try:
        card = read_card(registry.current())
        ours, theirs = only_one_knows(card, load_catalogue(place))
    except IntentError:
        # Said where the model and the catalogue themselves are looked at.
        return
    if ours:
        yield (
            f"{path}: catalogue.folder: {place} lacks {', '.join(ours)}, which the classifier in "
            f"use ({card['version']}) knows: callers with these subjects count as out of scope; "
            "name the folder that this version was trained on"
        )
    if theirs:
        yield (
            f"{path}: catalogue.folder: {place} has {', '.join(theirs)}, which the classifier in "
            f"use ({card['version']}) does not know: callers reach them by keys alone; run "
            f"'wegwijs train --data' with a folder that has them, and promote the version"
        )
