"""One file over HTTPS: bounded, resumed, hashed on the way.

What arrived stays in a part file beside a small note on which file it is a part of; a later run
goes on from there. Only https, or http on the loopback interface; redirects are few and never lead
from https to http. Addresses are shown without user names, passwords and queries.
"""

from __future__ import annotations

import base64
import http.client
import ipaddress
import re
import socket
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.message import Message
from pathlib import Path
from threading import Event
from typing import IO, Any
from urllib.parse import unquote, urlsplit, urlunsplit

from asr.errors import ModelInstallError
from asr.models.part import Part

Progress = Callable[[int, int | None], None]
"""Called with the octets there are and the octets wanted, None when unknown."""

_BLOCK_OCTETS = 1 << 18
_PROGRESS_OCTETS = 1 << 20
"""An attempt that brought so much was no failure, whatever ended it."""
_PASSING = {408, 425, 429, 500, 502, 503, 504}
_LONGEST_PAUSE_SECONDS = 30.0
_CONTENT_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+|\*)")
_OTHER_WAY = "or fetch it elsewhere and install it with --from"


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to bear with a server.

    Attributes:
        stall_seconds: Without an octet for so long, the connection is given up.
        slowest_octets: That little within ``stall_seconds`` counts as nothing at all.
        attempts: In a row that bring nothing to speak of.
        pause_seconds: Before the second attempt; doubles from there, to at most 30 s.
    """

    stall_seconds: float = 30.0
    slowest_octets: int = 4096
    attempts: int = 5
    pause_seconds: float = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A file to fetch.

    Attributes:
        url: Its address; may hold ``user:password@``.
        size_octets: Exact size, None when unknown.
        at_most_octets: A server that sends more is cut off.
        sha256: Of the whole; None when unknown.
    """

    url: str
    size_octets: int | None
    at_most_octets: int
    sha256: str | None


class _PassingError(Exception):
    """An attempt failed in a way that another one may not."""

    def __init__(self, reason: str, wait_seconds: float = 0.0) -> None:
        self.reason = reason
        self.wait_seconds = wait_seconds
        super().__init__(reason)


