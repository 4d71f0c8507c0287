"""Docstrings of public functions: what they raise is said."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FILES = [file for room in ("ivr", "asr", "intent") for file in sorted((ROOT / room).rglob("*.py"))]


def silent_raisers(tree: ast.Module) -> Iterator[str]:
    """Public functions that raise something by themselves and whose docstring does not say so.

    What is raised and caught in the same function, or by a function inside it, is nobody's.
    """

    def visit(node: ast.AST, owner: ast.ClassDef | None) -> Iterator[str]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.ClassDef) and not child.name.startswith("_"):
                yield from visit(child, child)
            elif isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
                is_init = child.name == "__init__"
                if child.name.startswith("_") and not is_init:
                    continue
                described = owner if is_init and owner is not None else child
                said = ast.get_docstring(described) or ""
                if (
                    list(_raised(child.body))
                    and "Raises:" not in said
                    and "see :" not in said.lower()
                ):
                    yield f"{child.name}, line {child.lineno}"

    return visit(tree, None)


def _raised(body: list[ast.stmt]) -> Iterator[ast.Raise]:
    for statement in body:
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            continue
        if isinstance(statement, ast.Raise):
            if statement.exc is not None:
                yield statement
        elif isinstance(statement, ast.Try):
            if not statement.handlers:
                yield from _raised(statement.body)
            for handler in statement.handlers:
                yield from _raised(handler.body)
            yield from _raised([*statement.orelse, *statement.finalbody])
        else:
            for field in ("body", "orelse", "cases"):
                for inner in getattr(statement, field, []):
                    yield from _raised(inner.body if isinstance(inner, ast.match_case) else [inner])


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_what_a_public_function_raises_is_said(file: Path) -> None:
    """
    Who calls it need not read its body to know what to catch.
    """
    assert [] == list(silent_raisers(ast.parse(file.read_text(encoding="utf-8"))))


def test_a_function_that_raises_without_a_word_is_found() -> None:
    """
    The check itself can fail.
    """
    silent = 'def find(name):\n    """Find it."""\n    if not name:\n        raise KeyError(name)\n'
    said = silent.replace('it."""', 'it.\n\n    Raises:\n        KeyError: Nameless.\n    """')

    assert ["find, line 1"] == list(silent_raisers(ast.parse(silent)))
    assert [] == list(silent_raisers(ast.parse(said)))
