"""``wegwijs models``: versions of the classifier, and models for speech recognition."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from asr.engines import DEFAULT_ENGINE
from asr.errors import AsrError
from asr.model_files.files import EMBEDDED_MODEL, embedded_model_dir
from asr.models.manifest import Manifest, load_manifest
from asr.models.store import InstalledModel, ModelStore
from intent.errors import IntentError
from ivr.errors import WegwijsError
from ivr.files.home import Home
from ivr.learning.catalogue_gaps import after_change
from ivr.learning.model_versions import model_registry

if TYPE_CHECKING:
    from intent.registry import Registry


class ModelCommandError(WegwijsError):
    """A model or an argument of ``wegwijs models`` cannot be used."""

    code = "model_command"


# Both kinds of models.


def models_list(home: Path, models: Path, manifest: Path | None, *, json_output: bool) -> int:
    """Print every version of the classifier, and every speech model there is or could be.

    Args:
        home: Has the classifier's versions.
        models: Folder of installed speech models.
        manifest: Further models.
        json_output: One JSON object a line.

    Returns:
        The exit code, 0.

    Raises:
        ModelCommandError: A version, a model or the manifest cannot be read.
    """
    try:
        versions = list(_classifiers(home))
        speech = list(_speech_models(ModelStore(models), known_models(manifest)))
    except (IntentError, AsrError) as error:
        raise ModelCommandError(str(error)) from None
    if json_output:
        for row in (*versions, *speech):
            print(json.dumps(row, ensure_ascii=False))
        return 0
    print("classifier:")
    for row in versions:
        top1 = "    ?" if row["top1"] is None else f"{row['top1']:5.1%}"
        marks = [
            words
            for key, words in (("current", "in use"), ("embedded", "embedded"), ("damaged",) * 2)
            if row[key]
        ]
        print(
            f"  {row['version']}  {top1} of held-out questions right  {', '.join(marks)}".rstrip()
        )
    print("\nspeech recognition:")
    for row in speech:
        print(f"  {_line(row)}")
    print("\ninstall one with: wegwijs models install NAME")
    return 0


def models_show(name: str, home: Path, models: Path, manifest: Path | None) -> int:
    """Print the card of a version of the classifier, or all that is known of a speech model.

    Args:
        name: Of the version or the model.
        home: Has the classifier's versions.
        models: Folder of installed speech models.
        manifest: Further models.

    Returns:
        The exit code, 0.

    Raises:
        ModelCommandError: Nothing has this name, or it cannot be read.
    """
    try:
        store, known = ModelStore(models), known_models(manifest)
        entry, found = known.find(name), store.find(name)
        if entry is not None and found is None:
            found = store.find(entry.name)
    except AsrError as error:
        raise ModelCommandError(str(error)) from None
    if entry is None and found is None and name != EMBEDDED_MODEL:
        return _on_registry(
            home, lambda registry: json.dumps(registry.show(name), indent=2, ensure_ascii=False)
        )
    shown: dict[str, Any] = {}
    if name == EMBEDDED_MODEL:
        shown["embedded"] = next(_speech_models(store, known))
    if entry is not None:
        shown["available"] = asdict(entry)
    if found is not None:
        shown["installed"] = {
            "directory": str(found.directory),
            "problem": found.problem,
            "record": None if found.record is None else asdict(found.record),
        }
    print(json.dumps(shown, indent=2, ensure_ascii=False))
    return 0


# The classifier.


def _classifiers(home: Path) -> Iterator[dict[str, Any]]:
    for version in _registry(home).versions():
        fields = ("version", "current", "embedded", "top1", "damaged")
        yield {"kind": "classifier", **{name: getattr(version, name) for name in fields}}


def _registry(home: Path) -> Registry:
    return model_registry(Home(home))


def models_promote(version: str, home: Path) -> int:
    """Make a version the one in use; a running phone takes it with the next turn.

    Raises:
        ModelCommandError: There is no such version, or it is damaged.
        ConfigError: The home folder cannot be used.
    """
    Home(home).create()
    return _on_registry(home, lambda registry: _in_use(registry, registry.promote(version)))


def models_rollback(home: Path) -> int:
    """Return to the version that was in use before.

    Raises:
        ModelCommandError: There is none.
    """
    return _on_registry(home, lambda registry: _in_use(registry, registry.rollback()))


def _in_use(registry: Registry, directory: Path) -> str:
    for warning in after_change(directory):
        print(f"wegwijs: {warning}", file=sys.stderr)
    known = next((v for v in registry.versions() if v.current), None)
    if known is None:
        return f"in use: {directory.name}"
    return f"in use: {known.version}{' (embedded)' if known.embedded else ''}"


def _on_registry(home: Path, work: Callable[[Registry], str]) -> int:
    try:
        done = work(_registry(home))
    except (IntentError, OSError) as error:
        raise ModelCommandError(str(error)) from None
    # Not above: a reader who has had enough is no mistake of the model.
    print(done)
    return 0


# Speech recognition.


def known_models(own: Path | None) -> Manifest:
    """The models of our manifest, and those of the file ``own``, which win.

    Raises:
        AsrError: A manifest cannot be used.
    """
    return load_manifest(*(() if own is None else (own,)))


def _speech_models(store: ModelStore, manifest: Manifest) -> Iterator[dict[str, Any]]:
    embedded = embedded_model_dir()
    size = sum(path.stat().st_size for path in embedded.rglob("*") if path.is_file())
    yield _row(
        EMBEDDED_MODEL, "embedded",
        title="The model that Wegwijs carries", engine=DEFAULT_ENGINE, language="nl",
        licence="EUPL-1.2", size_octets=size, trust="checksums", load_check="", directory=embedded,
    )  # fmt: skip
    installed = {model.name: model for model in store.installed()}
    for model in installed.values():
        yield _installed_row(model)
    for entry in manifest.entries:
        if entry.name not in installed:
            yield _row(
                entry.name, "available", version=entry.version,
                title=entry.title, engine=entry.engine, language=entry.language,
                licence=entry.licence, non_commercial=entry.non_commercial,
                size_octets=entry.size_octets, trust="published" if entry.is_pinned else "",
            )  # fmt: skip


def _row(name: str, status: str, *, directory: Path | None = None, **fields: Any) -> dict[str, Any]:
    """Return a line of ``list --json``; what every line of both kinds has comes first."""
    return {
        "kind": "speech",
        "version": fields.pop("version", ""),
        "current": None,
        "embedded": status == "embedded",
        "top1": None,
        "damaged": bool(fields.get("problem")),
        "name": name,
        "status": status,
        "directory": None if directory is None else str(directory),
        "non_commercial": False,
        "problem": "",
        **fields,
    }


def _installed_row(model: InstalledModel) -> dict[str, Any]:
    record = model.record
    known: dict[str, Any] = {}
    if record is not None:
        known = {
            "version": record.version,
            "title": record.title,
            "engine": record.engine,
            "language": record.language,
            "licence": record.licence,
            "non_commercial": record.non_commercial,
            "size_octets": record.size_octets,
            "trust": record.trust.value,
            "load_check": record.load_check,
        }
    return _row(model.name, "installed", directory=model.directory, problem=model.problem, **known)


_TRUST_WORDS = {
    ("embedded", "checksums"): "checked at every start",
    ("installed", "published"): "verified by its published SHA-256",
    ("installed", "given"): "verified by your SHA-256",
    ("installed", "first-download"): "never compared with a published SHA-256",
    ("available", ""): "no SHA-256 published",
}


def _line(row: dict[str, Any]) -> str:
    size = row.get("size_octets")
    shown = f"{size / 1e6:.0f} MB" if size else "?"
    notes = [
        "NOT FOR COMMERCIAL USE" if row["non_commercial"] else "",
        _TRUST_WORDS.get((row["status"], row.get("trust", "")), ""),
        f"DAMAGED: {row['problem']}" if row["problem"] else "",
        row.get("load_check", "") if row.get("load_check") not in ("loaded", None) else "",
    ]
    known = " ".join(
        f"{row.get(key, '?'):<{width}}"
        for key, width in (("engine", 8), ("language", 13), ("licence", 13))
    )
    words = f"{row['name']:<24} {row['status']:<10} {shown:>8}  {known}"
    return f"{words} {'; '.join(note for note in notes if note)}".rstrip()