def shown(url: str) -> str:
    """Return an address without user name, password, query and fragment."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    host = f"[{host}]" if ":" in host else host
    try:
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        port = ""
    return urlunsplit((parts.scheme, host + port, parts.path, "", ""))


def is_loopback(url: str) -> bool:
    """Whether the address is on this very machine."""
    host = urlsplit(url).hostname or ""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def check_url(url: str) -> None:
    """Refuse what is neither https nor http on the loopback interface.

    Raises:
        ModelInstallError: It is neither.
    """
    parts = urlsplit(url)
    if parts.scheme == "https" and parts.hostname:
        return
    if parts.scheme == "http" and is_loopback(url):
        return
    raise ModelInstallError(
        shown(url), "is not an https address", "use https; plain http is for this machine only"
    )


def download(
    wanted: Wanted,
    part: Path,
    progress: Progress,
    say: Callable[[str], None] = lambda words: None,
    patience: Patience | None = None,
) -> str:
    """Fetch a file into ``part``, going on where an earlier run stopped.

    Args:
        wanted: What to fetch.
        part: Where; stays when this fails or is interrupted.
        progress: Told about every block.
        say: Told about every attempt that failed and is made again.
        patience: Bounds on waiting.

    Returns:
        The SHA-256 of the whole file, equal to ``wanted.sha256`` where that is known.

    Raises:
        ModelInstallError: It cannot be had, or is another file than the one wanted.
    """
    check_url(wanted.url)
    patience = patience or Patience()
    with Part(part, shown(wanted.url), wanted.sha256) as kept:
        failures = 0
        while True:
            before = kept.octets
            try:
                _fetch_rest(wanted, kept, progress, patience)
                sha256 = kept.sha256()
                if wanted.sha256 in (None, sha256):
                    return sha256
                if not kept.is_resumed:
                    kept.restart()
                    raise ModelInstallError(
                        shown(wanted.url),
                        f"is another file than the one wanted: its SHA-256 is {sha256}, "
                        f"not {wanted.sha256}",
                        "do not use it; it was replaced or tampered with on the way",
                    )
                kept.restart()
                raise _PassingError("the part kept from an earlier run was not of this file")
            except _PassingError as trouble:
                gained = kept.octets - before
                failures = 0 if gained >= _PROGRESS_OCTETS else failures + 1
                if failures >= patience.attempts:
                    later = f", it goes on after {kept.octets} octets" if kept.octets else ""
                    raise ModelInstallError(
                        shown(wanted.url),
                        f"{trouble.reason}, {failures} times in a row",
                        f"try again later{later}; {_OTHER_WAY}",
                    ) from None
                say(f"{shown(wanted.url)}: {trouble.reason}; trying again")
                pause = patience.pause_seconds * 2 ** max(0, failures - 1)
                # An event that nobody sets: a wait that Ctrl-C ends at once.
                Event().wait(min(_LONGEST_PAUSE_SECONDS, max(pause, trouble.wait_seconds)))


def _fetch_rest(wanted: Wanted, kept: Part, progress: Progress, patience: Patience) -> None:
    """Make one request and read its answer to the end; nothing to do when all is there."""
    if wanted.size_octets is not None and kept.octets >= wanted.size_octets:
        if kept.octets == wanted.size_octets:
            progress(kept.octets, wanted.size_octets)
            return
        kept.restart()
    try:
        with _open(wanted.url, kept.range_headers(), patience.stall_seconds) as response:
            total = _begin(wanted, kept, response)
            progress(kept.octets, total)
            _read(wanted, kept, response, total, progress, patience)
    except urllib.error.HTTPError as error:
        with error:
            _refused(wanted, kept, error)
        progress(kept.octets, kept.octets)
        return
    except urllib.error.URLError as error:
        if isinstance(error.reason, ssl.SSLCertVerificationError):
            raise ModelInstallError(
                shown(wanted.url),
                f"has no certificate that this machine trusts ({error.reason.verify_message})",
                "set SSL_CERT_FILE to your organisation's certificates",
            ) from None
        if isinstance(error.reason, socket.gaierror):
            # Not again: each try may take the resolver a minute.
            raise ModelInstallError(
                shown(wanted.url),
                f"cannot be found ({_words(error.reason)})",
                f"is this machine connected? {_OTHER_WAY.removeprefix('or ')}",
            ) from None
        raise _PassingError(f"cannot be reached ({_words(error.reason)})") from None
    except (OSError, http.client.HTTPException) as error:
        raise _PassingError(f"broke off ({_words(error)})") from None
    if total is not None and kept.octets < total:
        raise _PassingError(f"ended after {kept.octets} of {total} octets")


def _words(error: object) -> str:
    if isinstance(error, TimeoutError):
        return "timed out"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return type(error).__name__


def _begin(wanted: Wanted, kept: Part, response: Any) -> int | None:
    """Decide from the answer's head where its octets belong; returns the whole file's size."""
    headers: Message = response.headers
    if headers.get("Content-Encoding", "identity").lower() != "identity":
        raise ModelInstallError(
            shown(wanted.url), "was sent in compressed form", "switch that off on the server"
        )
    total: int | None = None
    if response.status == 206:
        found = _CONTENT_RANGE.fullmatch(headers.get("Content-Range", ""))
        if found is None or int(found[1]) != kept.octets or not kept.is_same(headers):
            kept.restart()
            raise _PassingError("sent another part than the one asked for")
        kept.is_resumed = True
        total = None if found[2] == "*" else int(found[2])
    else:
        # 200: the server knows no ranges, or the file has changed since.
        kept.restart()
        length = headers.get("Content-Length", "")
        total = int(length) if length.isascii() and length.isdigit() else None
    if wanted.size_octets is not None and total not in (None, wanted.size_octets):
        kept.restart()
        raise ModelInstallError(
            shown(wanted.url),
            f"is another file than the one wanted: {total} octets, not {wanted.size_octets}",
            "do not use it; it was replaced or tampered with on the way",
        )
    kept.note(headers)
    return wanted.size_octets if total is None else total


def _read(
    wanted: Wanted,
    kept: Part,
    response: Any,
    total: int | None,
    progress: Progress,
    patience: Patience,
) -> None:
    bound = wanted.at_most_octets if wanted.size_octets is None else wanted.size_octets
    since, earlier = time.monotonic(), kept.octets
    # read1: one receive at a time, so that a server that drips cannot hold us in one call.
    while block := response.read1(_BLOCK_OCTETS):
        if kept.octets + len(block) > bound:
            kept.restart()
            raise ModelInstallError(
                shown(wanted.url),
                f"sends more than {bound} octets",
                "do not use it; it is another file than the one wanted",
            )
        kept.append(block)
        progress(kept.octets, total)
        now = time.monotonic()
        if now - since > patience.stall_seconds:
            if kept.octets - earlier < patience.slowest_octets:
                raise _PassingError(f"sent {kept.octets - earlier} octets in {now - since:.0f} s")
            since, earlier = now, kept.octets


def _refused(wanted: Wanted, kept: Part, error: urllib.error.HTTPError) -> None:
    """Turn an answer other than 200 and 206 into an error that lasts or one that may pass.

    It returns only when the answer says that nothing is left to send.
    """
    answer = f"answered {error.code} {http.client.responses.get(error.code, '')}".rstrip()
    if error.code == 416:
        whole = error.headers.get("Content-Range", "") if error.headers else ""
        if whole == f"bytes */{kept.octets}" and wanted.size_octets is None:
            return
        kept.restart()
        raise _PassingError("has fewer octets than the part kept")
    if error.code in _PASSING:
        wait = error.headers.get("Retry-After", "") if error.headers else ""
        raise _PassingError(answer, float(wait) if wait.isascii() and wait.isdigit() else 0.0)
    remedy = "check the address"
    if error.code in (401, 403, 407):
        remedy = "it wants permission: check your proxy, or the mirror's user and password"
    elif error.code in (404, 410):
        remedy = "it is no longer there: update Wegwijs"
    elif 300 <= error.code < 400:
        remedy = "it sends us round in circles or to no https address: check it"
    raise ModelInstallError(shown(wanted.url), answer, f"{remedy}, {_OTHER_WAY}") from None


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Few, and never to an address that we would not have taken ourselves."""

    max_redirections = 5
    max_repeats = 2

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: Any,
        newurl: str,
    ) -> urllib.request.Request | None:
        parts = urlsplit(newurl)
        # What was asked for over plain http is on this machine already: check_url saw to it.
        is_local = {parts.scheme, req.type} == {"http"} and is_loopback(newurl)
        if parts.scheme != "https" and not is_local:
            raise ModelInstallError(
                shown(req.full_url),
                f"leads to {shown(newurl)}, which is not https",
                f"ask its publisher, {_OTHER_WAY}",
            )
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _open(url: str, headers: Mapping[str, str], timeout_seconds: float) -> Any:
    parts = urlsplit(url)
    bare = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
    request = urllib.request.Request(bare, headers=dict(headers))
    request.add_header("Accept-Encoding", "identity")
    request.add_header("User-Agent", "wegwijs")
    if parts.username is not None:
        login = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        token = base64.b64encode(login.encode()).decode()
        # Unredirected: the next host must not learn it.
        request.add_unredirected_header("Authorization", f"Basic {token}")
    # Not build_opener: it would bring ftp: and file: too.
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler({} if is_loopback(url) else None),
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPErrorProcessor(),
        _Redirects(),
    ):
        opener.add_handler(handler)
    return opener.open(request, timeout=timeout_seconds)
