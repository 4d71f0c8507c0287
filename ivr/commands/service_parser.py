"""Arguments of ``serve``, ``phone`` and ``check``: what a configuration is given to."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from ivr.commands.arguments import Commands, add_command, add_home


def add_service_commands(commands: Commands) -> None:
    """Add them."""
    for name, run, text in (
        ("serve", _serve, "run the service, supervised: a process that dies is started again"),
        ("phone", _phone, "run the phone process alone"),
    ):
        service = add_command(commands, name, run, text)
        service.add_argument("--config", type=Path, required=True, metavar="FILE")
        add_home(service)

    check = add_command(
        commands, "check", _check, "find every mistake in a configuration, each with its remedy"
    )
    check.add_argument(
        "--config", type=Path, metavar="FILE", help="default: the example that Wegwijs carries"
    )
    add_home(check)


def _serve(options: argparse.Namespace) -> int:
    from ivr.service.supervisor import serve

    return serve(options.config, options.home)


def _phone(options: argparse.Namespace) -> int:
    # Before numpy is loaded: its threads would spin beside the audio core's 20 ms ticks.
    for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
        os.environ.setdefault(name, "1")
    from ivr.service.supervisor import phone_process

    return phone_process(options.config, options.home)


def _check(options: argparse.Namespace) -> int:
    from ivr.commands.check import run_check

    return run_check(options.config, options.home)
