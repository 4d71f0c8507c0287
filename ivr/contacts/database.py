"""Opens the register's database: SQLite in a file, or PostgreSQL by URL; brings it up to date.

The only file that knows a difference between the two. Errors never carry parameters or a
driver's own text, because these quote what callers said.
"""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import alembic.command
import alembic.util
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import URL, Connection, Engine, create_engine, event, inspect, make_url, text
from sqlalchemy.exc import (
    ArgumentError,
    DataError,
    DBAPIError,
    IntegrityError,
    NoSuchModuleError,
    SQLAlchemyError,
    StatementError,
)

from ivr.contacts.errors import RecordRefusedError
from ivr.contacts.models import Base
from ivr.errors import ContactStoreError
from ivr.files.writable import why_unwritable

_SECONDS_TO_WAIT_FOR_A_LOCK = 5
_MIGRATION_LOCK = 0x5E1EC7  # any fixed number; advisory locks are per PostgreSQL database


def open_engine(url: str, *, read_only: bool = False) -> Engine:
    """Open the database that ``url`` names, without touching its tables.

    Args:
        url: ``sqlite:////absolute/file`` or ``postgresql://user@host/name``.
        read_only: Refuse to write; a missing SQLite file is an error.

    Raises:
        ContactStoreError: The URL, the driver or the file is unusable.
    """
    parsed = _parse(url)
    try:
        if parsed.get_backend_name() == "sqlite":
            return _open_sqlite(parsed, read_only)
        return _open_postgresql(parsed, read_only)
    except ModuleNotFoundError:
        raise ContactStoreError(
            f"{shown(parsed)}: the PostgreSQL driver is not installed; "
            "install wegwijs with its 'postgres' extra (psycopg)"
        ) from None


def look_over(url: str) -> None:
    """Find out whether the service can use the register of ``url``, or make it; nothing changes.

    Args:
        url: As for :func:`open_engine`.

    Raises:
        ContactStoreError: It can do neither.
    """
    parsed = _parse(url)
    if parsed.get_backend_name() == "sqlite" and _is_to_be_made(Path(parsed.database or "")):
        return
    engine = open_engine(url, read_only=True)
    try:
        with (
            translated(engine, "reading the contact register"),
            engine.connect() as connection,
        ):
            _look_at_tables(connection)
    finally:
        engine.dispose()


def _is_to_be_made(path: Path) -> bool:
    """Whether this file holds no register yet.

    Raises:
        ContactStoreError: It can neither be made nor written.
    """
    # SQLite writes its journal beside the database.
    if problem := why_unwritable(path.parent):
        raise _unusable(path, problem)
    if not path.exists():
        return True
    if not path.is_file():
        raise _unusable(path, "it is not a file")
    if not os.access(path, os.R_OK | os.W_OK):
        raise _unusable(path, os.strerror(errno.EACCES))
    return path.stat().st_size == 0


def _look_at_tables(connection: Connection) -> None:
    where = shown(connection.engine.url)
    found = set(inspect(connection).get_table_names())
    ours = set(Base.metadata.tables)
    versions = MigrationContext.configure(connection).get_current_heads()
    if not versions:
        if found & ours:
            raise ContactStoreError(
                f"{where}: has tables of another program, {', '.join(sorted(found & ours))}; "
                "name another database"
            )
        if connection.dialect.name == "postgresql" and not connection.scalar(
            text("SELECT has_schema_privilege(current_schema(), 'CREATE')")
        ):
            raise ContactStoreError(
                f"{where}: this user may make no tables there; GRANT CREATE on the schema, or "
                "name another user or database"
            )
        return
    script = ScriptDirectory.from_config(_migrations())
    known = {revision.revision for revision in script.walk_revisions()}
    if not known.issuperset(versions):
        raise _made_by_newer(connection.engine)
    if set(versions) == set(script.get_heads()) and (missing := sorted(ours - found)):
        raise ContactStoreError(
            f"{where}: lacks the tables {', '.join(missing)}; restore it from a backup, or name "
            "another database"
        )


def _unusable(path: Path, problem: str) -> ContactStoreError:
    return ContactStoreError(
        f"{path}: the contact register cannot be opened: {problem}; give the folder to this "
        "user, or name another with contacts.database_url or --home"
    )


def _made_by_newer(engine: Engine) -> ContactStoreError:
    return ContactStoreError(
        f"{shown(engine.url)}: this contact register was made by a newer version; "
        "install that version, or name another database"
    )


def shown(url: URL) -> str:
    """The URL as messages may show it."""
    return url.set(query={}).render_as_string(hide_password=True)


def _parse(url: str) -> URL:
    remedy = "write sqlite:////absolute/file or postgresql://user@host/database"
    try:
        parsed = make_url(url)
        backend = parsed.get_backend_name()
    except (ArgumentError, NoSuchModuleError, ValueError):
        # The text is not shown: a mistyped URL may hold a password anywhere.
        raise ContactStoreError(f"the URL of the contact register is not a URL; {remedy}") from None
    if backend == "sqlite":
        if parsed.database in (None, "", ":memory:"):
            raise ContactStoreError(
                f"{shown(parsed)}: a register in memory would keep nothing; {remedy}"
            )
        return parsed
    if backend == "postgresql":
        return parsed.set(drivername="postgresql+psycopg")
    raise ContactStoreError(f"{shown(parsed)}: {backend} is not supported; {remedy}")


