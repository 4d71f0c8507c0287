"""Where the models and training data are that Wegwijs carries: in the checkout or the wheel."""

from __future__ import annotations

import sys
from pathlib import Path

from ivr.errors import WegwijsError

_PACKAGE = Path(__file__).resolve().parents[1]


class EmbeddedDataError(WegwijsError):
    """The installation is incomplete."""

    code = "embedded_data"


def embedded_dir(name: str) -> Path:
    """Return the folder ``models``, ``training_data`` or ``sip_config``; never written at run time.

    Raises:
        EmbeddedDataError: It is neither beside the package nor inside it.
    """
    for folder in (_PACKAGE.parent / name, _PACKAGE / "embedded" / name):
        if folder.is_dir():
            return folder
    raise EmbeddedDataError(f"{name}: not found beside or inside {_PACKAGE}; reinstall Wegwijs")


def example_config() -> Path:
    """Return the example configuration, complete and with every default.

    Raises:
        EmbeddedDataError: It is neither beside the package nor inside it.
    """
    return embedded_dir("sip_config") / "wegwijs.toml"


def set_up_command() -> str:
    """Return the command that installs what calls need beside Wegwijs itself: pjsua2.

    In a checkout that is ``make setup``; an installed wheel carries the recipe.

    Raises:
        EmbeddedDataError: The recipe is neither beside the package nor inside it.
    """
    recipes = embedded_dir("sip_config")
    if recipes.parent == _PACKAGE.parent:
        return f"make -C {_PACKAGE.parent} setup"
    return f"{sys.executable} {recipes / 'pjsua2' / 'build.py'} --install"
