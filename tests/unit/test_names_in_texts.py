"""Texts that cannot rot: a module, a name in it or a file that a text names is there."""

from __future__ import annotations

import ast
import io
import re
import tokenize
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.documents import documents

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("ivr", "asr", "intent", "tests", "benchmarks", "docs", "sip_config", ".ci")
NAME = re.compile(r"(?<![\w./-])(?:ivr|asr|intent|tests)(?:\.[A-Za-z_]\w*)+")
PATH = re.compile(
    r"(?<![\w./-])(?:ivr|asr|intent|tests|benchmarks|docs|models|sip_config|training_data|\.ci)"
    r"/[\w./-]*\.[a-z]+\b"
)


@cache
def kept_rooms() -> frozenset[str]:
    """Rooms that the import contract keeps a place for, as ``ivr.console``."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    (rooms,) = (c for c in project["tool"]["importlinter"]["contracts"] if c["id"] == "rooms")
    return frozenset(f"ivr.{layer[1:-1]}" for layer in rooms["layers"] if layer.startswith("("))


def texts() -> Iterator[tuple[Path, int, str]]:
    """Markdown documents, and docstrings and comments of all code: file, first line, text."""
    for file in documents():
        yield file, 1, file.read_text("utf-8")
    for folder in FOLDERS:
        for file in sorted((ROOT / folder).rglob("*.py")):
            source = file.read_text("utf-8")
            for node in ast.walk(ast.parse(source)):
                match node:
                    # Docstrings, and the sentences under attributes and constants.
                    case ast.Expr(value=ast.Constant(value=str(text))):
                        yield file, node.lineno, text
            for token in tokenize.generate_tokens(io.StringIO(source).readline):
                if token.type == tokenize.COMMENT:
                    yield file, token.start[0], token.string


@cache
def members(file: Path, within: str | None = None) -> frozenset[str]:
    """Names that a module, or a class in it, binds; attributes of ``self`` are a class's too."""
    tree: ast.AST = ast.parse(file.read_text("utf-8"))
    if within is not None:
        found = [n for n in ast.walk(tree) if isinstance(n, ast.ClassDef) and n.name == within]
        if not found:
            return frozenset()
        tree = found[0]
    names: set[str] = set()
    for node in ast.walk(tree):
        match node:
            case ast.ClassDef(name=name) | ast.FunctionDef(name=name):
                names.add(name)
            case ast.AsyncFunctionDef(name=name):
                names.add(name)
            case ast.Name(id=name, ctx=ast.Store()) | ast.Attribute(attr=name, ctx=ast.Store()):
                names.add(name)
            case ast.alias(name=name, asname=other):
                names.add(other or name)
    return frozenset(names)


def exists(dotted: str) -> bool:
    """Whether a module, or a name in one, or a member of a class in one, is there."""
    parts = dotted.split(".")
    for count in range(len(parts), 0, -1):
        place = ROOT.joinpath(*parts[:count])
        if place.is_dir() and count == len(parts):
            return True
        file = place / "__init__.py" if place.is_dir() else place.with_suffix(".py")
        if file.is_file():
            rest = parts[count:]
            return not rest or (
                rest[0] in members(file) and (len(rest) == 1 or rest[1] in members(file, rest[0]))
            )
    return False


def test_modules_and_names_that_texts_name_are_there() -> None:
    """
    A reader who looks up ``ivr.engine.call.Call`` finds it; kept rooms may be named.
    """
    missing = [
        f"{file.relative_to(ROOT)}:{line + text[: found.start()].count(chr(10))} {found[0]}"
        for file, line, text in texts()
        for found in NAME.finditer(text)
        if found[0] not in kept_rooms() and not exists(found[0])
    ]

    assert [] == missing


def test_files_that_texts_name_are_there() -> None:
    """
    Seen from the repository's root, or from the folder of whoever names it.
    """
    missing = [
        f"{file.relative_to(ROOT)}:{line + text[: found.start()].count(chr(10))} {found[0]}"
        for file, line, text in texts()
        for found in PATH.finditer(text)
        if not (ROOT / found[0]).exists() and not (file.parent / found[0]).exists()
    ]

    assert [] == missing


@pytest.mark.parametrize(
    ("dotted", "is_there"),
    [
        ("ivr.engine", True),
        ("ivr.engine.call", True),
        ("ivr.engine.guarded.EngineGuard", True),
        ("ivr.engine.guarded.EngineGuard.begin", True),
        ("ivr.ports.Leg", True),
        ("ivr.engine.guarded.GuardedEngine", False),
        ("ivr.engine.guarded.EngineGuard.finish", False),
        ("ivr.engine.no_such_module", False),
        ("ivr.console", False),
    ],
)
def test_what_is_there_is_told_from_what_is_not(dotted: str, is_there: bool) -> None:
    """
    Rooms, modules, names in them and members of their classes.
    """
    assert is_there is exists(dotted)
