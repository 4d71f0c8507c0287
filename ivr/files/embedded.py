"""Where the models and training data are that Wegwijs carries: in the checkout or the wheel."""

from __future__ import annotations

from pathlib import Path

from ivr.errors import WegwijsError


class EmbeddedDataError(WegwijsError):
    """The installation is incomplete."""

    code = "embedded_data"


def embedded_dir(name: str) -> Path:
    """Return the folder ``models``, ``training_data`` or ``sip_config``; never written at run time.

    Raises:
        EmbeddedDataError: It is neither beside the package nor inside it.
    """
    package = Path(__file__).resolve().parents[1]
    for folder in (package.parent / name, package / "embedded" / name):
        if folder.is_dir():
            return folder
    raise EmbeddedDataError(f"{name}: not found beside or inside {package}; reinstall Wegwijs")


def example_config() -> Path:
    """Return the example configuration, complete and with every default.

    Raises:
        EmbeddedDataError: It is neither beside the package nor inside it.
    """
    return embedded_dir("sip_config") / "wegwijs.toml"
