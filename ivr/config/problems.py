"""Says in an engineer's words what is wrong with a configuration file."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from ivr.errors import ConfigError

_SECRET = ("password", "blocked_callers", "database_url", "user")
"""Names of keys whose values are not shown; a value in place of such a key's section neither."""
_SECRET_SECTIONS = frozenset({"contacts", "sip", "sip.trunk"})
_UNITS = {"timers": "seconds", "costs": "seconds", "pauses": "milliseconds"}
"""Sections of positive numbers, and their unit."""
_SHARES = ("repeat_success",)
_WRONG_TYPES = (
    (("model_type", "dataclass_type", "dict_type"), "is not a section", "write [{key}] above it"),
    (("tuple_type", "list_type"), "is not a list", "put it between brackets: [ ... ]"),
    (("int_",), "is not a whole number", "write digits only, without quotes"),
    (("float_",), "is not a number", "write for example 10 or 1.5, without quotes"),
    (("bool_",), "is not true or false", "write true or false, without quotes"),
    (("string_",), "is not a text", "put it between quotes"),
    (("path_",), "is not a path", "put the path between quotes"),
)
"""How pydantic's kinds of mistake begin, what to say of them, and the remedy."""


def explain(error: ValidationError, root: type[BaseModel], path: Path | None) -> list[ConfigError]:
    """Turn what pydantic found into mistakes with key, value and remedy.

    Args:
        error: What was found.
        root: The section that was validated: the whole file.
        path: Of the configuration file, for messages.
    """
    return [_one(problem, root, path) for problem in _problems(error)]


def impossible_numbers(table: Mapping[str, Any], path: Path | None) -> list[ConfigError]:
    """Find numbers that no timer, cost or pause can have; other mistakes are left to pydantic."""
    errors = []
    for section, unit in _UNITS.items():
        for key, value in _leaves(table.get(section), section):
            number = _number(value)
            if number is None:
                continue
            if key.rpartition(".")[2] in _SHARES:
                if not 0.0 <= number <= 1.0:
                    errors.append(
                        ConfigError(
                            path, key, _shown(value), "is not a share", remedy="write 0 to 1"
                        )
                    )
            elif not (math.isfinite(number) and number > 0):
                example = 65 if unit == "seconds" else 700
                errors.append(
                    ConfigError(
                        path,
                        key,
                        _shown(value),
                        f"is not a positive number of {unit}",
                        remedy=f"write for example {example}",
                    )
                )
    return errors


def null_characters(
    value: Any, path: Path | None, loc: tuple[Any, ...] = ()
) -> Iterator[ConfigError]:
    """Find texts with a character that no path, address or name can have; none is shown.

    Args:
        value: What was read from the file, or a part of it.
        path: Of the configuration file, for messages.
        loc: Where the part stands: keys and places in lists.
    """
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from null_characters(inner, path, (*loc, key))
    elif isinstance(value, list):
        for place, inner in enumerate(value):
            yield from null_characters(inner, path, (*loc, place))
    written = "".join(map(str, loc[-1:])) + (value if isinstance(value, str) else "")
    if "\0" in written:
        yield ConfigError(
            path,
            shown_key(_dotted(loc)),
            None,
            "has a null character",
            remedy="write it without \\u0000",
        )


def shown_key(key: str) -> str:
    """The key as a message may hold it: null characters are written out."""
    return key.replace("\0", "\\u0000")


def _leaves(value: Any, key: str) -> list[tuple[str, Any]]:
    """Every value of a section that is no section itself."""
    if isinstance(value, Mapping):
        return [pair for k, v in value.items() for pair in _leaves(v, f"{key}.{k}")]
    return [] if "." not in key else [(key, value)]


def _number(value: Any) -> float | None:
    """The number; not a number for what pydantic would take for one; None for all the rest."""
    if isinstance(value, bool | str):
        return math.nan
    try:
        return float(value) if isinstance(value, int | float) else None
    except OverflowError:
        return math.inf


