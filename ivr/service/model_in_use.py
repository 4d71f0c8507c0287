"""The classifier that calls are understood with; follows promotions and rollbacks."""

from __future__ import annotations

import asyncio
from pathlib import Path

import structlog

from intent.catalogue import Catalogue
from intent.classifier import Classifier
from intent.errors import IntentError
from intent.registry import Registry
from ivr.errors import WegwijsError

_log = structlog.get_logger("wegwijs.service")

_LOOK_SECONDS = 2.0


class ModelNotLoadedError(WegwijsError):
    """The classifier's current version cannot be loaded."""

    code = "model_not_loaded"


class ModelInUse:
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
            await asyncio.sleep(_LOOK_SECONDS)
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