def _open_sqlite(url: URL, read_only: bool) -> Engine:
    path = Path(url.database or "")
    try:
        if read_only:
            if not path.is_file():
                raise ContactStoreError(
                    f"{path}: there is no contact register; start the service once, or name "
                    "the home folder that has one"
                )
        else:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            # SQLite gives its journal files the permissions of the database.
            _create(path)
    except OSError as error:
        raise _unusable(path, error.strerror or "it cannot be read") from None
    engine = create_engine(
        url,
        hide_parameters=True,
        connect_args={
            "check_same_thread": False,
            **({} if "timeout" in url.query else {"timeout": _SECONDS_TO_WAIT_FOR_A_LOCK}),
        },
    )

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _record: Any) -> None:
        # The driver's own BEGIN comes too late for a migration and too weak for a writer.
        connection.isolation_level = None
        if read_only:
            connection.execute("PRAGMA query_only=ON")
            return
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA foreign_keys=ON")
        # Expired speech must not survive in free pages.
        connection.execute("PRAGMA secure_delete=ON")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get("wegwijs_writes", False)
        # A deferred transaction that turns writer fails at once instead of waiting its turn.
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def _create(path: Path) -> None:
    """Make an empty file that only this user may read; one that is there is never touched.

    To close any descriptor of a database drops all locks that this process holds on it (POSIX
    fcntl). Then a reader elsewhere takes itself for the last one and removes the write-ahead log,
    into which the writer goes on to commit what nobody will ever see.

    Raises:
        OSError: It cannot be made, or read and written.

    Source: https://www.sqlite.org/howtocorrupt.html, section 2.2.
    """
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError:
        if not os.access(path, os.R_OK | os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES)) from None


def _open_postgresql(url: URL, read_only: bool) -> Engine:
    options = "-c statement_timeout=10000 -c lock_timeout=5000"
    if read_only:
        options += " -c default_transaction_read_only=on"
    return create_engine(
        url,
        hide_parameters=True,
        pool_pre_ping=True,
        pool_size=2,
        connect_args={
            "connect_timeout": _SECONDS_TO_WAIT_FOR_A_LOCK,
            "options": options,
            "keepalives_idle": 10,
            "keepalives_interval": 5,
            "keepalives_count": 3,
        },
    )


@contextmanager
def translated(engine: Engine, doing: str) -> Iterator[None]:
    """Turn every error of SQLAlchemy, the driver and Alembic into ours, without their text.

    Raises:
        RecordRefusedError: Trying again cannot help.
        ContactStoreError: Trying again may help.
    """
    where = shown(engine.url)
    try:
        yield
    except (IntegrityError, DataError) as error:
        raise RecordRefusedError(f"{where}: {doing} was refused ({_reason(error)})") from None
    except DBAPIError as error:
        raise ContactStoreError(f"{where}: {doing} failed ({_reason(error)})") from None
    except StatementError as error:
        raise RecordRefusedError(
            f"{where}: {doing} was refused ({type(error.orig).__name__})"
        ) from None
    except (SQLAlchemyError, alembic.util.CommandError) as error:
        raise ContactStoreError(f"{where}: {doing} failed ({type(error).__name__})") from None
    except (ValueError, TypeError, ArithmeticError) as error:
        # Drivers raise these bare for values that no column holds, and quote the value.
        raise RecordRefusedError(f"{where}: {doing} was refused ({type(error).__name__})") from None


def _reason(error: DBAPIError) -> str:
    """The driver's code for what happened, which holds no data, and what to do about it."""
    code = getattr(error.orig, "sqlite_errorname", None) or getattr(error.orig, "sqlstate", None)
    code = str(code or type(error.orig).__name__)
    remedy = {
        "SQLITE_FULL": "the disk is full: free some space",
        "SQLITE_BUSY": "another program holds the register: close it",
        "SQLITE_READONLY": "the file is read-only for this user: change its owner",
        "SQLITE_CANTOPEN": "the file cannot be opened: check its folder and owner",
        "SQLITE_CORRUPT": "the file is damaged: restore it from a backup",
        "SQLITE_NOTADB": "the file is no SQLite database: name another file",
    }.get(code)
    if code.startswith("SQLITE_IOERR"):
        remedy = "the disk is full or failing: free some space"
    elif code == "OperationalError":
        remedy = "the database server does not answer: check its address, password and state"
    return f"{code}; {remedy}" if remedy else code


def migrate(engine: Engine) -> None:
    """Bring the tables up to date; two processes that start together wait for one another.

    Raises:
        ContactStoreError: It cannot be done, or a newer version made this database.
    """
    config = _migrations()
    with (
        translated(engine, "bringing the contact register up to date"),
        _alone(engine),
        engine.connect().execution_options(wegwijs_writes=True) as connection,
        connection.begin(),
    ):
        if engine.dialect.name == "postgresql":
            # A step may rewrite a large table, and another node may be doing that right now.
            connection.execute(text("SET LOCAL statement_timeout = 0"))
            connection.execute(text("SET LOCAL lock_timeout = '10min'"))
            connection.execute(text("SELECT pg_advisory_xact_lock(:n)"), {"n": _MIGRATION_LOCK})
        config.attributes["connection"] = connection
        try:
            alembic.command.upgrade(config, "head")
        except alembic.util.CommandError:
            raise _made_by_newer(engine) from None


def _migrations() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    return config


@contextmanager
def _alone(engine: Engine) -> Iterator[None]:
    """Keep other processes on this machine from changing the same SQLite file's journal mode."""
    if engine.dialect.name != "sqlite":
        yield
        return
    try:
        descriptor = os.open(f"{engine.url.database}.lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise ContactStoreError(
            f"{engine.url.database}.lock: cannot be made: {error.strerror}; "
            "give the folder to this user or free some space"
        ) from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
