"""Keeps the generated parts of ARCHITECTURE.md true: ``python docs/generate.py [--check]``.

A generated part stands between ``<!-- NAME:begin -->`` and ``<!-- NAME:end -->``.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from prometheus_client import CollectorRegistry

from docs.call_machine import markdown_table, mermaid
from ivr.audio.core import AudioCounters
from ivr.audio.ticker import TickCounters
from ivr.contacts.writer import WriterCounters
from ivr.engine.recognition import RecognitionCounters
from ivr.monitoring.metrics import ComponentMetrics, Metrics

DOCUMENT = Path(__file__).resolve().parent.parent / "ARCHITECTURE.md"


def metrics_table() -> str:
    """Return every metric with its labels and meaning, as a Markdown table."""
    registry = CollectorRegistry()
    Metrics(registry)
    audio = AudioCounters(0, 0, 0, TickCounters(0, 0, 0, 0.0, ()))
    writer = WriterCounters(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, True)
    registry.register(
        ComponentMetrics(
            audio=lambda: audio,
            writer=lambda: writer,
            recognition=RecognitionCounters,
            ready=lambda: True,
            ages=lambda: {"audio": 0.0, "text": 0.0, "features": 0.0},
        )
    )
    lines = ["| metric | kind | meaning |", "|---|---|---|"]
    for family in sorted(registry.collect(), key=lambda f: f.name):
        suffix = "_total" if family.type == "counter" else ""
        lines.append(f"| `{family.name}{suffix}` | {family.type} | {family.documentation} |")
    return "\n".join(lines)


PARTS: Mapping[str, Callable[[], str]] = {
    "call-machine": lambda: f"```mermaid\n{mermaid()}\n```",
    "call-table": markdown_table,
    "metrics": metrics_table,
}


def render(text: str) -> str:
    """Return the document with every generated part renewed.

    Raises:
        ValueError: A part's markers are not there.
    """
    for name, make in PARTS.items():
        pattern = re.compile(f"<!-- {name}:begin -->\n.*?<!-- {name}:end -->", re.DOTALL)
        if not pattern.search(text):
            raise ValueError(f"{DOCUMENT.name}: no <!-- {name}:begin --> ... <!-- {name}:end -->")
        before, after = pattern.split(text)[0], pattern.split(text)[-1]
        text = f"{before}<!-- {name}:begin -->\n{make()}\n<!-- {name}:end -->{after}"
    return text


def main(arguments: Sequence[str] | None = None) -> int:
    """Renew the document, or with ``--check`` tell whether it is up to date."""
    parser = argparse.ArgumentParser(prog="python docs/generate.py", description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing; exit 1 if outdated")
    options = parser.parse_args(arguments)
    text = DOCUMENT.read_text(encoding="utf-8")
    fresh = render(text)
    if fresh == text:
        return 0
    if options.check:
        print(f"{DOCUMENT.name} is outdated; run: python docs/generate.py", file=sys.stderr)
        return 1
    DOCUMENT.write_text(fresh, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
