"""Errors an operator or a caller can cause, each with a machine-readable code.

::

    WegwijsError
    ├── ConfigError          one mistake in the configuration file
    ├── ConfigErrors         all of them, as ``wegwijs check`` prints them
    ├── PromptError          a prompt text or recording that cannot be used
    ├── AudioFormatError     samples of the wrong rate, width or shape
    ├── ContactStoreError    the contact register cannot be opened or written
    └── TelephonyError       SIP: port in use, no codec, unusable target
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path


class WegwijsError(Exception):
    """Base of every error of the phone service.

    ``code`` is stable and machine-readable; the message names the file, key or call,
    the value where that is not personal data, and the remedy.
    """

    code = "wegwijs"


class ConfigError(WegwijsError):
    """One mistake in a configuration file."""

    code = "config"

    def __init__(
        self, path: Path | None, key: str, value: object, problem: str, *, remedy: str
    ) -> None:
        self.path = path
        self.key = key
        self.value = value
        self.problem = problem
        self.remedy = remedy
        where = f"{path}: " if path is not None else ""
        shown = "" if value is None else f" = {value!r}"
        super().__init__(f"{where}{key}{shown} {problem}; {remedy}")


class ConfigErrors(WegwijsError):
    """Every mistake found in one configuration file."""

    code = "config"

    def __init__(self, errors: Sequence[ConfigError]) -> None:
        self.errors = tuple(errors)
        super().__init__("\n".join(str(error) for error in errors))


class PromptError(WegwijsError):
    """A prompt text or recording cannot be used."""

    code = "prompt"


class AudioFormatError(WegwijsError):
    """Samples of the wrong rate, width or shape."""

    code = "audio_format"


class ContactStoreError(WegwijsError):
    """The contact register cannot be opened or written."""

    code = "contact_store"


class TelephonyError(WegwijsError):
    """SIP cannot do what was asked: port in use, RTP range too small, unusable target."""

    code = "telephony"
