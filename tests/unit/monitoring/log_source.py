"""Reads from a file's source what it logs."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

LEVELS: Final = frozenset({"debug", "info", "warning", "error", "exception", "critical"})
"""A bound logger can more; these are enough, and can be read."""


@dataclass(frozen=True)
class Line:
    """One place in the code that writes a line."""

    place: str
    event: str | None
    """None when it is no constant."""
    fields: frozenset[str]
    has_more: bool
    """Whether it has values that are no field: ``**values``, or ``%s`` and an argument."""


@dataclass
class Source:
    """What one file has to do with logs."""

    path: str
    loggers: dict[str, str | None] = field(default_factory=dict)
    """Variable to the logger's name; None when that is no constant."""
    lines: list[Line] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)
    """Places that import the standard library's loggers."""
    unread: list[str] = field(default_factory=list)
    """Places where a logger is used in a way that cannot be read here."""


def read_source(text: str, path: str) -> Source:
    """Find everything in a file that is about logs.

    Args:
        text: The file's Python.
        path: How places are named.
    """
    source = Source(path)
    nodes = list(ast.walk(ast.parse(text)))
    _imports(nodes, source)
    made = _loggers(nodes, source)
    methods = {
        id(node): node
        for node in nodes
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id in source.loggers
    }
    aliases, aliased = _aliases(nodes, methods)
    read = made | aliased
    for call in (node for node in nodes if isinstance(node, ast.Call)):
        method = methods.get(id(call.func))
        by_alias = isinstance(call.func, ast.Name) and call.func.id in aliases
        if by_alias or (method is not None and method.attr in LEVELS):
            source.lines.append(_line(call, f"{path}:{call.lineno}"))
            read.add(id(call.func))
        elif _makes_logger(call) and id(call) not in made:
            source.unread.append(f"{path}:{call.lineno}")
    source.unread += [f"{path}:{node.lineno}" for key, node in methods.items() if key not in read]
    return source


def _imports(nodes: list[ast.AST], source: Source) -> None:
    for node in nodes:
        if isinstance(node, ast.Import) and any(name.name == "logging" for name in node.names):
            source.foreign.append(f"{source.path}:{node.lineno}")
        if isinstance(node, ast.ImportFrom) and node.module in ("logging", "structlog"):
            source.unread.append(f"{source.path}:{node.lineno}")


def _loggers(nodes: list[ast.AST], source: Source) -> set[int]:
    """Note variables that are loggers; return the calls that made them."""
    made = set()
    for node in nodes:
        if isinstance(node, ast.Assign) and _makes_logger(node.value):
            assert isinstance(node.value, ast.Call)
            made.add(id(node.value))
            for target in node.targets:
                source.loggers[ast.unparse(target)] = _constant(next(iter(node.value.args), None))
    return made


def _makes_logger(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in ("get_logger", "getLogger")
    )


def _aliases(nodes: list[ast.AST], methods: dict[int, ast.Attribute]) -> tuple[set[str], set[int]]:
    """Variables that are a logger's method, as in ``tell = _log.info if … else _log.error``.

    Returns:
        Their names, and the methods in their assignments.
    """
    names, aliased = set(), set()
    for node in nodes:
        if isinstance(node, ast.Assign):
            found = {id(inner) for inner in _choices(node.value) if id(inner) in methods}
            if found:
                aliased |= found
                names |= {ast.unparse(target) for target in node.targets}
    return names, aliased


def _choices(node: ast.expr) -> Iterator[ast.expr]:
    if isinstance(node, ast.IfExp):
        yield from (*_choices(node.body), *_choices(node.orelse))
    else:
        yield node


def _line(call: ast.Call, place: str) -> Line:
    names = [keyword.arg for keyword in call.keywords if keyword.arg != "extra"]
    # In the standard library's style, the fields are in a dictionary.
    for keyword in call.keywords:
        if keyword.arg == "extra" and isinstance(keyword.value, ast.Dict):
            names += [_constant(key) for key in keyword.value.keys]
    return Line(
        place,
        _constant(next(iter(call.args), None)),
        frozenset(name for name in names if name is not None),
        has_more=len(call.args) > 1 or None in names,
    )


def _constant(node: ast.AST | None) -> str | None:
    """A text that is written out, or None."""
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None
