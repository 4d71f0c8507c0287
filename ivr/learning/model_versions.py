"""Where the classifier's versions are kept."""

from __future__ import annotations

from intent.registry import Registry
from ivr.files.embedded import embedded_dir
from ivr.files.home import Home


def model_registry(home: Home) -> Registry:
    """The classifier's versions: the home folder's, with the embedded one behind them."""
    return Registry(home.models / "intent-nl", embedded_dir("models") / "intent-nl")
