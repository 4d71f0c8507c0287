"""``wegwijs models install``, ``verify`` and ``remove``: speech models on this machine."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from asr.engines import ENGINES
from asr.errors import AsrError, ModelInstallError
from asr.model_files.files import EMBEDDED_MODEL, embedded_model_dir, verify_model
from asr.models.download import shown
from asr.models.install import check_licence, install, own_entry
from asr.models.manifest import ModelEntry, check_name, check_sha256
from asr.models.sources import Request
from asr.models.store import ModelStore
from ivr.commands.model_commands import ModelCommandError, known_models
from ivr.commands.model_progress import DownloadProgress


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


def models_install(name: str, models: Path, options: InstallOptions) -> int:
    """Install a speech model and say how to use it.

    Args:
        name: Of the model.
        models: Folder of installed models.
        options: What the command was told.

    Returns:
        The exit code, 0.

    Raises:
        ModelCommandError: It cannot be installed; the message says why and what to do.
    """
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
    """Hash speech models' files; of all that are here when none is named.

    Returns:
        The exit code: 1 when one of them is damaged, which is printed.
    """
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
    """Delete an installed speech model; returns the exit code, 0.

    Raises:
        ModelCommandError: It is not there, or cannot be deleted.
    """
    try:
        ModelStore(models).remove(name)
    except AsrError as error:
        raise ModelCommandError(str(error)) from None
    print(f"removed: {name}")
    return 0


def _entry(name: str, options: InstallOptions) -> ModelEntry:
    """Return what to install: from a manifest, or as the options describe it."""
    manifest = known_models(options.manifest)
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
