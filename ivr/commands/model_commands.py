"""``wegwijs models``: versions of the classifier, and models for speech recognition."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from asr.engines import DEFAULT_ENGINE, ENGINES
from asr.errors import AsrError, ModelInstallError
from asr.models.download import shown
from asr.models.files import EMBEDDED_MODEL, embedded_model_dir, verify_model
from asr.models.install import check_licence, install, own_entry
from asr.models.manifest import Manifest, ModelEntry, check_name, check_sha256, load_manifest
from asr.models.sources import Request
from asr.models.store import InstalledModel, ModelStore
from intent.errors import IntentError
from ivr.commands.model_progress import DownloadProgress
from ivr.errors import WegwijsError
from ivr.files.home import Home
from ivr.learning.catalogue_gaps import after_change
from ivr.learning.model_versions import model_registry

if TYPE_CHECKING:
    from intent.registry import Registry


class ModelCommandError(WegwijsError):
    """A model or an argument of ``wegwijs models`` cannot be used."""

    code = "model_command"


@dataclass(frozen=True, slots=True, kw_only=True)
class InstallOptions:
    """What ``wegwijs models install`` was told; see its help."""

    source: Path | None
    manifest: Path | None
    mirror: str | None
    sha256: str | None
    trust_first: bool
    accept_licence: str | None
    engine: str | None
    licence: str | None
    force: bool


# Both kinds of models.


def models_list(home: Path, models: Path, manifest: Path | None, *, json_output: bool) -> int:
    """Print every version of the classifier, and every speech model there is or could be."""
    try:
        versions = list(_classifiers(home))
        speech = list(_speech_models(ModelStore(models), _manifest(manifest)))
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
    """Print the card of a version of the classifier, or all that is known of a speech model."""
    try:
        store, known = ModelStore(models), _manifest(manifest)
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
    """Make a version the one in use; a running phone takes it with the next turn."""
    Home(home).create()
    return _on_registry(home, lambda registry: _in_use(registry, registry.promote(version)))


def models_rollback(home: Path) -> int:
    """Return to the version of before."""
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


def _manifest(own: Path | None) -> Manifest:
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


def models_install(name: str, models: Path, options: InstallOptions) -> int:
    """Install a speech model and say how to use it."""
    store = ModelStore(models)
    try:
        entry = _entry(name, options)
        with DownloadProgress() as progress:
            try:
                _announce(entry, progress)
                if store.find(entry.name) is None or options.force:
                    check_licence(entry, options.accept_licence, _asker())
                model = install(store, entry, _request(options, progress))
            except KeyboardInterrupt:
                kept = store.downloads(entry.name)
                if kept.is_dir():
                    progress.say(f"what was downloaded so far is kept in {kept}")
                progress.say(f"go on with: {_again(name, models, options)}")
                raise
    except AsrError as error:
        raise ModelCommandError(str(error)) from None
    record = model.record
    assert record is not None
    print(f"{model.name} in {model.directory}")
    if record.load_check != "loaded":
        print(f"not tried out: {record.load_check}")
    print(
        f"use it with: wegwijs transcribe --model {model.name} FILE, "
        f'or in the configuration: [recognition] engine = "{record.engine}", '
        f'model = "{model.name}"'
    )
    return 0


def _again(name: str, models: Path, options: InstallOptions) -> str:
    """Return the command that goes on with an installation, with all that it was told.

    The user and password of a mirror are left out: a terminal's text ends up in logs.
    """
    told: dict[str, object] = {
        "--manifest": options.manifest,
        "--from": options.source,
        "--mirror": None if options.mirror is None else shown(options.mirror),
        "--sha256": options.sha256,
        "--accept-licence": options.accept_licence,
        "--engine": options.engine,
        "--licence": options.licence,
        "--models": models,
    }
    words = [str(word) for pair in told.items() if pair[1] is not None for word in pair]
    switches = {"--trust-first-download": options.trust_first, "--force": options.force}
    words += [switch for switch, is_on in switches.items() if is_on]
    return shlex.join(["wegwijs", "models", "install", name, *words])


def models_verify(names: list[str], models: Path) -> int:
    """Hash speech models' files; of all that are here when none is named."""
    store = ModelStore(models)
    wanted = names or [EMBEDDED_MODEL, *(model.name for model in store.installed())]
    bad = 0
    for name in wanted:
        try:
            if name == EMBEDDED_MODEL:
                verify_model(embedded_model_dir(), ("am/final.mdl",))
            else:
                store.verify(name)
        except AsrError as error:
            bad += 1
            print(f"wegwijs: {error}", file=sys.stderr)
        else:
            print(f"{name}: whole")
    return 1 if bad else 0


def models_remove(name: str, models: Path) -> int:
    """Delete an installed speech model."""
    try:
        ModelStore(models).remove(name)
    except AsrError as error:
        raise ModelCommandError(str(error)) from None
    print(f"removed: {name}")
    return 0


def _entry(name: str, options: InstallOptions) -> ModelEntry:
    """Return what to install: from a manifest, or as the options describe it."""
    manifest = _manifest(options.manifest)
    entry = manifest.find(name)
    if entry is not None:
        if options.engine not in (None, entry.engine) or options.licence is not None:
            raise ModelInstallError(
                name,
                f"is in the manifest, with engine {entry.engine} and licence {entry.licence}",
                "leave out --engine and --licence, or give your model a name of its own",
            )
    elif options.source is None:
        raise ModelInstallError(name, "is not in the manifest", manifest.hint(name))
    elif name == EMBEDDED_MODEL:
        raise ModelInstallError(
            name, "is the name of the embedded model", "give your model a name of its own"
        )
    elif not check_name(name):
        raise ModelInstallError(
            name, "cannot be a model's name", "use small letters, digits, '-', '_' and '.'"
        )
    elif options.engine is None or options.licence is None:
        raise ModelInstallError(
            name,
            "is not in the manifest",
            "say with --engine which engine reads it, and with --licence under which terms; or "
            + manifest.hint(name),
        )
    else:
        entry = own_entry(name, options.engine, options.licence)
    if entry.engine not in ENGINES:
        raise ModelInstallError(
            name, f"there is no engine {entry.engine}", f"choose one of: {', '.join(ENGINES)}"
        )
    return entry


def _request(options: InstallOptions, progress: DownloadProgress) -> Request:
    sha256 = None
    if options.sha256 is not None:
        sha256 = check_sha256(options.sha256)
        if sha256 is None:
            raise ModelInstallError(
                f"--sha256 {options.sha256}", "is not a SHA-256", "give 64 hexadecimal digits"
            )
    return Request(
        source=options.source,
        mirror=options.mirror,
        sha256=sha256,
        trust_first=options.trust_first,
        force=options.force,
        progress=progress.update,
        say=progress.say,
    )


def _announce(entry: ModelEntry, progress: DownloadProgress) -> None:
    size = f", {entry.size_octets / 1e6:.0f} MB" if entry.size_octets else ""
    progress.say(f"{entry.title}{size}, language: {entry.language}")
    terms = " (not for commercial use)" if entry.non_commercial else ""
    progress.say(f"licence: {entry.licence}{terms} {entry.licence_url}".rstrip())
    if entry.about:
        progress.say(entry.about)


def _asker() -> Callable[[str], str] | None:
    """Return how to put a question to a person, None when nobody is there."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return None

    def ask(question: str) -> str:
        print(question, end="", file=sys.stderr, flush=True)
        return sys.stdin.readline()

    return ask