def _problems(error: ValidationError) -> list[dict[str, Any]]:
    """Pydantic's list, less what only follows from another mistake."""
    found: list[dict[str, Any]] = [dict(problem) for problem in error.errors(include_url=False)]
    places: list[tuple[Any, ...]] = [tuple(problem["loc"]) for problem in found]

    def follows(problem: dict[str, Any]) -> bool:
        here = tuple(problem["loc"])
        deeper = (place for place in places if len(place) > len(here))
        return problem["type"] == "too_short" and any(p[: len(here)] == here for p in deeper)

    return [problem for problem in found if not follows(problem)]


def _one(problem: dict[str, Any], root: type[BaseModel], path: Path | None) -> ConfigError:
    loc = problem["loc"]
    key = _dotted(loc)
    value = _shown(problem.get("input"))
    if _is_secret(key) or isinstance(value, dict | list):
        value = None
    kind, context = problem["type"], problem.get("ctx", {})
    if kind in ("extra_forbidden", "unexpected_keyword_argument"):
        known = _known_keys(root, loc[:-1])
        close = difflib.get_close_matches(str(loc[-1]), known, n=1)
        remedy = f'did you mean "{close[0]}"?' if close else f"known keys: {', '.join(known)}"
        return ConfigError(path, key, None, "is not a key we know", remedy=remedy)
    if kind == "missing":
        return ConfigError(path, key, None, "is missing", remedy="add it")
    if kind in ("literal_error", "enum"):
        return ConfigError(
            path, key, value, "is not allowed", remedy=f"choose from {context['expected']}"
        )
    if kind == "value_error":
        said = str(context["error"])
        problem_text, _, remedy = said.partition("; ")
        return ConfigError(path, key, value, problem_text, remedy=remedy or "mend it")
    bounds = {
        "greater_than": "more than {gt}",
        "greater_than_equal": "at least {ge}",
        "less_than": "less than {lt}",
        "less_than_equal": "at most {le}",
    }
    if kind in bounds:
        wanted = bounds[kind].format(**context)
        return ConfigError(path, key, value, "is out of range", remedy=f"write {wanted}")
    if kind == "string_pattern_mismatch":
        return ConfigError(
            path,
            key,
            value,
            "has another form than expected",
            remedy='write for example "20000-20999"',
        )
    if kind == "too_short":
        return ConfigError(path, key, None, "is empty", remedy="give at least one")
    for kinds, what, remedy in _WRONG_TYPES:
        if kind.startswith(kinds):
            return ConfigError(path, key, value, what, remedy=remedy.format(key=key))
    said = problem["msg"].replace("Input should be ", "should be ")
    return ConfigError(path, key, value, said[0].lower() + said[1:], remedy="correct the value")


def _shown(value: Any) -> Any:
    """The value, unless it is longer than a message should be."""
    if isinstance(value, int):
        return value if value.bit_length() <= 64 else None
    return value if not isinstance(value, str) or len(value) <= 200 else value[:200] + "..."


def _is_secret(key: str) -> bool:
    last = key.rpartition(".")[2].partition("[")[0]
    return last in _SECRET or key in _SECRET_SECTIONS


def _dotted(loc: tuple[Any, ...]) -> str:
    key = ""
    for part in loc:
        if isinstance(part, int):
            key += f"[{part + 1}]"
        else:
            key += ("." if key else "") + str(part)
    return key or "the file"


def _known_keys(root: type[BaseModel], loc: tuple[Any, ...]) -> list[str]:
    """The keys allowed at a place in the file."""
    kind: Any = root
    for part in loc:
        if not (isinstance(kind, type) and issubclass(kind, BaseModel)):
            return []
        if part in kind.model_fields:
            kind = _section_in(kind.model_fields[part].annotation)
        # Else the part is the name of a line or group, or a number in a list: the kind stays.
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return sorted(kind.model_fields)
    return sorted(f.name for f in fields(kind)) if is_dataclass(kind) else []


def _section_in(annotation: Any) -> Any:
    """The section inside ``X``, ``X | None``, ``dict[str, X]`` or ``tuple[X, ...]``."""
    if isinstance(annotation, type) and (
        is_dataclass(annotation) or issubclass(annotation, BaseModel)
    ):
        return annotation
    inner = (_section_in(argument) for argument in get_args(annotation))
    return next((found for found in inner if found is not None), None)
