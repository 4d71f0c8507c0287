"""The C helpers in our pjsua2 wheel: what the library's Python wrapper lacks.

Their text and contract are sip_config/pjsua2/helpers/wegwijs_pjsip.h. Only numbers pass through
here, and handles that pjsua2 gave out; what these point to is read and written by C that was
compiled against pjsip's own headers. Nothing in the helpers calls Python.
"""

from __future__ import annotations

import ctypes
from typing import Any, Final

import pjsua2

from ivr.files.embedded import set_up_command
from ivr.sip.errors import LibraryError

VERSION: Final = 1
"""``WEGWIJS_HELPERS_VERSION`` in the header; raised with every change of what it declares."""

_INT: Final = ctypes.c_int
_HANDLE: Final = ctypes.c_void_p
_FUNCTIONS: Final[dict[str, tuple[Any, ...]]] = {
    "wegwijs_silence_log": (None,),
    "wegwijs_call_places": (_INT,),
    "wegwijs_calls": (_INT,),
    "wegwijs_start": (_INT, _INT),
    "wegwijs_set_options_retry_after": (None, _INT),
    "wegwijs_invite_status": (_INT, _INT),
    "wegwijs_answer": (_INT, _HANDLE, _HANDLE, _INT),
    "wegwijs_guard_refer": (_INT, _HANDLE),
    "wegwijs_refer_status": (_INT, _HANDLE),
}
"""What each returns, and then its arguments."""
_NO_RETRY: Final = -1


class Helpers:
    """The helpers of the one endpoint that a process can have.

    Used on the owner's thread, but for :meth:`set_options_retry_after`. Handles are valid while
    the callback runs in which pjsua2 gave them.

    Args:
        library: Holds the functions; the one that pjsua2 is in, when absent.

    Raises:
        LibraryError: The library has no helpers, or those of another version of Wegwijs.
    """

    def __init__(self, library: Any = None) -> None:
        self._c = ctypes.CDLL(pjsua2._pjsua2.__file__) if library is None else library
        try:
            found = int(self._c.wegwijs_helpers_version())
            if found != VERSION:
                raise LibraryError(
                    f"this pjsua2 has helpers of version {found} and this Wegwijs needs {VERSION}; "
                    f"to build it anew, run: {set_up_command()}"
                )
            for name, (result, *arguments) in _FUNCTIONS.items():
                function = getattr(self._c, name)
                function.restype, function.argtypes = result, arguments
        except AttributeError:
            raise LibraryError(
                "this pjsua2 lacks the helpers that Wegwijs builds into its own; to build that, "
                f"run: {set_up_command()}"
            ) from None

    def silence_log(self) -> None:
        """Keep the library's own log, which prints SIP messages with numbers, off every stream."""
        self._c.wegwijs_silence_log()

    def start(self, *, retry_after_seconds: int) -> int:
        """Begin to look at requests; once for each endpoint, whose end undoes it.

        Args:
            retry_after_seconds: For new calls that the library cannot take and would answer with
                500, because it can open no ports for the sound: they get 503, so that a
                dispatcher tries another node and comes back.

        Returns:
            0, or pjsip's error number.
        """
        return int(self._c.wegwijs_start(retry_after_seconds))

    def call_places(self) -> int:
        """Calls that the started endpoint takes: ``maxCalls``, cut to what was compiled in."""
        return int(self._c.wegwijs_call_places())

    def calls(self) -> int:
        """Calls whose dialog lives, those that wait for the answer to our BYE included."""
        return int(self._c.wegwijs_calls())

    def set_options_retry_after(self, seconds: int | None) -> None:
        """Answer OPTIONS outside a call with 503. Any thread.

        Args:
            seconds: When calls may be welcome again; with None OPTIONS gets the library's 200.
        """
        self._c.wegwijs_set_options_retry_after(_NO_RETRY if seconds is None else seconds)

    def invite_status(self, status: int = 0) -> int:
        """Take note that the library is done with a new INVITE, and tell what its caller got.

        Args:
            status: With which the library says that it refused it; 0 when it did not.

        Returns:
            The status that went out: 503 where the library means its 500.
        """
        return int(self._c.wegwijs_invite_status(status))

    def answer(self, received: Any, transaction: Any, status: int) -> bool:
        """Answer a request inside a call that pjsua leaves unanswered.

        Args:
            received: ``SipRxData.pjRxData`` of the request.
            transaction: ``SipTransaction.pjTransaction`` that it opened.
            status: SIP status.

        Returns:
            Whether the answer went out.
        """
        return int(self._c.wegwijs_answer(int(received), int(transaction), status)) == 0

    def guard_refer(self, transaction: Any) -> bool:
        """Keep the call when a REFER in it is answered with 408 or 481, or not at all.

        The library ends the whole call then, though only the transfer failed (RFC 5057 section
        5.1): the caller may be there still.

        Args:
            transaction: ``SipTransaction.pjTransaction`` of a REFER that goes out just now.

        Returns:
            Whether it is guarded.
        """
        return int(self._c.wegwijs_guard_refer(int(transaction))) == 0

    def refer_status(self, transaction: Any) -> int:
        """What became of a REFER, guarded or not.

        Args:
            transaction: ``SipTransaction.pjTransaction``.

        Returns:
            The SIP status that the peer sent, or 408.
        """
        return int(self._c.wegwijs_refer_status(int(transaction)))
