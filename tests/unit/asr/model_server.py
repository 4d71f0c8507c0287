"""A real HTTP server on the loopback interface that serves files well or badly, as told."""

from __future__ import annotations

import hashlib
import ssl
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

Answer = Callable[["Handler", "Served"], None]


@dataclass
class Served:
    """What lies at one path.

    ``answers`` are given first, one a request; after them the file is served as it should be.
    """

    content: bytes
    knows_ranges: bool = True
    has_tag: bool = True
    answers: deque[Answer] = field(default_factory=deque)

    @property
    def tag(self) -> str:
        return f'"{hashlib.sha256(self.content).hexdigest()[:16]}"'


@dataclass(frozen=True)
class Seen:
    """One request."""

    path: str
    headers: dict[str, str]


class ModelServer(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files: dict[str, Served] = {}
        self.seen: list[Seen] = []
        self.closing = threading.Event()
        self.waiting = threading.Event()
        """Set when an answer has stalled."""
        self.scheme = "http"
        if context is not None:
            self.scheme = "https"
            self.socket = context.wrap_socket(self.socket, server_side=True)

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up is what many of the tests are about."""

    def url(self, path: str) -> str:
        return f"{self.scheme}://127.0.0.1:{self.server_address[1]}/{path}"

    def put(self, path: str, content: bytes, *answers: Answer, **settings: bool) -> str:
        """Serve a file, after these answers; returns its address."""
        self.files[f"/{path}"] = Served(content, answers=deque(answers), **settings)
        return self.url(path)

    def asked(self, name: str) -> list[str | None]:
        """Return one header of every request."""
        return [seen.headers.get(name) for seen in self.seen]


class Handler(BaseHTTPRequestHandler):
    server: ModelServer

    def log_message(self, format: str, *args: object) -> None:
        """Tests read ``seen`` instead."""

    def do_GET(self) -> None:
        path = self.path.split("?", 1)[0]
        self.server.seen.append(Seen(path, dict(self.headers)))
        served = self.server.files.get(path)
        if served is None:
            self.send_error(404)
        elif served.answers:
            served.answers.popleft()(self, served)
        else:
            self.serve(served)

    def serve(self, served: Served, octets: int | None = None, claim: int | None = None) -> int:
        """Answer as a good server does, but end after ``octets``; returns what was left out."""
        start = 0
        asked = self.headers.get("Range", "")
        same = self.headers.get("If-Range") in (None, served.tag)
        if asked and same and served.knows_ranges:
            start = int(asked.removeprefix("bytes=").removesuffix("-"))
        whole = len(served.content)
        if start and start >= whole:
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{whole}")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return 0
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{whole - 1}/{whole}")
        if served.has_tag:
            self.send_header("ETag", served.tag)
        self.send_header("Content-Length", str(whole - start if claim is None else claim))
        self.end_headers()
        end = whole if octets is None else start + octets
        self.wfile.write(served.content[start:end])
        self.wfile.flush()
        return whole - end


def cut(octets: int) -> Answer:
    """Hang up after so many octets."""

    def answer(handler: Handler, served: Served) -> None:
        handler.serve(served, octets)

    return answer


def stall(octets: int) -> Answer:
    """Say nothing more after so many octets."""

    def answer(handler: Handler, served: Served) -> None:
        handler.serve(served, octets)
        handler.server.waiting.set()
        handler.server.closing.wait(600)

    return answer


def drip(handler: Handler, served: Served) -> None:
    """Send an octet now and then, for ever."""
    handler.serve(served, 0)
    for octet in served.content:
        if handler.server.closing.wait(0.05):
            return
        handler.wfile.write(bytes([octet]))
        handler.wfile.flush()


def endless(handler: Handler, served: Served) -> None:
    """Send the file over and over, without saying how long it is."""
    handler.send_response(200)
    handler.end_headers()
    while not handler.server.closing.is_set():
        handler.wfile.write(served.content)


def claim(octets: int) -> Answer:
    """Lie about the length."""

    def answer(handler: Handler, served: Served) -> None:
        handler.serve(served, claim=octets)

    return answer


def status(code: int, **headers: str) -> Answer:
    """Refuse."""

    def answer(handler: Handler, served: Served) -> None:
        handler.send_response(code)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    return answer


def redirect(url: str) -> Answer:
    """Send elsewhere."""
    return status(302, Location=url)


def become(content: bytes) -> Answer:
    """Serve another file from now on."""

    def answer(handler: Handler, served: Served) -> None:
        served.content = content
        handler.serve(served)

    return answer


def careless(handler: Handler, served: Served) -> None:
    """Continue with the rest of whatever the file is now, whatever If-Range says."""
    del handler.headers["If-Range"]
    handler.serve(served)


@contextmanager
def running(context: ssl.SSLContext | None = None) -> Iterator[ModelServer]:
    """Run a server for one test."""
    with ModelServer(context) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield server
        finally:
            server.closing.set()
            server.shutdown()
            thread.join(30)


def self_signed(folder: Path) -> tuple[Path, Path]:
    """Write a certificate for 127.0.0.1 and its key."""
    import ipaddress
    from datetime import UTC, datetime, timedelta

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "model server")])
    now = datetime.now(UTC)
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .sign(key, hashes.SHA256())
    )
    paths = folder / "certificate.pem", folder / "key.pem"
    paths[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    paths[1].write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return paths
