"""The commands that the documents show, read from their blocks and from the running text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

TOP = Path(__file__).resolve().parents[1]
SHELL = ("", "sh", "bash")
"""Languages of fenced blocks that hold commands; an indented block always does."""
PROGRAMS = r"(?:make|wegwijs|python3?|pip|\.ci/\w+|\.venv/bin/\w+)"
PACKED_AWAY = {".venv", ".cache", "build", "dist", "var", ".hypothesis", ".pytest_cache"}
DIAGRAMS = "ARCHITECTURE.md"
"""Its blocks are drawings."""


@dataclass(frozen=True, slots=True, order=True)
class Command:
    """One command of a document, on one line, without its explanation."""

    document: str
    text: str


def documents() -> list[Path]:
    """Return every document of the checkout."""
    found = TOP.rglob("*.md")
    return sorted(file for file in found if not PACKED_AWAY & {*file.relative_to(TOP).parts})


def blocks(text: str) -> Iterator[str]:
    """Return the lines of every block of commands, continued lines joined."""
    fence: str | None = None
    before_is_empty, indented = True, False
    waiting = ""
    for line in text.splitlines():
        if match := re.match(r"\s*```(\w*)", line):
            fence = match[1] if fence is None else None
            continue
        indented = fence is None and line.startswith("    ") and (before_is_empty or indented)
        before_is_empty = not line.strip()
        if line.strip() and (indented or fence in SHELL):
            waiting += line.strip()
            if waiting.endswith("\\"):
                waiting = waiting[:-1]
                continue
            yield waiting
            waiting = ""


def bare(line: str) -> str:
    """Return a line without what explains it: ``# …``, or words two spaces or more behind it."""
    return re.split(r"\s+# |\s{2,}(?=\S+ )", line.strip())[0].strip()


def block_commands() -> list[Command]:
    """Return what the blocks of all documents tell the reader to type."""
    found = []
    for file in documents():
        name = str(file.relative_to(TOP))
        if name != DIAGRAMS:
            lines = blocks(file.read_text("utf-8"))
            found += [Command(name, re.sub(" +", " ", bare(line))) for line in lines]
    return found


def inline_commands() -> list[Command]:
    """Return the commands that stand between backticks in the running text."""
    found = set()
    for file in documents():
        text = re.sub(r"```.*?```", "", file.read_text("utf-8"), flags=re.DOTALL)
        for span in re.findall(r"`([^`]+)`", text):
            line = " ".join(span.split())
            if re.match(PROGRAMS + " ", line):
                found.add(Command(str(file.relative_to(TOP)), line))
    return sorted(found)
