"""What nobody catches is in the log, as everything is, and nowhere else."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[3]
WORD = "kwispelmarter"
BEGINNING = """
import sys, threading, warnings
from ivr.monitoring.log import configure_logging
from ivr.monitoring.uncaught import log_the_uncaught

# Said by the command line, not by the code: from Python 3.13 on, tracebacks show lines of "-c".
word = sys.argv[1]

class Quoting:
    def __del__(self):
        raise ValueError(word)

def quote(kind=ValueError):
    try:
        raise KeyError(word)
    except KeyError as error:
        raise kind(word) from error

def end():
    raise SystemExit(word)

configure_logging("json")
log_the_uncaught()
"""


def run(code: str) -> subprocess.CompletedProcess[str]:
    """A process that logs as the phone does and then runs ``code``."""
    command = [sys.executable, "-W", "always", "-c", BEGINNING + code, WORD]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def lines(done: subprocess.CompletedProcess[str]) -> list[dict[str, Any]]:
    """What it logged; fails when there was anything else."""
    assert "" == done.stdout
    return [json.loads(line) for line in done.stderr.splitlines()]


@pytest.mark.parametrize(
    ("code", "event", "exit_code"),
    [
        ("quote()", "uncaught", 1),
        ("t = threading.Thread(target=quote)\nt.start()\nt.join()", "uncaught_in_thread", 0),
        ("Quoting()", "uncaught_in_finaliser", 0),
    ],
)
def test_exception_is_told_by_class_and_places(code: str, event: str, exit_code: int) -> None:
    """
    One JSON line says what failed and where, without the words; the exit code stays Python's.
    """
    done = run(code)

    assert WORD not in done.stderr
    [line] = lines(done)
    assert (event, "ValueError", exit_code) == (line["event"], line["error"], done.returncode)
    assert 'File "<string>", line' in line["exception"]
    assert "dropped_fields" not in line


def test_warning_is_told_by_class_and_place() -> None:
    """
    A library may warn of anything, and say of what.
    """
    done = run("warnings.warn(word, RuntimeWarning)")

    assert WORD not in done.stderr
    [line] = lines(done)
    assert ("python_warned", "RuntimeWarning", "<string>") == (
        line["event"],
        line["error"],
        line["file"],
    )
    assert isinstance(line["line_number"], int)


def test_end_of_a_thread_is_no_fault() -> None:
    """
    A thread may end itself, as ever.
    """
    done = run("t = threading.Thread(target=end)\nt.start()\nt.join()")

    assert (0, []) == (done.returncode, lines(done))


def test_interrupt_is_told_as_python_tells_it_without_words() -> None:
    """
    Ctrl-C is no fault; what was being handled when it came is not told.
    """
    done = run("quote(KeyboardInterrupt)")

    assert WORD not in done.stderr
    assert done.stderr.startswith("Traceback")
    assert "KeyboardInterrupt" == done.stderr.splitlines()[-1]
    assert -2 == done.returncode


def test_log_that_fails_tells_nothing_either() -> None:
    """
    Of a hook that fails Python would tell with the first exception's text.
    """
    done = run("import structlog\nstructlog.configure(processors=[lambda *line: quote()])\nquote()")

    assert (1, []) == (done.returncode, lines(done))
