"""Arguments of ``demo`` and ``call``: one call from outside, shown as a timeline."""

from __future__ import annotations

import argparse
from pathlib import Path

from ivr.commands.arguments import Commands, add_command

# Every command imports what it needs itself: `wegwijs classify` must not wait for pjsua2.


def add_call_commands(commands: Commands) -> None:
    """Add them."""
    demo = add_command(commands, "demo", _demo, "one real SIP call against the embedded defaults")
    _add_speech(demo)
    demo.add_argument("--json", action="store_true", help="one JSON object")
    demo.add_argument("--svg", type=Path, metavar="FILE", help="write the timeline as a picture")

    call = add_command(commands, "call", _call, "place a test call to a running service")
    call.add_argument("uri", metavar="sip:URI")
    _add_speech(call)
    call.add_argument("--json", action="store_true", help="one JSON object")


def _add_speech(parser: argparse.ArgumentParser) -> None:
    spoken = parser.add_mutually_exclusive_group()
    spoken.add_argument("--say", metavar="TEXT", help="what the caller says, spoken by espeak-ng")
    spoken.add_argument("--audio", type=Path, metavar="FILE", help="what the caller says, recorded")
    parser.add_argument("--digits", metavar="D", help="keys pressed in the keuzemenu")


def _demo(options: argparse.Namespace) -> int:
    from ivr.demo.demo import run_demo

    return run_demo(
        say=options.say,
        audio=options.audio,
        digits=options.digits,
        json_output=options.json,
        svg=options.svg,
        home=None,
    )


def _call(options: argparse.Namespace) -> int:
    from ivr.demo.call import run_call

    return run_call(
        options.uri,
        audio=options.audio,
        say=options.say,
        digits=options.digits,
        json_output=options.json,
    )
