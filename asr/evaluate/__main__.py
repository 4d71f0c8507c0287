"""``python -m asr.evaluate``: engines beside each other on the same recordings.

Each engine works in a process of its own: its memory is its own, and what breaks it ends nothing
else.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from asr.engines import DEFAULT_ENGINE, ENGINES, load_engine
from asr.errors import AsrError
from asr.evaluate.items import (
    Item,
    SpeechFolderError,
    held_out_callers,
    listed_recordings,
    not_dutch,
)
from asr.evaluate.measure import Outcome, recognise, resident_octets, stream_octets
from asr.evaluate.summary import LEGEND, Row, is_incomplete, report, shortfalls, table
from asr.models.store import resolve_model
from asr.transcribe import RATE_HZ

_MOST_FAILURES = 5
"""Failures in a row after which an engine is given up."""
_STREAM_SECONDS = 6


def _count(text: str) -> int:
    if (value := int(text)) < 0:
        raise argparse.ArgumentTypeError(f"{text} is below 0; write 0 or more")
    return value


def _arguments(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m asr.evaluate",
        description="Measure speech engines on recordings of your own and on espeak-ng callers.",
        epilog=LEGEND,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--engines", default=DEFAULT_ENGINE, metavar="NAME[=MODEL],…",
        help=f"engines, each with an installed model's name or a folder (default: {DEFAULT_ENGINE} "
        f"with the embedded model; known: {', '.join(sorted(ENGINES))})",
    )  # fmt: skip
    parser.add_argument("--model", metavar="NAME|DIR", help="the model, where one engine is named")
    home = Path(os.environ.get("WEGWIJS_HOME", "var"))
    parser.add_argument(
        "--models", type=Path, metavar="DIR",
        default=Path(os.environ.get("WEGWIJS_MODELS", home / "models" / "asr")),
        help="folder of installed models (default: WEGWIJS_MODELS, else WEGWIJS_HOME/models/asr)",
    )  # fmt: skip
    parser.add_argument(
        "--speech", type=Path, metavar="FOLDER",
        help="recordings: utterances.tsv (columns file, text, speaker, split), or a.wav with a.txt",
    )  # fmt: skip
    parser.add_argument("--split", default="dev", help="rows of utterances.tsv (default: dev)")
    parser.add_argument(
        "--callers", type=_count, metavar="N",
        help="espeak-ng utterances a condition (default: 100 without --speech, else none)",
    )  # fmt: skip
    parser.add_argument(
        "--not-dutch", type=_count, default=0, metavar="N",
        help="utterances of each of nine other languages, and N sounds without speech",
    )  # fmt: skip
    parser.add_argument("--seed", type=int, default=1700)
    parser.add_argument("--by-speaker", action="store_true")
    parser.add_argument(
        "--show", action="store_true", help="print said and heard where they differ (to stderr)"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    parser.add_argument(
        "--limit-seconds", type=float, default=7200.0, help="for one engine (default: 7200)"
    )
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.callers is None:
        options.callers = 0 if options.speech or options.not_dutch else 100
    return options


def _engines(options: argparse.Namespace) -> list[tuple[str, str | None]]:
    named: list[tuple[str, str | None]] = []
    for part in options.engines.split(","):
        name, _, model = part.strip().partition("=")
        if not name:
            raise SpeechFolderError(
                "--engines", "has a place without an engine", f"choose from: {', '.join(ENGINES)}"
            )
        named.append((name, model or None))
    if options.model is not None:
        if len(named) != 1 or named[0][1] is not None:
            raise SpeechFolderError(
                "--model", "goes with one engine", "write --engines NAME=MODEL,NAME=MODEL"
            )
        named = [(named[0][0], options.model)]
    return named


def _items(options: argparse.Namespace, left_out: list[SpeechFolderError]) -> Iterator[Item]:
    """Yield what is recognised; a recording that cannot be is told and added to ``left_out``."""
    if options.speech is not None:
        for recording in listed_recordings(options.speech, options.split):
            try:
                yield recording.item()
            except SpeechFolderError as error:
                print(f"left out: {error}", file=sys.stderr)
                left_out.append(error)
    if options.callers:
        yield from held_out_callers(options.callers, options.seed)
    if options.not_dutch:
        yield from not_dutch(options.not_dutch, options.seed)


def work(options: argparse.Namespace) -> int:
    """Measure one engine and print its rows as JSON lines."""
    ((name, model),) = _engines(options)
    left_out: list[SpeechFolderError] = []
    items = _items(options, left_out)
    first = next(items, None)
    if first is None and left_out:
        print(f"nothing to recognise: all {len(left_out)} were left out", file=sys.stderr)
        return 1
    if first is None:
        print("nothing to recognise: give --callers, --speech or --not-dutch", file=sys.stderr)
        return 2
    before = resident_octets()
    engine = load_engine(name, resolve_model(model, options.models).directory)
    longest = np.resize(first.pcm, _STREAM_SECONDS * RATE_HZ)
    # What the engine makes once (threads, tables) belongs to the model, not to the first caller.
    recognise(engine, Item("", "", "", longest))
    model_octets = max(0, resident_octets() - before)
    outcomes: list[Outcome] = []
    failures, in_a_row, reason = 0, 0, ""
    for item in chain([first], items):
        try:
            outcome = recognise(engine, item)
        except AsrError as error:
            failures, in_a_row, reason = failures + 1, in_a_row + 1, str(error)
            if in_a_row >= _MOST_FAILURES:
                break
            continue
        in_a_row = 0
        outcomes.append(outcome)
        if options.show and outcome.errors.errors:
            print(f"{item.speaker}\n  said  {item.said}\n  heard {outcome.heard}", file=sys.stderr)
    octets = 0 if in_a_row else stream_octets(engine, longest)
    for row in report(outcomes, by_speaker=options.by_speaker):
        row |= {"engine": engine.name, "model": engine.model, "failures": failures}
        row["left_out"] = len(left_out)
        row |= {"model_octets": model_octets, "stream_octets": octets}
        print(json.dumps(row), flush=True)
    if failures:
        print(f"{engine.name}: {failures} utterances failed, the last: {reason}", file=sys.stderr)
    return 1 if failures or left_out else 0


def _measured(name: str, model: str | None, arguments: list[str], limit: float) -> list[Row]:
    """Run one engine in its own process; what went wrong is told on stderr, what came is kept."""
    engine = f"{name}={model}" if model else name
    command = [sys.executable, "-m", "asr.evaluate", *arguments, "--engines", engine, "--worker"]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    try:
        told, _ = process.communicate(timeout=limit)
    except subprocess.TimeoutExpired:
        process.kill()
        told, _ = process.communicate()
        print(f"{engine}: not ready within {limit:.0f} s", file=sys.stderr)
    if process.returncode < 0 and process.returncode != -signal.SIGKILL:
        print(f"{engine}: crashed ({signal.Signals(-process.returncode).name})", file=sys.stderr)
    rows: list[Row] = []
    for line in told.decode("utf-8", "replace").splitlines():
        try:
            rows.append(json.loads(line))
        except ValueError:
            continue  # a library's own words
    return rows


def _worker_arguments(options: argparse.Namespace) -> list[str]:
    passed: dict[str, Any] = {
        "--models": options.models,
        "--speech": options.speech,
        "--split": options.split,
        "--callers": options.callers,
        "--not-dutch": options.not_dutch,
        "--seed": options.seed,
    }
    arguments = [str(x) for pair in passed.items() if pair[1] is not None for x in pair]
    arguments += ["--by-speaker"] if options.by_speaker else []
    return arguments + (["--show"] if options.show else [])


def main(arguments: list[str] | None = None) -> int:
    """Run the evaluation.

    Returns:
        0 when every engine recognised everything, 1 when it failed on some or some was left out,
        2 when used wrongly.
    """
    options = _arguments(arguments)
    try:
        if options.worker:
            return work(options)
        engines = _engines(options)
        if options.speech is not None:
            listed_recordings(options.speech, options.split)
    except AsrError as error:
        print(error, file=sys.stderr)
        return 2 if isinstance(error, SpeechFolderError) else 1
    rows: list[Row] = []
    failed = False
    for name, model in engines:
        found = _measured(name, model, _worker_arguments(options), options.limit_seconds)
        failed = failed or not found or any(is_incomplete(row) for row in found)
        rows.extend(found)
        if options.json:
            for row in found:
                print(json.dumps(row), flush=True)
    if rows and not options.json:
        print(table(rows))
        print("".join(f"\n{line}" for line in shortfalls(rows)), end="\n" if failed else "")
        print(f"\n{LEGEND}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
