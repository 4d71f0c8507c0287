"""Errors of the audio core.

::

    WegwijsError
    └── AudioWriteError      a recording cannot be written
"""

from __future__ import annotations

from ivr.errors import WegwijsError


class AudioWriteError(WegwijsError):
    """A recording cannot be written: disk full, folder missing or not writable."""

    code = "audio_write"
