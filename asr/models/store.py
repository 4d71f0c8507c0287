"""The folder of installed models: what is in it, whether it is whole, and which one is meant.

::

    ROOT/
    ├── NAME/                 a whole model, with its record; it appears at once or not at all
    ├── .downloads/NAME/      parts of downloads that were interrupted
    ├── .locks/NAME           held while NAME is installed or removed
    ├── .staging-NAME-*/      what is being unpacked
    ├── .replaced-NAME-*/     what --force is replacing; put back when that was interrupted
    └── .removed-NAME-*/      what is being deleted
"""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from asr.errors import AsrError, ModelDamagedError, ModelInstallError, ModelMissingError
from asr.model_files.files import EMBEDDED_MODEL, embedded_model_dir, file_sha256
from asr.model_files.record import RECORD_FILE, ModelRecord, check_files, read_record
from asr.models.manifest import check_name, load_manifest


@dataclass(frozen=True, slots=True)
class InstalledModel:
    """A model in the store.

    Attributes:
        name: Its folder's name.
        directory: What to give to the engine.
        record: Where it came from; None when the record is damaged.
        problem: Why it cannot be used; empty when it can.
    """

    name: str
    directory: Path
    record: ModelRecord | None
    problem: str = ""


@dataclass(frozen=True, slots=True)
class ResolvedModel:
    """What a setting or option that names a model means.

    Attributes:
        directory: The model's folder; None for the embedded model.
        engine: The engine that the record names; None when there is no record.
    """

    directory: Path | None
    engine: str | None


def _told(error: ModelDamagedError, folder: Path) -> str:
    """Return which file of a model has what; the folder is told by whoever shows it."""
    return f"{error.path.relative_to(folder)}: {error.reason}"


class ModelStore:
    """Installed models below one folder.

    Args:
        root: The folder; made when the first model is installed.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def installed(self) -> tuple[InstalledModel, ...]:
        """Return every model, by name; those that cannot be used with the reason."""
        try:
            names = sorted(entry.name for entry in self.root.iterdir() if check_name(entry.name))
        except OSError:
            return ()
        found = (self.find(name) for name in names)
        return tuple(model for model in found if model is not None)

    def find(self, name: str) -> InstalledModel | None:
        """Return a model, whether it can be used or not; None when there is none of this name."""
        folder = self.root / name
        if not check_name(name) or not folder.is_dir():
            return None
        try:
            record = read_record(folder)
            if record is None:
                raise ModelDamagedError(
                    folder / RECORD_FILE, "the record is missing", f"remove or install {name} again"
                )
        except ModelDamagedError as error:
            return InstalledModel(name, folder, None, _told(error, folder))
        try:
            check_files(folder, record)
        except ModelDamagedError as error:
            return InstalledModel(name, folder, record, _told(error, folder))
        return InstalledModel(name, folder, record)

    def get(self, name: str) -> InstalledModel:
        """Return a model that can be used.

        Raises:
            ModelMissingError: None of this name is installed.
            ModelDamagedError: A file is missing or of another size.
        """
        model = self.find(name)
        if model is None:
            known = ", ".join(model.name for model in self.installed()) or "none"
            raise ModelMissingError(
                self.root / name,
                f"installed are: {known}; wegwijs models install NAME adds one",
            )
        if model.record is None or model.problem:
            raise ModelDamagedError(
                model.directory,
                model.problem,
                f"install it again from where it came: wegwijs models install {name} --force",
            )
        return model

    def verify(self, name: str) -> ModelRecord:
        """Hash every file of a model.

        Raises:
            ModelMissingError: None of this name is installed.
            ModelDamagedError: A file is missing, differs, or was added.
        """
        model = self.get(name)
        assert model.record is not None
        remedy = f"run: wegwijs models install {name} --force"
        for file in model.record.files:
            path = model.directory / file.name
            if file_sha256(path) != file.sha256:
                raise ModelDamagedError(path, "the file differs from its record", remedy)
        recorded = {file.name for file in model.record.files} | {RECORD_FILE}
        for path in sorted(model.directory.rglob("*")):
            if not path.is_dir() and path.relative_to(model.directory).as_posix() not in recorded:
                raise ModelDamagedError(path, "the file is not in the record", remedy)
        return model.record

    def remove(self, name: str) -> None:
        """Delete a model and what was downloaded of it.

        Raises:
            ModelMissingError: There is nothing of this name.
            ModelInstallError: It is being installed, or cannot be deleted.
        """
        if self.find(name) is None and not (check_name(name) and self.downloads(name).is_dir()):
            self.get(name)
        with self.lock(name):
            try:
                if (self.root / name).is_dir():
                    # Out of sight first: half a model must never be found.
                    doomed = self.root / f".removed-{name}-{os.getpid()}"
                    (self.root / name).rename(doomed)
                    shutil.rmtree(doomed)
                if self.downloads(name).is_dir():
                    shutil.rmtree(self.downloads(name))
            except OSError as error:
                raise ModelInstallError(
                    str(self.root / name),
                    f"cannot be deleted ({error.strerror})",
                    "delete the folder as a user who may",
                ) from None

    def downloads(self, name: str) -> Path:
        """Folder of interrupted downloads of a model."""
        return self.root / ".downloads" / name

    @contextmanager
    def lock(self, name: str) -> Iterator[None]:
        """Keep other processes from installing or removing this model; freed by a dying process.

        Raises:
            ModelInstallError: Another process is at it, or the folder cannot be written.
        """
        path = self.root / ".locks" / name
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise ModelInstallError(
                str(self.root),
                f"cannot be written ({error.strerror})",
                "name a folder that this user may write, with --models or --home",
            ) from None
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise ModelInstallError(
                    name,
                    "is being installed or removed by another process",
                    "wait until that is done",
                ) from None
            yield
        finally:
            os.close(descriptor)


def resolve_model(model: str | Path | None, root: Path) -> ResolvedModel:
    """Find what a setting or option means: an installed model's name, or a folder.

    A name wins over a folder of that name; write ``./NAME`` for the folder.

    Args:
        model: What was given; None for the embedded model.
        root: Folder of installed models.

    Raises:
        ModelMissingError: It is neither.
        ModelDamagedError: It is an installed model with a file missing or of another size.
    """
    if model is None:
        return ResolvedModel(None, None)
    text = str(model)
    store = ModelStore(root)
    # pathlib drops the "./" that a user may have written, but never of a text.
    if check_name(text.casefold()) and "/" not in text:
        name = text.casefold()
        entry = None if (root / name).is_dir() else load_manifest().find(name)
        name = name if entry is None else entry.name
        if name == EMBEDDED_MODEL:
            return ResolvedModel(embedded_model_dir(), None)
        if (root / name).is_dir() or not Path(text).is_dir():
            found = store.get(name)
            return ResolvedModel(found.directory, found.record.engine if found.record else None)
    folder = Path(model)
    if not folder.is_dir():
        raise ModelMissingError(folder, "name an installed model or a model's folder")
    try:
        record = read_record(folder)
    except AsrError:
        record = None
    return ResolvedModel(folder, record.engine if record else None)
