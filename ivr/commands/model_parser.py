"""Arguments of ``models`` and its actions."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from ivr.commands.arguments import (
    Commands,
    add_command,
    add_home,
    add_models_folder,
    models_folder,
)


def add_model_commands(commands: Commands) -> None:
    """Add them."""
    models = add_command(
        commands, "models", _models_list, "models: of the classifier, and for speech"
    )
    models.add_argument("--json", action="store_true", help="one JSON object a line")
    _add_manifest(models)
    add_models_folder(models)
    # An action's options are those of "models" unless given again: both may stand before it.
    actions = models.add_subparsers(title="actions", metavar="ACTION")

    listed = add_command(
        actions, "list", _models_list, "every model: embedded, installed, available"
    )
    listed.add_argument(
        "--json", action="store_true", default=argparse.SUPPRESS, help="one JSON object a line"
    )
    shown = add_command(actions, "show", _models_show, "all that is known of a version or a model")
    shown.add_argument("version", metavar="NAME")
    for parser in (listed, shown):
        _add_manifest(parser, argparse.SUPPRESS)
        add_models_folder(parser, inherits=True)

    promoted = add_command(
        actions, "promote", _models_promote, "use this version of the classifier from the next turn"
    )
    promoted.add_argument("version", metavar="V")
    add_home(promoted, inherits=True)
    add_home(
        add_command(actions, "rollback", _models_rollback, "use the version of before"),
        inherits=True,
    )

    installed = add_command(actions, "install", _models_install, "install a speech model")
    installed.add_argument("name", metavar="NAME", help="see wegwijs models list")
    installed.add_argument(
        "--from", dest="source", type=Path, metavar="PATH",
        help="take it from this archive or folder instead of downloading it",
    )  # fmt: skip
    installed.add_argument(
        "--mirror", metavar="URL", default=os.environ.get("WEGWIJS_MODELS_MIRROR"),
        help="download URL/NAME/FILE instead (default: WEGWIJS_MODELS_MIRROR)",
    )  # fmt: skip
    installed.add_argument(
        "--accept-licence", metavar="LICENCE", help="confirm a licence without being asked"
    )
    installed.add_argument(
        "--sha256", metavar="HEX", help="of the archive, verified by you, where none is published"
    )
    installed.add_argument(
        "--trust-first-download", action="store_true",
        help="take what comes where no SHA-256 is published, and record it",
    )  # fmt: skip
    installed.add_argument("--engine", help="of a model that no manifest knows")
    installed.add_argument("--licence", help="of a model that no manifest knows")
    installed.add_argument("--force", action="store_true", help="replace what is installed")
    _add_manifest(installed, argparse.SUPPRESS)
    add_models_folder(installed, inherits=True)

    verified = add_command(actions, "verify", _models_verify, "hash the files of speech models")
    verified.add_argument("names", nargs="*", metavar="NAME", help="default: all")
    add_models_folder(verified, inherits=True)
    removed = add_command(actions, "remove", _models_remove, "delete an installed speech model")
    removed.add_argument("name", metavar="NAME")
    add_models_folder(removed, inherits=True)


def _add_manifest(parser: argparse.ArgumentParser, default: str | None = None) -> None:
    parser.add_argument(
        "--manifest",
        type=Path,
        default=default,
        metavar="FILE",
        help="further models, in the form of models/manifest.toml",
    )


def _models_list(options: argparse.Namespace) -> int:
    from ivr.commands.model_commands import models_list

    return models_list(
        options.home, models_folder(options), options.manifest, json_output=options.json
    )


def _models_show(options: argparse.Namespace) -> int:
    from ivr.commands.model_commands import models_show

    return models_show(options.version, options.home, models_folder(options), options.manifest)


def _models_promote(options: argparse.Namespace) -> int:
    from ivr.commands.model_commands import models_promote

    return models_promote(options.version, options.home)


def _models_rollback(options: argparse.Namespace) -> int:
    from ivr.commands.model_commands import models_rollback

    return models_rollback(options.home)


def _models_install(options: argparse.Namespace) -> int:
    from ivr.commands.install_command import InstallOptions, models_install

    return models_install(
        options.name,
        models_folder(options),
        InstallOptions(
            source=options.source,
            manifest=options.manifest,
            mirror=options.mirror,
            sha256=options.sha256,
            trust_first=options.trust_first_download,
            accept_licence=options.accept_licence,
            engine=options.engine,
            licence=options.licence,
            force=options.force,
        ),
    )


def _models_verify(options: argparse.Namespace) -> int:
    from ivr.commands.install_command import models_verify

    return models_verify(options.names, models_folder(options))


def _models_remove(options: argparse.Namespace) -> int:
    from ivr.commands.install_command import models_remove

    return models_remove(options.name, models_folder(options))
