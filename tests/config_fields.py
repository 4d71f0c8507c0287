"""Sections of the configuration that are dataclasses, compared by their values."""

from __future__ import annotations

from typing import Any


def fields_of(section: Any, kind: type[Any]) -> dict[str, Any]:
    """The fields of ``kind`` that ``section`` has; a subclass equals no instance of its base."""
    return {name: getattr(section, name) for name in kind.__dataclass_fields__}
