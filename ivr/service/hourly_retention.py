"""Expires old data once an hour, and keeps the proof of it for ``/metrics``."""

from __future__ import annotations

import asyncio
import datetime

import structlog

from ivr.config.schema import ContactsSection
from ivr.contacts.retention import RetentionReport, ages, purge
from ivr.contacts.store import ContactStore
from ivr.errors import WegwijsError
from ivr.files.home import Home

_log = structlog.get_logger("wegwijs.service")

_RETENTION_SECONDS = 3600.0


class HourlyRetention:
    """Expires audio, then text, then features, once an hour, with the proof for ``/metrics``.

    Args:
        url: Of the contact register; opened anew each time, beside the writer's.
        home: Holds the recordings.
        contacts: How many days each kind is kept.
        node: Name of this node.
    """

    def __init__(self, url: str, home: Home, contacts: ContactsSection, *, node: str) -> None:
        self._url = url
        self._home = home
        self._contacts = contacts
        self._node = node
        self._report = RetentionReport()

    def ages(self) -> dict[str, float]:
        """Age in seconds of the oldest data, by kind, as of the last look."""
        report = self._report
        found = {
            "audio": report.oldest_recording_seconds,
            "text": report.oldest_text_seconds,
            "features": report.oldest_features_seconds,
        }
        return {kind: seconds or 0.0 for kind, seconds in found.items()}

    async def run(self) -> None:
        """Purge now and every hour, until cancelled."""
        while True:
            await asyncio.to_thread(self.purge)
            await asyncio.sleep(_RETENTION_SECONDS)

    def purge(self) -> None:
        """Expire what is too old; a register that is down is tried again in an hour."""
        now = datetime.datetime.now(datetime.UTC)
        try:
            store = ContactStore(self._url, node=self._node)
            try:
                purge(
                    store,
                    self._home.recordings,
                    now=now,
                    audio_days=self._contacts.audio_days,
                    text_days=self._contacts.text_days,
                    features_days=self._contacts.features_days,
                    spool=self._home.spool,
                )
                self._report = ages(store, self._home.recordings, now=now)
            finally:
                store.close()
        except WegwijsError as error:
            _log.error("retention_failed", code=error.code)
