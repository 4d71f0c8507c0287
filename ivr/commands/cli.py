"""The command line, ``wegwijs``: a contract that scripts are written against.

Exit codes: 0 done, 1 the thing asked about is not right, 2 wrong usage.
"""

from __future__ import annotations

import argparse
import errno
import os
import sys
from collections.abc import Sequence
from typing import Final

from ivr.commands.arguments import Command
from ivr.commands.call_parser import add_call_commands
from ivr.commands.model_parser import add_model_commands
from ivr.commands.service_parser import add_service_commands
from ivr.commands.text_parser import add_text_commands
from ivr.errors import ConfigErrors, WegwijsError

_UNWRITTEN: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO})


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    parser = make_parser()
    options = parser.parse_args(arguments)
    if getattr(options, "run", None) is None:
        parser.print_help()
        return 2
    command: Command = options.run
    try:
        code = command(options)
        if sys.stdout is not None:  # None without a descriptor 1
            sys.stdout.flush()
        return code
    except ConfigErrors as errors:
        for error in errors.errors:
            print(f"wegwijs: {error}", file=sys.stderr)
    except WegwijsError as error:
        print(f"wegwijs: {error}", file=sys.stderr)
    except KeyboardInterrupt:
        print("wegwijs: interrupted", file=sys.stderr)
    except BrokenPipeError:
        # The reader of our output had enough.
        _end_output()
    except OSError as error:
        if error.errno not in _UNWRITTEN:
            raise
        _end_output()
        print(
            f"wegwijs: what was to be written cannot be ({error.strerror}); free some space there, "
            "or send the output elsewhere",
            file=sys.stderr,
        )
    return 1


def _end_output() -> None:
    """Let what waits for output go nowhere: Python would complain once more at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of every command."""
    parser = argparse.ArgumentParser(
        prog="wegwijs", description="Voice routing for public infolines."
    )
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    add_call_commands(commands)
    add_service_commands(commands)
    add_text_commands(commands)
    add_model_commands(commands)
    return parser


if __name__ == "__main__":
    sys.exit(main())
