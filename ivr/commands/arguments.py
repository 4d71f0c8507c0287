"""Arguments that several commands have."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

Command = Callable[[argparse.Namespace], int]
Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"
"""What :meth:`argparse.ArgumentParser.add_subparsers` returns; it cannot be subscripted."""


def add_command(
    commands: Commands,
    name: str,
    run: Command | None,
    text: str,
) -> argparse.ArgumentParser:
    """Add a command.

    Args:
        commands: Of the parser that it belongs to.
        name: The word.
        run: Carries it out, and returns the exit code.
        text: Its help, in small letters and without a full stop.
    """
    parser = commands.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
    parser.set_defaults(run=run)
    return parser


def add_catalogue(parser: argparse.ArgumentParser) -> None:
    """Add ``--catalogue``."""
    parser.add_argument(
        "--catalogue",
        type=Path,
        metavar="DIR",
        help="folder with catalogue.toml and products/, as [catalogue] names it; "
        "default: the embedded one",
    )


def add_home(parser: argparse.ArgumentParser, *, inherits: bool = False) -> None:
    """Add ``--home``; a parser that ``inherits`` leaves what stands before it."""
    default = Path(os.environ.get("WEGWIJS_HOME", "var"))
    parser.add_argument(
        "--home",
        type=Path,
        default=argparse.SUPPRESS if inherits else default,
        metavar="DIR",
        help="folder for all state (default: WEGWIJS_HOME, else ./var)",
    )


def add_models_folder(parser: argparse.ArgumentParser, *, inherits: bool = False) -> None:
    """Add ``--home`` and ``--models``, as :func:`add_home` does."""
    add_home(parser, inherits=inherits)
    folder = os.environ.get("WEGWIJS_MODELS")
    default = None if folder is None else Path(folder)
    parser.add_argument(
        "--models",
        type=Path,
        default=argparse.SUPPRESS if inherits else default,
        metavar="DIR",
        help="folder of installed speech models (default: WEGWIJS_MODELS, else HOME/models/asr)",
    )


def models_folder(options: argparse.Namespace) -> Path:
    """The folder of installed speech models, from :func:`add_models_folder`."""
    from ivr.files.home import Home

    folder: Path | None = options.models
    return folder if folder is not None else Home(options.home).recognisers
