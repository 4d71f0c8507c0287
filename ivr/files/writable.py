"""Whether a folder can be written, found out without leaving anything in it."""

from __future__ import annotations

import errno
import tempfile
from pathlib import Path
from typing import Final

_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT})


def why_unwritable(folder: Path) -> str:
    """Why this user can make no file in ``folder``, which is made first where it is missing.

    A disk that is full is no reason: it says nothing of who may write there.

    Returns:
        The folder at fault and what is wrong with it; empty when a file can be made.
    """
    absolute = folder.absolute()
    for place in (absolute, *absolute.parents):
        try:
            # On Linux such a file has no name: the folder stays as it is.
            tempfile.TemporaryFile(dir=place).close()
        except FileNotFoundError:
            if place.exists():
                return f"{place}: no file can be made there"
            continue
        except PermissionError:
            return f"{place} is not writable for this user"
        except NotADirectoryError:
            return f"{place} is not a folder"
        except OSError as error:
            return "" if error.errno in _FULL else f"{place}: {error.strerror}"
        return ""
    return f"{absolute}: there is no such folder"
