"""What is installed: verified, named, found by a setting, and removed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from asr.errors import ModelDamagedError, ModelInstallError, ModelMissingError
from asr.model_files.files import embedded_model_dir, verify_model
from asr.model_files.record import RECORD_FILE
from asr.models.install import install
from asr.models.sources import Request
from asr.models.store import ModelStore, resolve_model
from tests.unit.asr.model_entries import NO_ENGINE, QUICK, WEIGHTS, entry_of, visible
from tests.unit.asr.model_server import ModelServer, cut


def test_damage_of_every_kind_is_found(store: ModelStore, archive: Path) -> None:
    """
    Changed, missing and added files, and the record itself.
    """
    install(store, entry_of(archive), Request(source=archive))
    folder = store.root / "test-nl"
    weights = folder / "am" / "final.mdl"

    weights.write_bytes(WEIGHTS[::-1])
    with pytest.raises(ModelDamagedError, match=r"final\.mdl: the file differs.*--force"):
        store.verify("test-nl")
    weights.write_bytes(WEIGHTS)
    (folder / "added").symlink_to("/etc/hostname")
    with pytest.raises(ModelDamagedError, match="added: the file is not in the record"):
        store.verify("test-nl")
    (folder / "added").unlink()
    weights.write_bytes(b"short")
    with pytest.raises(ModelDamagedError, match="another size"):
        store.get("test-nl")
    weights.unlink()
    with pytest.raises(ModelDamagedError, match=r"missing.*models install test-nl --force"):
        store.get("test-nl")
    for text in ("", "[]", "{}", '{"schema": 1}', '{"schema": 9}', "\udcff"):
        (folder / RECORD_FILE).write_bytes(text.encode("utf-8", "surrogateescape"))
        [found] = store.installed()
        assert "the record" in found.problem


def test_record_cannot_name_files_elsewhere(store: ModelStore, archive: Path) -> None:
    """
    A record that somebody wrote is read with care.
    """
    install(store, entry_of(archive), Request(source=archive))
    path = store.root / "test-nl" / RECORD_FILE
    record = json.loads(path.read_text(encoding="utf-8"))
    record["files"][0]["name"] = "../../../secret"
    path.write_text(json.dumps(record))

    with pytest.raises(ModelDamagedError, match="the record is not one of ours"):
        store.get("test-nl")


def test_installed_model_is_named_alike_on_every_machine(
    tmp_path: Path, store: ModelStore, archive: Path
) -> None:
    """
    By its octets, not by when and where it was installed: contact records name it so.
    """
    other = ModelStore(tmp_path / "elsewhere")
    names = []
    for place in (store, other):
        folder = install(place, entry_of(archive), Request(source=archive)).directory
        names.append(verify_model(folder, ("am/final.mdl",)))

    assert names[0] == names[1]
    (store.root / "test-nl" / "am" / "final.mdl").write_bytes(b"short")
    with pytest.raises(ModelDamagedError, match="another size"):
        verify_model(store.root / "test-nl", ("am/final.mdl",))


def test_model_is_removed_with_what_was_downloaded(
    store: ModelStore, server: ModelServer, archive: Path
) -> None:
    """
    And one that was never whole can be removed too.
    """
    install(store, entry_of(archive), Request(source=archive))
    store.remove("test-nl")
    assert [] == visible(store)
    with pytest.raises(ModelMissingError, match="installed are: none"):
        store.remove("test-nl")

    url = server.put("model-1.0.zip", archive.read_bytes(), cut(100))
    with pytest.raises(ModelInstallError):
        install(store, entry_of(archive, url), Request(patience=QUICK))
    store.remove("test-nl")
    assert not store.downloads("test-nl").exists()


@pytest.mark.parametrize("name", ["../x", "/etc", ".locks", "", "A B", "x/../y", "a..b"])
def test_names_are_no_paths(store: ModelStore, name: str) -> None:
    """
    Nothing outside the store is found or removed.
    """
    store.root.mkdir(parents=True)
    assert None is store.find(name)
    with pytest.raises(ModelMissingError):
        store.remove(name)


def test_setting_means_a_model_or_a_folder(
    store: ModelStore, archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    A name is an installed model first; a path is a folder.
    """
    model = install(store, entry_of(archive), Request(source=archive))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "test-nl").mkdir()
    (tmp_path / "only-a-folder").mkdir()

    assert (None, None) == (resolve_model(None, store.root).directory, None)
    found = resolve_model("Test-NL", store.root)
    assert (model.directory, NO_ENGINE) == (found.directory, found.engine)
    assert Path("test-nl") == resolve_model("./test-nl", store.root).directory
    assert Path("only-a-folder") == resolve_model("only-a-folder", store.root).directory
    assert NO_ENGINE == resolve_model(model.directory, store.root).engine
    assert embedded_model_dir() == resolve_model("asr-nl-8k", store.root).directory
    for wrong in ("nope", "./nope", "/nope/nope"):
        with pytest.raises(ModelMissingError):
            resolve_model(wrong, store.root)
