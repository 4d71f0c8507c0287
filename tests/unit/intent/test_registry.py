"""Versions of the model: kept, promoted, rolled back, never half written."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from intent.errors import ModelError
from intent.registry import POINTER, Registry
from intent.storage import ARRAYS, CARD, SUMS, load_model, save_model, write_sums

EMBEDDED = Path(__file__).parents[3] / "models" / "intent-nl"


def version_with(root: Path, note: int) -> str:
    """Store a copy of the embedded model that differs in one number."""
    model, _ = load_model(EMBEDDED)
    model.bias[0] += note
    draft = root / "draft"
    draft.mkdir(parents=True)
    version = save_model(draft, model, {"note": note})
    draft.rename(root / version)
    return version


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return Registry(tmp_path / "intent-nl", EMBEDDED)


def test_without_promotion_the_embedded_model_serves(registry: Registry) -> None:
    """
    An empty home folder is no obstacle.
    """
    assert EMBEDDED == registry.current()
    assert [True] == [v.current for v in registry.versions()]
    assert registry.load().version == registry.versions()[0].version


def test_promote_and_roll_back(registry: Registry, tmp_path: Path) -> None:
    """
    Each promotion is used at once, and rollback walks the same way back.
    """
    first, second = (version_with(tmp_path / "intent-nl", note) for note in (1, 2))

    registry.promote(first)
    registry.promote(second)

    assert second == registry.load().version
    assert first == registry.rollback().name
    assert first == registry.load().version
    assert EMBEDDED == registry.rollback()
    assert EMBEDDED == registry.current()
    with pytest.raises(ModelError, match="no earlier version"):
        registry.rollback()


def test_list_shows_what_is_in_use(registry: Registry, tmp_path: Path) -> None:
    """
    One line a version, the current one marked, a damaged one said to be so.
    """
    good, bad = (version_with(tmp_path / "intent-nl", note) for note in (1, 2))
    (tmp_path / "intent-nl" / bad / CARD).write_text("{}", encoding="utf-8")
    registry.promote(good)

    listed = {v.version: v for v in registry.versions()}

    assert listed[good].current
    assert not listed[good].damaged
    assert listed[bad].damaged
    assert 1 == registry.show(good)["note"]


@pytest.mark.parametrize("name", [ARRAYS, CARD, SUMS])
def test_changed_file_of_the_version_in_use_shows_in_the_list(
    registry: Registry, tmp_path: Path, name: str
) -> None:
    """
    As in use and damaged: no phone that starts now would load it.
    """
    version = version_with(tmp_path / "intent-nl", 1)
    registry.promote(version)
    with (tmp_path / "intent-nl" / version / name).open("ab") as file:
        file.write(b"\n")

    _, ours = registry.versions()

    assert (version, True, True) == (ours.version, ours.current, ours.damaged)


@pytest.mark.parametrize("name", [ARRAYS, CARD])
def test_changed_file_is_never_loaded(registry: Registry, tmp_path: Path, name: str) -> None:
    """
    One flipped octet: the model is refused with a remedy, before anything is read from it.
    """
    version = version_with(tmp_path / "intent-nl", 1)
    registry.promote(version)
    file = tmp_path / "intent-nl" / version / name
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(bytes(content))

    with pytest.raises(ModelError, match="SHA-256") as caught:
        registry.load()

    assert "damaged" == caught.value.reason
    assert "rollback" in caught.value.remedy


def test_exchanged_version_is_noticed(registry: Registry, tmp_path: Path) -> None:
    """
    New sums over new files are not what was promoted.
    """
    version = version_with(tmp_path / "intent-nl", 1)
    registry.promote(version)
    directory = tmp_path / "intent-nl" / version
    (directory / CARD).write_text("{}", encoding="utf-8")
    write_sums(directory)

    with pytest.raises(ModelError, match="has changed since"):
        registry.load()


def test_damaged_version_is_not_promoted(registry: Registry, tmp_path: Path) -> None:
    """
    A bad version leaves the running one in place.
    """
    good, bad = (version_with(tmp_path / "intent-nl", note) for note in (1, 2))
    registry.promote(good)
    (tmp_path / "intent-nl" / bad / ARRAYS).write_bytes(b"")

    with pytest.raises(ModelError):
        registry.promote(bad)

    assert good == registry.load().version


def test_missing_pieces_are_named(registry: Registry, tmp_path: Path) -> None:
    """
    No folder, no sums, an unknown name, a broken pointer: each says what to do.
    """
    version = version_with(tmp_path / "intent-nl", 1)
    registry.promote(version)
    shutil.rmtree(tmp_path / "intent-nl" / version)

    with pytest.raises(ModelError, match="rollback"):
        registry.load()
    with pytest.raises(ModelError, match="no version"):
        registry.promote("nl-000000000000")
    with pytest.raises(ModelError, match="no version"):
        registry.show("../../etc")
    (tmp_path / "intent-nl" / POINTER).write_text('{"current": "../x"}', encoding="utf-8")
    with pytest.raises(ModelError, match="not a pointer"):
        registry.current()
    with pytest.raises(ModelError) as caught:
        Registry(tmp_path / "none", tmp_path / "nothing").load()
    assert "missing" == caught.value.reason


def test_other_format_is_refused(tmp_path: Path) -> None:
    """
    A model of a later release is not guessed at.
    """
    version = version_with(tmp_path, 1)
    directory = tmp_path / version
    card = json.loads((directory / CARD).read_text(encoding="utf-8"))
    card["format"] = 99
    (directory / CARD).write_text(json.dumps(card), encoding="utf-8")
    write_sums(directory)

    with pytest.raises(ModelError, match="format 99") as caught:
        load_model(directory)

    assert "version" == caught.value.reason


def test_pickled_arrays_are_refused(tmp_path: Path) -> None:
    """
    Even with right sums nothing that executes code is read.
    """
    directory = tmp_path / version_with(tmp_path, 1)
    (directory / ARRAYS).write_bytes(b"\x80\x04N.")
    write_sums(directory)

    with pytest.raises(ModelError, match="not a model"):
        load_model(directory)


def test_same_model_same_version(tmp_path: Path) -> None:
    """
    The version is a fingerprint of the content.
    """
    one = version_with(tmp_path / "a", 1)
    two = version_with(tmp_path / "b", 1)
    other = version_with(tmp_path / "c", 2)

    assert one == two != other
    assert (tmp_path / "a" / one / SUMS).read_bytes() == (tmp_path / "b" / two / SUMS).read_bytes()


def test_folder_that_may_not_be_read_is_no_damage(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    Nobody is told to remove what another user made.
    """

    def refused(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_text", refused)
    with pytest.raises(ModelError, match=r"CURRENT: cannot be read \(Permission denied\)") as told:
        registry.current()
    assert "remove" not in str(told.value)

    monkeypatch.setattr(Path, "iterdir", refused)
    with pytest.raises(ModelError, match=r"cannot be read \(Permission denied\); give the folder"):
        registry.versions()
