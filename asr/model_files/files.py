"""Model folders: where the embedded one is, and whether a folder is whole."""

from __future__ import annotations

import hashlib
from pathlib import Path

from asr.errors import ModelDamagedError, ModelMissingError
from asr.model_files.record import check_files, read_record

CHECKSUMS_FILE = "checksums.sha256"
CARD_FILE = "README.md"
EMBEDDED_MODEL = "asr-nl-8k"
_RESTORE = "restore the folder from the release, or name another model"


def embedded_model_dir() -> Path:
    """Return the folder of the model that Wegwijs carries.

    Raises:
        ModelMissingError: It is neither in the checkout nor in the installed wheel.
    """
    return _carried(
        EMBEDDED_MODEL, "reinstall Wegwijs, or make it with: python -m asr.training all"
    )


def embedded_manifest() -> Path:
    """Return the list of models that can be installed.

    Raises:
        ModelMissingError: It is neither in the checkout nor in the installed wheel.
    """
    return _carried("manifest.toml", "reinstall Wegwijs")


def _carried(name: str, remedy: str) -> Path:
    root = Path(__file__).resolve().parents[2]
    beside = root / "models" / name
    in_wheel = root / "ivr" / "embedded" / "models" / name
    for path in (beside, in_wheel):
        if path.exists():
            return path
    raise ModelMissingError(beside, remedy)


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file, in lower-case hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def write_checksums(folder: Path) -> Path:
    """Write ``checksums.sha256`` in ``sha256sum`` form.

    The card is left out: a corrected sentence in it is no damage to the model.
    """
    target = folder / CHECKSUMS_FILE
    names = sorted(
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_file() and path not in (target, folder / CARD_FILE)
    )
    target.write_text(
        "".join(f"{file_sha256(folder / name)}  {name}\n" for name in names), encoding="utf-8"
    )
    return target


def verify_model(folder: Path, required: tuple[str, ...]) -> str:
    """Check a model folder against its own checksums.

    Of a folder that has none but was installed by us, the sizes are checked: hashing gigabytes at
    every start would keep callers waiting. ``wegwijs models verify`` hashes.

    Args:
        folder: The model folder.
        required: Files, relative, at least one of which must exist in any such model.

    Returns:
        A short checksum that names this model: 8 hexadecimal digits.

    Raises:
        ModelMissingError: There is no folder, or none of the required files.
        ModelDamagedError: A listed file is absent or differs.
    """
    if not folder.is_dir():
        raise ModelMissingError(
            folder, "check the path; where none is named, the embedded model is used"
        )
    if not any((folder / name).is_file() for name in required):
        raise ModelMissingError(
            folder / required[0], "the folder holds no model of this engine; name another folder"
        )
    listing = folder / CHECKSUMS_FILE
    if not listing.is_file():
        record = read_record(folder)
        if record is not None:
            check_files(folder, record)
            return record.checksum
        sizes = sorted(
            f"{path.relative_to(folder).as_posix()}:{path.stat().st_size}"
            for path in folder.rglob("*")
            if path.is_file()
        )
        return hashlib.sha256("\n".join(sizes).encode()).hexdigest()[:8]
    listed = listing.read_text(encoding="utf-8", errors="replace")
    for number, line in enumerate(listed.splitlines(), 1):
        expected, _, name = line.partition("  ")
        if len(expected) != 64 or not name or ".." in Path(name).parts or Path(name).is_absolute():
            raise ModelDamagedError(listing, f"line {number} is not 'sha256  file'", _RESTORE)
        path = folder / name
        if not path.is_file():
            raise ModelDamagedError(path, "the file is missing", _RESTORE)
        if file_sha256(path) != expected:
            raise ModelDamagedError(path, "the file differs from its checksum", _RESTORE)
    return hashlib.sha256(listed.encode()).hexdigest()[:8]
