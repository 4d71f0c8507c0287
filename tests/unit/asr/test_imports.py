"""How the modules of asr hang together."""

from __future__ import annotations

from graphlib import TopologicalSorter

import pytest

grimp = pytest.importorskip("grimp", reason="import-linter is not installed: make setup-tests")


@pytest.fixture(scope="module")
def imports() -> dict[str, set[str]]:
    """Each module of asr, and those of asr that it imports, functions' own imports included."""
    graph = grimp.build_graph("asr", cache_dir=None)
    return {name: graph.find_modules_directly_imported_by(name) for name in graph.modules}


def test_no_module_imports_itself_through_others(imports: dict[str, set[str]]) -> None:
    """
    A circle would raise CycleError, naming its modules.
    """
    order = list(TopologicalSorter(imports).static_order())

    assert set(imports) == set(order)


def test_recognition_needs_no_training(imports: dict[str, set[str]]) -> None:
    """
    Training, and measuring with made-up callers, build on recognition and never the other way.
    """
    tools = ("asr.training", "asr.evaluate")
    wrong = {
        (name, imported)
        for name, found in imports.items()
        for imported in found
        if imported.startswith(tools) and not name.startswith(tools)
    }

    assert set() == wrong
