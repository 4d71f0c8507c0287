"""What a value of the configuration may be, and the base of every section."""

from __future__ import annotations

import ipaddress
import re
from typing import Annotated, Final

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

FORBID_UNKNOWN_KEYS: Final = ConfigDict(extra="forbid")


class Section(BaseModel):
    """A table of the file, or a part of one: unknown keys are mistakes, and nothing changes."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def uri_place(uri: str) -> tuple[str, str]:
    """Host and port in a SIP URI, each empty when it is absent; an IPv6 host in its brackets."""
    place = re.split("[;?]", uri.partition(":")[2].rpartition("@")[2], maxsplit=1)[0]
    # The port of an IPv6 address stands behind its brackets.
    host, colon, port = place.rpartition(":") if not place.endswith("]") else (place, "", "")
    return (host, port) if colon else (place, "")


def _sip_uri(value: str) -> str:
    scheme, _, rest = value.partition(":")
    if (
        scheme.lower() not in ("sip", "sips")
        or not rest
        or any(c.isspace() or c in "<>\"'" for c in value)
    ):
        raise ValueError('is not a SIP URI; write for example "sip:701@pbx.example.be"')
    host, port = uri_place(value)
    if not host:
        raise ValueError('names no host; write for example "sip:701@pbx.example.be"')
    written = re.split("[;?]", rest.rpartition("@")[2], maxsplit=1)[0]
    if written != host and not (port.isdecimal() and port.isascii() and 0 < int(port) < 65536):
        raise ValueError("has a port that is none; write 1 to 65535 behind the colon")
    return value


def _ip_address(value: str) -> str:
    try:
        return str(ipaddress.ip_address(value))
    except ValueError:
        raise ValueError('is not an IP address; write for example "192.0.2.53"') from None


IpAddress = Annotated[str, AfterValidator(_ip_address)]
SipUri = Annotated[str, AfterValidator(_sip_uri)]
# Strict: "true" would otherwise be port 1, and "yes" true.
YesNo = Annotated[bool, Field(strict=True)]
Whole = Annotated[int, Field(strict=True)]
Port = Annotated[Whole, Field(ge=0, le=65535)]
MaybePort = Annotated[Port | None, BeforeValidator(lambda value: None if value is False else value)]
"""``false`` leaves the transport out: TOML has no null."""
Positive = Annotated[float, Field(strict=True, gt=0, allow_inf_nan=False)]
Share = Annotated[float, Field(strict=True, ge=0, le=1, allow_inf_nan=False)]
Days = Annotated[Whole, Field(ge=1, le=36_500)]
