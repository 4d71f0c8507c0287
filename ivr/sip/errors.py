"""Errors of the SIP side, each naming the setting at fault and the remedy.

::

    TelephonyError
    ├── SettingsError        a value that cannot work, found before anything is opened
    ├── PortInUseError       another program listens on the SIP port
    ├── TlsFilesError        certificate, key or authorities missing, unreadable or not a pair
    └── LibraryError         pjsua2 is missing, was built too small, or failed to start
"""

from __future__ import annotations

from ivr.errors import TelephonyError


class SettingsError(TelephonyError):
    """A value that cannot work, found before anything is opened."""

    code = "telephony_settings"

    def __init__(
        self, key: str, value: object, problem: str, *, remedy: str, section: str = "sip"
    ) -> None:
        self.key = key
        self.value = value
        super().__init__(f"{section}.{key} = {value!r} {problem}; {remedy}")


class PortInUseError(TelephonyError):
    """Another program listens on the SIP port."""

    code = "telephony_port"


class TlsFilesError(TelephonyError):
    """Certificate, key or authorities are missing, unreadable or not a pair."""

    code = "telephony_tls"


class LibraryError(TelephonyError):
    """pjsua2 is missing, was built too small, or failed to start."""

    code = "telephony_library"
