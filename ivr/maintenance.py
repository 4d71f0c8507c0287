"""What a phone process does beside its calls: follow the promoted model, expire old data."""

from __future__ import annotations

import asyncio
import datetime
from pathlib import Path

import structlog

from intent.catalogue import Catalogue
from intent.classifier import Classifier
from intent.errors import IntentError
from intent.registry import Registry
from ivr.config import ContactsSection
from ivr.contacts.retention import RetentionReport, ages, purge
from ivr.contacts.store import ContactStore
from ivr.errors import WegwijsError
from ivr.home import Home

_log = structlog.get_logger("wegwijs.maintenance")

_MODEL_SECONDS = 2.0
_RETENTION_SECONDS = 3600.0


class ModelNotLoadedError(WegwijsError):
    """The classifier's current version cannot be loaded."""

    code = "model_not_loaded"


class ClassifierOfTheDay:
    """The classifier in use; a promotion or rollback takes effect with the next turn.

    Args:
        registry: Tells which version is current.
        catalogue: Given to every version that is loaded.

    Raises:
        ModelNotLoadedError: The current version cannot be used.
    """

    def __init__(self, registry: Registry, catalogue: Catalogue) -> None:
        self._registry = registry
        self._catalogue = catalogue
        try:
            self._folder: Path = registry.current()
            self._classifier: Classifier = registry.load(catalogue)
        except IntentError as error:
            raise ModelNotLoadedError(str(error)) from None

    def current(self) -> Classifier:
        """The classifier of this moment; any thread."""
        return self._classifier

    async def watch(self) -> None:
        """Follow promotions until cancelled."""
        while True:
            await asyncio.sleep(_MODEL_SECONDS)
            await asyncio.to_thread(self.follow)

    def follow(self) -> None:
        """Load the current version when it is another one; an unusable one changes nothing."""
        try:
            folder = self._registry.current()
            if folder == self._folder:
                return
            fresh = self._registry.load(self._catalogue)
        except IntentError as error:
            _log.error("model_refused", code=error.code)
            return
        self._folder, self._classifier = folder, fresh
        _log.info("model_in_use", version=fresh.version)


class Retention:
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
