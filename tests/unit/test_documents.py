"""Documents that cannot rot: what they list is what the code has."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from pydantic import BaseModel

from docs import generate as docs
from ivr.commands.cli import make_parser
from ivr.config.loading import load_config
from ivr.config.recognition import BreakerSection, SecondSection
from ivr.config.schema import Config
from ivr.files.embedded import example_config
from tests.documents import documents

ROOT = Path(__file__).resolve().parent.parent.parent
README = ROOT / "README.md"


def test_generated_parts_of_the_architecture_are_up_to_date() -> None:
    """
    The diagram, the table of the call machine and the list of metrics are the code's own.
    """
    text = docs.DOCUMENT.read_text(encoding="utf-8")

    assert docs.render(text) == text


def test_example_configuration_is_valid_and_holds_the_defaults() -> None:
    """
    Every value of the example is the default, so that deleting a line changes nothing.
    """
    example = load_config(example_config())

    defaults = Config()
    for name in Config.model_fields:
        if name not in ("groups", "lines"):
            assert getattr(defaults, name) == getattr(example, name), name


def _keys(table: dict[str, Any], prefix: str = "") -> set[str]:
    found = set()
    for key, value in table.items():
        found.add(f"{prefix}{key}")
        if isinstance(value, dict):
            found |= _keys(value, f"{prefix}{key}.")
    return found


def test_example_configuration_shows_every_setting() -> None:
    """
    A setting that the example does not show, set or commented out, is a setting nobody finds.
    """
    text = example_config().read_text(encoding="utf-8")
    # Commented settings are lines "# key = ..."; comments in words have no "=" after one word.
    bare = re.sub(r"(?m)^# (\[[^\]]+\]|\w+ = )", r"\1", text)
    shown = _keys(tomllib.loads(bare))

    missing = []
    sections: list[tuple[str, type[BaseModel]]] = [
        (name, field.annotation)
        for name, field in Config.model_fields.items()
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)
    ]
    sections += [("recognition.second", SecondSection), ("recognition.breaker", BreakerSection)]
    for name, section in sections:
        missing += [f"{name}.{key}" for key in section.model_fields if f"{name}.{key}" not in shown]

    assert [] == missing


def test_readme_shows_the_demo_as_a_picture() -> None:
    """
    The picture that the demo writes is there, whole, and shows a caller who was put through.
    """
    pictures = re.findall(r"!\[[^\]]+\]\(([^)]+\.svg)\)", README.read_text(encoding="utf-8"))

    assert pictures
    for picture in pictures:
        words = "".join(ElementTree.parse(ROOT / picture).getroot().itertext())
        assert "voorlichter" in words
        assert "routed" in words


@pytest.mark.parametrize("command", ["make demo", "make test", "wegwijs check", "wegwijs serve"])
def test_readme_shows_the_commands_a_newcomer_needs(command: str) -> None:
    """
    The first screens name the commands by which everything begins.
    """
    assert command in README.read_text(encoding="utf-8")


def test_every_command_explains_itself() -> None:
    """
    Each command of the contract has a help text of its own.
    """
    wanted = [
        "demo",
        "serve",
        "phone",
        "check",
        "call",
        "transcribe",
        "classify",
        "evaluate",
        "train",
        "models",
    ]
    help_text = make_parser().format_help()

    assert [] == [name for name in wanted if not re.search(rf"^    {name}\s+\S", help_text, re.M)]


def test_alerts_name_metrics_that_exist() -> None:
    """
    An alert on a metric that was renamed would be silent for ever.
    """
    alerts = (ROOT / "sip_config" / "prometheus" / "alerts.yml").read_text(encoding="utf-8")
    rules = re.findall(r"expr: (.+)", alerts)
    named = {re.sub("_bucket$", "", n) for rule in rules for n in re.findall(r"wegwijs_\w+", rule)}

    known = set(re.findall(r"`(wegwijs_\w+)`", docs.metrics_table()))
    assert len(named) >= 7
    assert set() == named - known


def test_one_call_can_be_followed_in_fifteen_files() -> None:
    """
    From frame to transfer: every file is there, and each thread crossing that is stated is marked.
    """
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    way = text.partition("<!-- one-call:begin -->")[2].partition("<!-- one-call:end -->")[0]
    files = re.findall(r"^\|[^|]*\| `([^`]+)` \|", way, re.MULTILINE)

    assert 15 >= len(files) == len(set(files))
    assert [] == [file for file in files if not (ROOT / file).is_file()]
    assert "six times on the way" in text
    assert 6 == way.count("⇒")


def test_every_room_is_described() -> None:
    """
    The architecture names each folder of ``ivr``, and no loose file lies beside the rooms.
    """
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    package = ROOT / "ivr"
    rooms = {path.relative_to(package).parts[0] for path in package.glob("*/**/*.py")}

    assert {"__init__.py", "__main__.py", "errors.py"} == {p.name for p in package.glob("*.py")}
    assert [] == [room for room in sorted(rooms) if f"`ivr.{room}`" not in text]


def test_hooks_are_the_pieces_of_make_check() -> None:
    """
    What a commit is refused for and what CI refuses are the same.
    """
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    hooks = (ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8")
    (pieces,) = re.findall(r"^check: ([a-z -]+) ##", makefile, re.M)

    assert pieces.split() == re.findall(r"entry: make ([a-z-]+)", hooks)


def test_every_decision_has_a_date_and_a_status_and_is_listed() -> None:
    """
    The architecture lists each record by its title, in order.
    """
    listed = re.findall(
        r"- \[(.+)\]\((docs/decisions/\d{4}-.+)\)", docs.DOCUMENT.read_text("utf-8")
    )

    records = []
    for file in sorted((ROOT / "docs/decisions").glob("[0-9]*.md")):
        match = re.match(
            r"# (.+)\n\nDate: \d{4}-\d\d-\d\d\n"
            r"Status: (?:accepted|superseded by \[\d{4}\]\(.+\))\n\n",
            file.read_text("utf-8"),
        )
        assert match, file.name
        records.append((match[1], str(file.relative_to(ROOT))))
    assert len(records) >= 8
    assert records == listed


def test_every_change_is_sorted() -> None:
    """
    A version of the changelog has entries under Added, Changed and Fixed only.
    """
    for version in (ROOT / "CHANGELOG.md").read_text("utf-8").split("\n## ")[1:]:
        _, *sections = re.split(r"^### ", version, flags=re.M)
        assert "\n- " not in version.split("\n### ")[0]
        assert {section.split("\n")[0] for section in sections} <= {"Added", "Changed", "Fixed"}


@pytest.mark.parametrize("document", documents(), ids=lambda file: str(file.relative_to(ROOT)))
def test_links_between_documents_lead_somewhere(document: Path) -> None:
    """
    Files that were moved take their links along.
    """
    targets = re.findall(r"\]\(([^)\s]+)\)", document.read_text("utf-8"))
    local = [target.split("#")[0] for target in targets if "://" not in target]

    assert [] == [t for t in local if t and "…" not in t and not (document.parent / t).exists()]
