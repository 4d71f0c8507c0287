"""The timeline for people."""

from __future__ import annotations

import io
import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from ivr.demo.errors import DemoError, DemoUsageError
from ivr.demo.render import check_svg, show, write_svg
from ivr.demo.story import Entry, Story, Who

LONG = "een lange zin met & en < en [bold]haken[/bold] die niet op een regel van tachtig past, " * 3
STORY = Story(
    call_id="0011",
    outcome="menu_routed",
    thema="energie",
    group="energie",
    probability=0.41,
    transcript="zonnepanelen",
    said="Zonnepanelen?",
    proposed="energie",
    menu=({"digit": "1", "thema": "energie"},),
    ranking=(),
    decision=None,
    transfers=(),
    dead_air_ms=(612.5,),
    latencies_ms=(),
    timeline=(
        Entry(at_seconds=0.5, who=Who.SERVICE, what="says", text=LONG),
        Entry(
            at_seconds=9.25,
            who=Who.SERVICE,
            what="hears",
            text="zonnepanelen",
            details={
                "confidence": 0.4,
                "words": [{"text": "zonnepanelen", "confidence": 0.4}],
                "failure": "",
            },
        ),
        Entry(at_seconds=9.5, who=Who.SERVICE, what="dead_air", text="", details={"ms": 612.5}),
        Entry(at_seconds=12.0, who=Who.VOORLICHTER, what="answers", text="energie"),
    ),
)


def test_a_file_gets_plain_text_of_eighty_columns() -> None:
    """
    No colours, no markup, nothing cut off.
    """
    stream = io.StringIO()

    show(STORY, stream)

    text = stream.getvalue()
    assert "\x1b" not in text
    assert 80 >= max(len(line.rstrip()) for line in text.splitlines())
    assert "[bold]haken[/bold]" in re.sub(r"\s+", " ", text)
    assert "612 ms" in text
    assert "1 energie" in text


def test_the_picture_refers_to_nothing_outside_itself(tmp_path: Path) -> None:
    """
    Valid XML whose only address is the name of its own language.
    """
    path = tmp_path / "call.svg"

    write_svg(STORY, path)

    picture = path.read_text(encoding="utf-8")
    root = ElementTree.fromstring(picture)
    assert "{http://www.w3.org/2000/svg}svg" == root.tag
    assert {"http://www.w3.org/2000/svg"} == set(re.findall(r"\w+://[^\s\"'<>)]+", picture))
    assert "url(" not in re.sub(r"url\(#[\w-]+\)", "", picture)
    assert "@import" not in picture
    assert "energie" in "".join(root.itertext())


def test_a_picture_that_cannot_be_written_is_a_clear_message(tmp_path: Path) -> None:
    """
    The message names the file and the remedy.
    """
    with pytest.raises(DemoError, match="name a file in a writable folder"):
        write_svg(STORY, tmp_path)


def test_a_picture_without_a_place_is_refused_before_the_call(tmp_path: Path) -> None:
    """
    A folder, a file below a file, a missing folder, a name too long: path, reason and remedy.
    """
    (tmp_path / "file").touch()

    for path, remedy in (
        (tmp_path, "name a file in it"),
        (tmp_path / "file" / "call.svg", "make it first"),
        (tmp_path / "missing" / "call.svg", "make it first"),
        (tmp_path / ("x" * 300), "name a file in a folder"),
    ):
        with pytest.raises(DemoUsageError, match=remedy) as caught:
            check_svg(path)
        assert str(tmp_path) in str(caught.value)


def test_checking_a_picture_leaves_no_trace(tmp_path: Path) -> None:
    """
    A new file is not left behind, also behind a link; one that is there keeps its content.
    """
    old = tmp_path / "old.svg"
    old.write_text("kept", encoding="utf-8")
    link = tmp_path / "link.svg"
    link.symlink_to("later.svg")

    for path in (old, link, tmp_path / "new.svg"):
        check_svg(path)

    assert "kept" == old.read_text(encoding="utf-8")
    assert {"old.svg", "link.svg"} == {path.name for path in tmp_path.iterdir()}


def test_json_has_every_promised_key() -> None:
    """
    Programs may rely on them, whatever the call.
    """
    promised = {
        "call_id",
        "said",
        "transcript",
        "thema",
        "probability",
        "ranking",
        "decision",
        "proposed",
        "menu",
        "group",
        "outcome",
        "transfers",
        "dead_air_ms",
        "latencies_ms",
        "timeline",
    }

    assert promised == set(STORY.as_json())
    assert {"at_seconds", "who", "what", "text"} <= set(STORY.as_json()["timeline"][0])
