"""The database under the register: migrations, readers, private files, unusable ones."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import stat
import threading
from collections.abc import Callable
from pathlib import Path

import alembic.command
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import text

from ivr.contacts.database import look_over
from ivr.contacts.models import Base
from ivr.contacts.store import ContactStore
from ivr.errors import ContactStoreError
from tests.unit.contacts.records import ended, opened


def test_migrations_from_empty_equal_the_models(store: ContactStore) -> None:
    """
    A table changed without its migration, or the other way round, fails here.
    """
    with store.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        differences = compare_metadata(context, Base.metadata)

    assert [] == differences


def test_every_index_of_the_models_exists(store: ContactStore) -> None:
    """
    Comparison of metadata can miss indexes on one database; their names are counted here.
    """
    wanted = {index.name for table in Base.metadata.tables.values() for index in table.indexes}
    query = (
        "SELECT name FROM sqlite_master WHERE type = 'index'"
        if store.engine.dialect.name == "sqlite"
        else "SELECT indexname FROM pg_indexes"
    )
    with store.engine.connect() as connection:
        found = {row[0] for row in connection.execute(text(query))}

    assert set() == wanted - found


def test_processes_that_start_together_all_find_a_register(url: str) -> None:
    """
    Phone and console of one machine start at the same moment on an empty database.
    """
    failures: list[Exception] = []
    barrier = threading.Barrier(4)

    def start() -> None:
        barrier.wait(100)
        try:
            ContactStore(url, node="test").close()
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=start) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(200)

    assert [] == failures


def test_register_of_a_newer_version_is_refused(store: ContactStore, url: str) -> None:
    """
    An older program must not write into tables it does not know.
    """
    with store.engine.connect() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
        connection.commit()

    with pytest.raises(ContactStoreError, match="newer version"):
        ContactStore(url)
    with pytest.raises(ContactStoreError, match="newer version"):
        look_over(url)


def test_register_not_made_yet_is_fine_and_stays_unmade(url: str, tmp_path: Path) -> None:
    """
    The service makes it at its start; who only looks makes nothing, not even a file.
    """
    look_over(url)

    assert [] == list(tmp_path.iterdir())


def test_empty_file_is_a_register_not_made_yet(tmp_path: Path) -> None:
    """
    As ``touch`` leaves it; the service fills it.
    """
    file = tmp_path / "c.sqlite"
    file.touch()
    look_over(f"sqlite:///{file}")

    ContactStore(f"sqlite:///{file}").close()
    look_over(f"sqlite:///{file}")


def test_register_in_use_can_be_looked_at(store: ContactStore, url: str) -> None:
    """
    Also one that lacks a table which it should have: that is said.
    """
    store.apply(opened())
    look_over(url)
    with store.engine.connect() as connection:
        connection.execute(text("DROP TABLE other_readings"))
        connection.commit()

    with pytest.raises(ContactStoreError, match="lacks the tables other_readings"):
        look_over(url)


def test_tables_of_another_program_are_no_register(tmp_path: Path) -> None:
    """
    The first migration would stumble over them.
    """
    file = tmp_path / "c.sqlite"
    with contextlib.closing(sqlite3.connect(file)) as other:
        other.execute("CREATE TABLE calls (id INTEGER)")

    with pytest.raises(ContactStoreError, match="tables of another program, calls"):
        look_over(f"sqlite:///{file}")


@pytest.mark.parametrize("where", ["file/c.sqlite", "folder"])
def test_register_that_cannot_be_made_is_said(tmp_path: Path, where: str) -> None:
    """
    Below a file, and in place of a folder; nothing is made.
    """
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()

    with pytest.raises(ContactStoreError, match=r"contact register.*; "):
        look_over(f"sqlite:///{tmp_path / where}")

    assert {"file", "folder"} == {path.name for path in tmp_path.iterdir()}


def test_reader_cannot_write(store: ContactStore, url: str) -> None:
    """
    A program that only looks is refused by the database itself.
    """
    store.apply(opened())
    reader = ContactStore(url, read_only=True)

    with pytest.raises(ContactStoreError):
        reader.apply(ended())

    call = reader.get("a")
    reader.close()
    assert call is not None
    assert call.outcome is None


def test_reader_does_not_make_a_register(tmp_path: Path) -> None:
    """
    A wrong home folder is named, not filled.
    """
    path = tmp_path / "none.sqlite"

    with pytest.raises(ContactStoreError, match="there is no contact register"):
        ContactStore(f"sqlite:///{path}", read_only=True)

    assert not path.exists()


def test_sqlite_is_private_and_durable(tmp_path: Path) -> None:
    """
    Mode 0600 for the file and its journal; WAL; synchronous FULL.
    """
    old = os.umask(0)
    try:
        store = ContactStore(f"sqlite:///{tmp_path}/deep/er/c.sqlite")
        store.apply(opened())
    finally:
        os.umask(old)
    with store.engine.connect() as connection:
        mode = connection.execute(text("PRAGMA journal_mode")).scalar()
        synchronous = connection.execute(text("PRAGMA synchronous")).scalar()
        modes = {
            path.name: stat.S_IMODE(path.stat().st_mode)
            for path in (tmp_path / "deep" / "er").iterdir()
        }
    store.close()

    assert ("wal", 2) == (mode, synchronous)
    assert {0o600} == set(modes.values())
    assert {"c.sqlite", "c.sqlite-wal", "c.sqlite-shm"} <= set(modes)


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("", "is not a URL"),
        ("geheim wachtwoord", "is not a URL"),
        ("sqlite://", "in memory"),
        ("mysql://piet:geheim@host/db", "not supported"),
        ("postgresql://piet:geheim@127.0.0.1:1/db", "does not answer"),
        ("postgresql://piet:geheim@127.0.0.1:poort/db", "is not a URL"),
    ],
)
def test_unusable_urls_are_named_without_their_password(url: str, says: str) -> None:
    """
    Each mistake has a message with a remedy, and none shows a secret.
    """
    with pytest.raises(ContactStoreError, match=says) as caught:
        ContactStore(url)

    assert "geheim" not in str(caught.value)


def damage(path: Path) -> None:
    path.write_bytes(b"this is no database, " * 1000)


def make_folder(path: Path) -> None:
    path.mkdir()


@pytest.mark.parametrize(
    ("spoil", "says"), [(damage, "no SQLite database"), (make_folder, "cannot be opened")]
)
def test_unusable_files_are_named(tmp_path: Path, spoil: Callable[[Path], None], says: str) -> None:
    """
    A damaged file is never overwritten.
    """
    path = tmp_path / "c.sqlite"
    spoil(path)

    with pytest.raises(ContactStoreError, match=says) as caught:
        ContactStore(f"sqlite:///{path}")

    assert str(path) in str(caught.value)


def test_busy_register_waits_then_says_so(tmp_path: Path) -> None:
    """
    Another program may hold SQLite; after a while we say which remedy there is.
    """
    store = ContactStore(f"sqlite:///{tmp_path}/c.sqlite?timeout=0.2")
    holder = ContactStore(f"sqlite:///{tmp_path}/c.sqlite")
    with holder.writing() as session, session.begin():
        session.execute(text("SELECT 1"))
        with pytest.raises(ContactStoreError, match="SQLITE_BUSY"):
            store.apply(opened())

    store.apply(opened())

    assert store.get("a") is not None
    store.close()
    holder.close()


def test_downgrade_drops_what_upgrade_made(tmp_path: Path) -> None:
    """
    The step back is complete, so that a failed release can be taken back by hand.
    """
    from alembic.config import Config

    store = ContactStore(f"sqlite:///{tmp_path}/c.sqlite")
    config = Config()
    folder = Path(__file__).parents[3] / "ivr" / "contacts" / "migrations"
    config.set_main_option("script_location", str(folder))
    with store.engine.connect() as connection, connection.begin():
        config.attributes["connection"] = connection
        alembic.command.downgrade(config, "base")
        left = {
            row[0]
            for row in connection.execute(text("SELECT name FROM sqlite_master WHERE type='table'"))
        }
    store.close()

    assert {"alembic_version"} == left
