"""Registers to test on: SQLite always, a real PostgreSQL where one can be started."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from ivr.contacts.store import ContactStore


def postgres_program(name: str) -> str | None:
    """Debian keeps the server's programs off the path."""
    if found := shutil.which(name):
        return found
    for folder in sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True):
        if (folder / name).exists():
            return str(folder / name)
    return None


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """URL of a server without databases of its own, on a socket in a folder."""
    pytest.importorskip("psycopg", reason="psycopg is not installed (extra 'postgres')")
    initdb, server = postgres_program("initdb"), postgres_program("postgres")
    if initdb is None or server is None:
        pytest.skip("PostgreSQL's server is not on this machine")
    # The server refuses to run as root.
    as_user: list[str] = []
    folder = Path(tempfile.mkdtemp(prefix="wwpg"))  # short: a socket's path has 107 octets
    if os.geteuid() == 0:
        names = {entry.pw_name: entry for entry in pwd.getpwall()}
        user = names.get("postgres") or names.get("nobody")
        if user is None or shutil.which("setpriv") is None:
            pytest.skip("running as root, and no other user to run PostgreSQL as")
        os.chown(folder, user.pw_uid, user.pw_gid)
        as_user = ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}"]
        as_user.append("--clear-groups")
    data = folder / "data"
    subprocess.run(
        [*as_user, initdb, "-D", str(data), "-U", "wegwijs", "-A", "trust", "--no-sync"],
        check=True,
        capture_output=True,
        cwd="/",
        timeout=200,
    )
    options = ("listen_addresses=", f"unix_socket_directories={folder}", "fsync=off")
    settings = [part for option in options for part in ("-c", option)]
    with (folder / "log").open("wb") as log:
        running = subprocess.Popen(
            [*as_user, server, "-D", str(data), *settings],
            stdout=log,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            cwd="/",
        )
    url = f"postgresql+psycopg://wegwijs@/postgres?host={folder}"
    try:
        for _ in range(1000):
            try:
                engine = create_engine(url)
                engine.connect().close()
                break
            except Exception:
                if running.poll() is not None:
                    pytest.fail((folder / "log").read_text())
                try:
                    running.wait(0.2)
                except subprocess.TimeoutExpired:
                    continue
            finally:
                engine.dispose()
        yield url
    finally:
        running.send_signal(signal.SIGINT)  # ends without waiting for clients
        running.wait(200)
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """URL of an empty register."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/contacts.sqlite"
    server: str = request.getfixturevalue("postgres")
    name = f"t{uuid.uuid4().hex[:12]}"
    engine = create_engine(server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    engine.dispose()
    return server.replace("/postgres?", f"/{name}?")


@pytest.fixture
def store(url: str) -> Iterator[ContactStore]:
    """An open, empty register."""
    opened = ContactStore(url, node="test")
    yield opened
    opened.close()
