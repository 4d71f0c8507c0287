"""What each key of the configuration does, read from below its field."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Iterator
from dataclasses import is_dataclass
from typing import Any, get_args

from pydantic import BaseModel

from ivr.config.schema import Config


def key_sentences() -> dict[str, str]:
    """Every key to its sentence, on one line; empty where there is none.

    A key that may have any name is ``*``: ``groups.*.targets``. The sections are as in
    :class:`ivr.config.schema.Config`.
    """
    return dict(_of(Config, ""))


def _of(section: type[Any], prefix: str) -> Iterator[tuple[str, str]]:
    sentences: dict[str, str] = {}
    for base in reversed(section.__mro__):
        if issubclass(base, BaseModel) or is_dataclass(base):
            sentences |= _below_fields(base)
    for name, annotation in _fields(section):
        yield f"{prefix}{name}", sentences.get(name, "")
        inner = _section_in(annotation)
        if inner is not None:
            any_name = "*." if "dict" in str(annotation) else ""
            yield from _of(inner, f"{prefix}{name}.{any_name}")


def _fields(section: type[Any]) -> list[tuple[str, Any]]:
    if issubclass(section, BaseModel):
        return [(name, field.annotation) for name, field in section.model_fields.items()]
    return [(name, field.type) for name, field in section.__dataclass_fields__.items()]


def _below_fields(kind: type[Any]) -> dict[str, str]:
    if kind is BaseModel:
        return {}
    (tree,) = ast.parse(textwrap.dedent(inspect.getsource(kind))).body
    assert isinstance(tree, ast.ClassDef)
    found = {}
    for field, below in zip(tree.body, [*tree.body[1:], None], strict=True):
        if isinstance(field, ast.AnnAssign) and isinstance(below, ast.Expr):
            found[ast.unparse(field.target)] = " ".join(str(ast.literal_eval(below.value)).split())
    return found


def _section_in(annotation: Any) -> type[Any] | None:
    """The section inside ``X``, ``X | None``, ``dict[str, X]`` or ``tuple[X, ...]``."""
    if isinstance(annotation, type) and (
        is_dataclass(annotation) or issubclass(annotation, BaseModel)
    ):
        return annotation
    inner = (_section_in(argument) for argument in get_args(annotation))
    return next((found for found in inner if found is not None), None)
