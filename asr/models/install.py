"""Installing a model: licence, fetch or take, check, unpack, load, put in its place.

Whatever goes wrong or is interrupted, the store holds the whole model, the one of before, or none.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path

from asr.errors import ModelInstallError, ModelRefusedError
from asr.model_files.files import file_sha256
from asr.model_files.record import ModelRecord, RecordedFile
from asr.models.check import load_check
from asr.models.manifest import ModelEntry
from asr.models.sources import Request, Sources
from asr.models.store import InstalledModel, ModelStore


def check_licence(
    entry: ModelEntry, accepted: str | None, ask: Callable[[str], str] | None = None
) -> None:
    """Let a non-commercial licence pass only when the user confirmed it by name.

    Args:
        entry: The model.
        accepted: Licence named on the command line.
        ask: Puts a question to a person and returns what they typed; None when there is nobody.

    Raises:
        ModelInstallError: Not confirmed, or another licence was.
    """
    option = f"--accept-licence {entry.licence}"
    if accepted is not None and not entry.accepts(accepted):
        raise ModelInstallError(
            entry.name, f"has the licence {entry.licence}, not {accepted}", f"write {option}"
        )
    if not entry.non_commercial or accepted is not None:
        return
    if ask is None:
        raise ModelInstallError(
            entry.name,
            f"may not be used commercially ({entry.licence}), which nobody has confirmed",
            f"read {entry.licence_url or 'the licence'} and, if your use is allowed, add {option}",
        )
    if not entry.accepts(ask(f"Type {entry.licence} to confirm that your use is allowed: ")):
        raise ModelInstallError(
            entry.name, f"the licence {entry.licence} was not confirmed", "nothing was installed"
        )


def install(store: ModelStore, entry: ModelEntry, request: Request) -> InstalledModel:
    """Install a model; one that is there already stays as it is.

    The licence is the caller's affair: :func:`check_licence`.

    Args:
        store: Where.
        entry: What; without files for a model that no manifest knows.
        request: How.

    Raises:
        ModelInstallError: With file or address, value and remedy; the store is as it was.
    """
    with store.lock(entry.name):
        _clear(store, entry.name)
        earlier = store.find(entry.name)
        if earlier is not None and not request.force:
            return _keep(entry, earlier)
        try:
            staging = Path(tempfile.mkdtemp(prefix=f".staging-{entry.name}-", dir=store.root))
        except OSError as error:
            raise _unusable(store.root, error) from None
        pinned = earlier.record if earlier is not None else None
        sources = Sources(entry, request, pinned, store.downloads(entry.name), staging)
        try:
            sources.fill()
            _require(entry, sources.model)
            request.say(f"loading it with {entry.engine}")
            loaded = load_check(entry.engine, sources.model, entry.name)
            record = _record(entry, sources, loaded)
            record.write(sources.model)
            _sync(sources.model)
            _place(store, entry.name, sources.model)
            shutil.rmtree(store.downloads(entry.name), ignore_errors=True)
        except ModelInstallError as error:
            if request.source is None:
                is_useless = isinstance(error, ModelRefusedError)
                _keep_downloads(store.downloads(entry.name), request, is_useless=is_useless)
            raise
        except OSError as error:
            raise _unusable(Path(error.filename or store.root), error) from None
        finally:
            shutil.rmtree(staging, ignore_errors=True)
        return InstalledModel(entry.name, store.root / entry.name, record)


def _keep(entry: ModelEntry, earlier: InstalledModel) -> InstalledModel:
    if earlier.problem or earlier.record is None:
        raise ModelInstallError(
            str(earlier.directory), earlier.problem, "add --force to install it again"
        )
    if entry.version and earlier.record.version != entry.version:
        raise ModelInstallError(
            entry.name,
            f"is installed in version {earlier.record.version}; this is {entry.version}",
            "add --force to replace it",
        )
    return earlier


def _keep_downloads(folder: Path, request: Request, *, is_useless: bool) -> None:
    """Leave what the next try can go on with, and say so; delete what nobody can use."""
    octets = sum(path.stat().st_size for path in folder.glob("*.part"))
    if is_useless or not octets:
        shutil.rmtree(folder, ignore_errors=True)
        if octets:
            request.say("what was downloaded is deleted: it can never be used")
    else:
        request.say(
            f"what was downloaded so far is kept in {folder} for the next try; delete that folder "
            "when there will be none"
        )


def _clear(store: ModelStore, name: str) -> None:
    """Undo what a killed process left behind."""
    for path in store.root.glob(f".replaced-{name}-*"):
        if not (store.root / name).exists():
            path.rename(store.root / name)
    for kind in ("staging", "replaced", "removed"):
        for path in store.root.glob(f".{kind}-{name}-*"):
            # vosk-nl must not clear away what belongs to vosk-nl-large.
            if "-" not in path.name.removeprefix(f".{kind}-{name}-"):
                shutil.rmtree(path, ignore_errors=True)


def _require(entry: ModelEntry, model: Path) -> None:
    for name in entry.requires:
        if not (model / name).is_file():
            raise ModelRefusedError(
                entry.name, f"holds no {name}: this is not {entry.title}", "check what you gave"
            )


def _record(entry: ModelEntry, sources: Sources, loaded: str) -> ModelRecord:
    model = sources.model
    return ModelRecord(
        name=entry.name,
        title=entry.title,
        engine=entry.engine,
        language=entry.language,
        version=entry.version,
        licence=entry.licence,
        licence_url=entry.licence_url,
        non_commercial=entry.non_commercial,
        trust=sources.trust,
        load_check=loaded,
        installed_at=datetime.now(UTC).isoformat(timespec="seconds"),
        sources=tuple(sources.recorded),
        files=tuple(
            RecordedFile(path.relative_to(model).as_posix(), path.stat().st_size, file_sha256(path))
            for path in sorted(_files(model))
        ),
    )


def _place(store: ModelStore, name: str, model: Path) -> None:
    target = store.root / name
    if target.exists():
        # Two renames: between them the model is absent, and _clear puts the old one back.
        replaced = Path(tempfile.mkdtemp(prefix=f".replaced-{name}-", dir=store.root))
        target.rename(replaced)
        model.rename(target)
        shutil.rmtree(replaced, ignore_errors=True)
    else:
        model.rename(target)
    _sync_folder(store.root)


def own_entry(name: str, engine: str, licence: str) -> ModelEntry:
    """Return the entry of a model that no manifest knows."""
    return ModelEntry(
        name=name, title=name, engine=engine, language="nl", version="", licence=licence
    )


def _unusable(path: Path, error: OSError) -> ModelInstallError:
    return ModelInstallError(
        str(path),
        f"cannot be used ({error.strerror})",
        "make room, or name a folder that this user may use, with --models or --home",
    )


def _files(folder: Path) -> Iterable[Path]:
    return (path for path in folder.rglob("*") if path.is_file())


def _sync(folder: Path) -> None:
    """Have the disk hold every file before the rename says that they are there."""
    for path in (*_files(folder), *(p for p in (folder, *folder.rglob("*")) if p.is_dir())):
        _sync_folder(path)


def _sync_folder(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
