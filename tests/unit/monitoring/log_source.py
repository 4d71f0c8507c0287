"""Reads from a file's source what it logs."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

LEVELS: Final = frozenset({"debug", "info", "warning", "error", "exception", "critical"})
"""A bound logger can more; these are enough, and can be read."""
LOGGER: Final = "_log"
"""The one name that a logger has."""
_MAKERS: Final = frozenset({"get_logger", "getLogger"})
_STANDARD: Final = re.compile(r"logging(\.\w+)*")
_OURS: Final = re.compile(r"structlog(\.\w+)*")


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
    loggers: list[str | None] = field(default_factory=list)
    """Names of the loggers that it makes; None for one that is no constant."""
    lines: list[Line] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)
    """Places that name the standard library's loggers."""
    unread: list[str] = field(default_factory=list)
    """Places where a logger is made or used in a way that cannot be read here."""


def read_source(text: str, path: str) -> Source:
    """Find everything in a file that is about logs.

    Three forms can be read: ``_log = structlog.get_logger("…")`` at the top of a module;
    ``_log.info("…", …)``; and ``tell = _log.info if … else _log.error``, where ``tell`` is
    called. ``_log``, ``structlog`` and their like anywhere else, in whatever role, are unread.

    Args:
        text: The file's Python.
        path: How places are named.
    """
    source = Source(path)
    tree = ast.parse(text)
    nodes = list(ast.walk(tree))
    read = _made(tree, source)
    methods = {
        id(node): node
        for node in nodes
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == LOGGER
        and node.attr in LEVELS
    }
    aliases = _aliases(nodes, methods, read)
    for node in nodes:
        if isinstance(node, ast.Call):
            method = methods.get(id(node.func))
            by_alias = isinstance(node.func, ast.Name) and node.func.id in aliases
            if method is not None:
                read.add(id(method.value))
            if by_alias:
                read.add(id(node.func))
            if by_alias or method is not None:
                source.lines.append(_line(node, f"{path}:{node.lineno}"))
    for node in nodes:
        if id(node) not in read:
            _judge(node, aliases, source)
    return source


def _made(tree: ast.Module, source: Source) -> set[int]:
    """Note the loggers that the module makes; return the nodes by which it does."""
    read: set[int] = set()
    for node in tree.body:
        if isinstance(node, ast.Import):
            plain = (name for name in node.names if name.name == "structlog" and not name.asname)
            read |= {id(name) for name in plain}
        match node:
            case ast.Assign(
                targets=[ast.Name(id="_log") as target],
                value=ast.Call(
                    func=ast.Attribute(
                        value=ast.Name(id="structlog") as library, attr="get_logger"
                    ) as maker,
                    args=[name],
                    keywords=[],
                ),
            ):
                read |= {id(target), id(maker), id(library)}
                source.loggers.append(_constant(name))
    return read


def _aliases(nodes: list[ast.AST], methods: dict[int, ast.Attribute], read: set[int]) -> set[str]:
    """Variables that are a logger's method; what their assignments are made of is read."""
    names = set()
    for node in nodes:
        match node:
            case ast.Assign(targets=[ast.Name() as target], value=value):
                found = [methods[id(choice)] for choice in _choices(value) if id(choice) in methods]
                if found:
                    names.add(target.id)
                    read |= {id(target), *(id(method.value) for method in found)}
    return names


def _choices(node: ast.expr) -> Iterator[ast.expr]:
    if isinstance(node, ast.IfExp):
        yield from (*_choices(node.body), *_choices(node.orelse))
    else:
        yield node


def _judge(node: ast.AST, aliases: set[str], source: Source) -> None:
    """Note a node that names a logger, or what makes one."""
    place = f"{source.path}:{getattr(node, 'lineno', 0)}"
    for word in _words(node):
        if _STANDARD.fullmatch(word):
            source.foreign.append(place)
        elif (
            word in (LOGGER, "__import__")
            or word in aliases
            or word in _MAKERS
            or _OURS.fullmatch(word)
        ):
            source.unread.append(place)


def _words(node: ast.AST) -> Iterator[str]:
    """Every name and every written text in a node itself, not in those below it."""
    for _, value in ast.iter_fields(node):
        values = value if isinstance(value, list) else [value]
        yield from (word for word in values if isinstance(word, str))


def _line(call: ast.Call, place: str) -> Line:
    names = [keyword.arg for keyword in call.keywords]
    return Line(
        place,
        _constant(next(iter(call.args), None)),
        frozenset(name for name in names if name is not None),
        has_more=len(call.args) > 1 or None in names,
    )


def _constant(node: ast.AST | None) -> str | None:
    """A text that is written out, or None."""
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None
