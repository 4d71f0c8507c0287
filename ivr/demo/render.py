"""The timeline for people: a terminal with colours, plain text, and a self-contained picture."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Final, TextIO

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.terminal_theme import TerminalTheme
from rich.text import Text

from ivr.demo.errors import DemoError, DemoUsageError
from ivr.demo.story import Entry, Story, Who
from ivr.errors import WegwijsError

_WIDEST: Final = 110
_PICTURE_COLUMNS: Final = 104
_UNSURE: Final = 0.5
"""Words of less confidence are marked."""
_COLOURS: Final = {Who.CALLER: "cyan", Who.SERVICE: "yellow", Who.VOORLICHTER: "green"}
_SPOKEN: Final = frozenset({"says", "asks"})
_FAILURES: Final = frozenset({"fails", "refuses"})
_THEME: Final = TerminalTheme(
    (24, 27, 33),
    (220, 223, 228),
    [
        (40, 44, 52),
        (224, 108, 117),
        (126, 198, 153),
        (229, 192, 123),
        (97, 175, 239),
        (198, 120, 221),
        (86, 200, 216),
        (220, 223, 228),
    ],
)
# Rich's own frame without its fonts from the network: any monospaced font fits, because every
# piece of text says how long it is.
_SVG: Final = """\
<svg class="wegwijs-demo" viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
  <style>
    .{unique_id}-matrix {{
      font-family: ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace;
      font-size: {char_height}px;
      line-height: {line_height}px;
      font-variant-east-asian: full-width;
    }}
    .{unique_id}-title {{ font-size: 18px; font-weight: bold; font-family: sans-serif; }}
    {styles}
  </style>
  <defs>
    <clipPath id="{unique_id}-clip-terminal">
      <rect x="0" y="0" width="{terminal_width}" height="{terminal_height}" />
    </clipPath>
    {lines}
  </defs>
  {chrome}
  <g transform="translate({terminal_x}, {terminal_y})"
     clip-path="url(#{unique_id}-clip-terminal)">
    {backgrounds}
    <g class="{unique_id}-matrix">
    {matrix}
    </g>
  </g>
</svg>
"""


def show(story: Story, stream: TextIO) -> None:
    """Print the timeline; with colours when ``stream`` is a terminal."""
    console = Console(file=stream, highlight=False)
    if console.width > _WIDEST:
        console.width = _WIDEST
    console.print(_whole(story))


def report(make: Callable[[], Story], *, json_output: bool, stdout: TextIO, stderr: TextIO) -> int:
    """Make a story and show it, or say in one line why there is none.

    Args:
        make: Places the call.
        json_output: One JSON object instead of the timeline.
        stdout: For the story.
        stderr: For the line.

    Returns:
        0 when the caller reached a voorlichter group, 1 when not, 2 for wrong usage.
    """
    try:
        story = make()
    except DemoUsageError as error:
        print(f"wegwijs: {error}", file=stderr)
        return 2
    except WegwijsError as error:
        print(f"wegwijs: {error}", file=stderr)
        return 1
    if json_output:
        print(json.dumps(story.as_json(), ensure_ascii=False), file=stdout, flush=True)
    else:
        show(story, stdout)
    return 0 if story.reached else 1


def check_svg(path: Path) -> None:
    """Refuse a file for the picture that could not be written after the call.

    Raises:
        DemoUsageError: The message names the path and the remedy.
    """
    # A link that leads nowhere yet leads to where the file will be.
    file = Path(os.path.realpath(path))
    try:
        if file.is_dir():
            raise DemoUsageError(f"{path}: --svg names a folder; name a file in it, as call.svg")
        if not file.parent.is_dir():
            raise DemoUsageError(f"{file.parent}: no such folder for --svg; make it first")
        # Tried, because permissions do not tell of read-only and special file systems.
        known = file.exists()
        file.open("ab").close()
        if not known:
            file.unlink()
    except OSError as error:
        raise DemoUsageError(
            f"{path}: --svg cannot be written: {error.strerror}; "
            "name a file in a folder that this user may write"
        ) from None


def write_svg(story: Story, path: Path) -> None:
    """Write the same timeline as a picture that needs nothing from anywhere.

    Raises:
        DemoError: The file cannot be written.
    """
    console = Console(
        file=io.StringIO(),
        record=True,
        width=_PICTURE_COLUMNS,
        highlight=False,
        force_terminal=True,
        color_system="truecolor",
        legacy_windows=False,
    )
    console.print(_whole(story))
    picture = console.export_svg(
        title="wegwijs demo", theme=_THEME, code_format=_SVG, unique_id="wegwijs"
    )
    try:
        path.write_text(picture, encoding="utf-8")
    except OSError as error:
        raise DemoError(
            f"{path} cannot be written: {error.strerror}; name a file in a writable folder"
        ) from None


def _whole(story: Story) -> RenderableType:
    table = Table.grid(padding=(0, 1))
    table.add_column(justify="right", no_wrap=True, style="dim")
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for entry in story.timeline:
        colour = _COLOURS[entry.who]
        table.add_row(
            f"{entry.at_seconds:.1f} s", Text(entry.who.value, colour), _what(entry), _text(entry)
        )
    return Group(table, Text(), _ending(story))


def _what(entry: Entry) -> Text:
    if entry.what in _FAILURES:
        return Text(entry.what, "bold red")
    if entry.what == "dead_air":
        return Text("dead air", "magenta")
    return Text(entry.what, "bold" if entry.what == "decides" else "")


def _text(entry: Entry) -> Text:
    if entry.what in _SPOKEN:
        return Text(f"“{entry.text}”", "italic")
    if entry.what == "hears":
        return _heard(entry)
    if entry.what == "dead_air":
        return Text("▒" * max(1, min(40, round(entry.details["ms"] / 50))), "magenta").append(
            f" {entry.details['ms']:.0f} ms"
        )
    if entry.what == "presses":
        return Text(f"[{entry.text}]", "bold")
    return Text(entry.text)


def _heard(entry: Entry) -> Text:
    if not entry.text:
        return Text(entry.details.get("failure") or "nothing it understood", "dim")
    text = Text()
    words = entry.details.get("words") or [{"text": entry.text, "confidence": 1.0}]
    for word in words:
        sure = (word["confidence"] or 0.0) >= _UNSURE
        text.append(word["text"], "" if sure else "dim underline").append(" ")
    confidence = entry.details.get("confidence")
    if confidence is not None:
        text.append(f"({confidence:.2f})", "dim")
    return text


def _ending(story: Story) -> RenderableType:
    told = Table.grid(padding=(0, 1))
    told.add_column(no_wrap=True, style="bold")
    told.add_column(overflow="fold")
    if story.group is not None:
        told.add_row(Text("reached", "bold green"), Text(story.group, "bold green"))
    else:
        told.add_row(Text("reached", "bold red"), Text("nobody", "bold red"))
    told.add_row("outcome", story.outcome.replace("_", " "))
    if story.thema is not None:
        sure = "" if story.probability is None else f" ({story.probability:.2f})"
        told.add_row("thema", f"{story.thema}{sure}")
    if story.proposed is not None:
        told.add_row("asked", f"whether it was about {story.proposed}")
    if story.menu:
        told.add_row("menu", ", ".join(f"{o['digit']} {o['thema']}" for o in story.menu))
    if story.dead_air_ms:
        told.add_row("dead air", ", ".join(f"{ms:.0f} ms" for ms in story.dead_air_ms))
    return told
