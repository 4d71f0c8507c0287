"""Installing, verifying and removing models: whole or not at all."""

from __future__ import annotations

import hashlib
import json
import shutil
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from asr.errors import ModelDamagedError, ModelInstallError, ModelMissingError
from asr.models.check import load_check
from asr.models.download import Patience
from asr.models.files import embedded_model_dir, verify_model
from asr.models.install import check_licence, install
from asr.models.manifest import ModelEntry, ModelFile
from asr.models.record import RECORD_FILE, Trust
from asr.models.sources import Request
from asr.models.store import ModelStore, installed_model_dir, resolve_model
from tests.unit.asr.model_server import ModelServer, cut, running

NO_ENGINE = "none"
"""No such engine: nothing is loaded, which keeps most of these tests quick."""
WEIGHTS = np.random.default_rng(3).bytes(200_000)
QUICK = Patience(stall_seconds=5.0, attempts=1, pause_seconds=0.01)


@pytest.fixture
def store(tmp_path: Path) -> ModelStore:
    return ModelStore(tmp_path / "home" / "models" / "asr")


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with running() as started:
        yield started


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    path = tmp_path / "model-1.0.zip"
    with zipfile.ZipFile(path, "w") as packed:
        packed.writestr("model-1.0/am/final.mdl", WEIGHTS)
        packed.writestr("model-1.0/conf/mfcc.conf", "--sample-frequency=8000\n")
    return path


def entry_of(archive: Path, url: str = "https://models.example/model-1.0.zip") -> ModelEntry:
    octets = archive.read_bytes()
    file = ModelFile(
        url=url,
        name=archive.name,
        size_octets=len(octets),
        sha256=hashlib.sha256(octets).hexdigest(),
        unpack="zip",
    )
    return ModelEntry(
        name="test-nl", title="Test model", engine=NO_ENGINE, language="nl", version="1.0",
        licence="Apache-2.0", requires=("am/final.mdl",), files=(file,),
    )  # fmt: skip


def unpinned(entry: ModelEntry) -> ModelEntry:
    files = tuple(replace(file, sha256=None, size_octets=None) for file in entry.files)
    return replace(entry, files=files)


def visible(store: ModelStore) -> list[str]:
    return [path.name for path in store.root.glob("*") if not path.name.startswith(".")]


# The whole way.


def test_model_is_fetched_checked_unpacked_and_recorded(
    store: ModelStore, server: ModelServer, archive: Path
) -> None:
    """
    What is in the store is what the server had, with where it came from.
    """
    entry = entry_of(archive, server.put("model-1.0.zip", archive.read_bytes()))

    model = install(store, entry, Request())

    assert WEIGHTS == (store.root / "test-nl" / "am" / "final.mdl").read_bytes()
    assert installed_model_dir("test-nl", store.root) == model.directory
    record = model.record
    assert record is not None
    assert ("1.0", "Apache-2.0", Trust.PUBLISHED) == (record.version, record.licence, record.trust)
    assert [(entry.files[0].url, entry.files[0].sha256)] == [
        (source.origin, source.sha256) for source in record.sources
    ]
    assert ["am/final.mdl", "conf/mfcc.conf"] == [file.name for file in record.files]
    assert "there is no such engine" in record.load_check
    assert store.verify("test-nl") == record
    assert [] == list(store.root.glob(".staging-*"))
    assert not store.downloads("test-nl").exists()


def test_installing_again_changes_nothing(
    store: ModelStore, server: ModelServer, archive: Path
) -> None:
    """
    No request, no new file.
    """
    entry = entry_of(archive, server.put("model-1.0.zip", archive.read_bytes()))
    install(store, entry, Request())
    before = (store.root / "test-nl" / RECORD_FILE).stat().st_mtime_ns

    install(store, entry, Request())

    assert 1 == len(server.seen)
    assert before == (store.root / "test-nl" / RECORD_FILE).stat().st_mtime_ns


def test_force_replaces_what_is_there(store: ModelStore, archive: Path) -> None:
    """
    A damaged model is whole again, and nothing of the old one stays.
    """
    entry = entry_of(archive)
    install(store, entry, Request(source=archive))
    (store.root / "test-nl" / "am" / "final.mdl").write_bytes(b"damage")
    (store.root / "test-nl" / "left-over").write_bytes(b"")
    with pytest.raises(ModelInstallError, match="--force"):
        install(store, entry, Request(source=archive))

    install(store, entry, Request(source=archive, force=True))

    store.verify("test-nl")
    assert ["test-nl"] == visible(store)
    assert [] == list(store.root.glob(".replaced-*"))


def test_another_version_wants_to_be_forced(store: ModelStore, archive: Path) -> None:
    """
    An update of the manifest does not swap a model in use.
    """
    install(store, entry_of(archive), Request(source=archive))

    with pytest.raises(ModelInstallError, match=r"in version 1\.0; this is 2\.0.*--force"):
        install(store, replace(entry_of(archive), version="2.0"), Request(source=archive))


def test_model_of_several_files_is_fetched_file_by_file(
    store: ModelStore, server: ModelServer
) -> None:
    """
    As hubs have them: each with its own size and hash; one that breaks off is taken up alone.
    """
    contents = {"config.json": b"{}", "model.bin": WEIGHTS}
    files = tuple(
        ModelFile(
            url=server.put(f"commit/{name}", octets), name=name, size_octets=len(octets),
            sha256=hashlib.sha256(octets).hexdigest(),
        )
        for name, octets in contents.items()
    )  # fmt: skip
    server.files["/commit/model.bin"].answers.append(cut(1000))
    entry = ModelEntry(
        name="several", title="", engine=NO_ENGINE, language="nl", version="1", licence="MIT",
        requires=("model.bin",), files=files,
    )  # fmt: skip
    with pytest.raises(ModelInstallError, match="ended after 1000"):
        install(store, entry, Request(patience=QUICK))
    assert [] == visible(store)

    install(store, entry, Request(patience=QUICK))

    assert WEIGHTS == (store.root / "several" / "model.bin").read_bytes()
    asked = [(seen.path, seen.headers.get("Range")) for seen in server.seen]
    assert [
        ("/commit/config.json", None), ("/commit/model.bin", None),
        ("/commit/model.bin", "bytes=1000-"),
    ] == asked  # fmt: skip


def test_mirror_replaces_the_address_and_not_the_hash(
    store: ModelStore, server: ModelServer, archive: Path
) -> None:
    """
    The organisation's own server is asked, and believed no more than any other.
    """
    entry = entry_of(archive)
    server.put("mirror/test-nl/model-1.0.zip", b"x" * archive.stat().st_size)
    with pytest.raises(ModelInstallError, match="another file than the one wanted"):
        install(store, entry, Request(mirror=server.url("mirror/")))

    server.put("mirror/test-nl/model-1.0.zip", archive.read_bytes())
    install(store, entry, Request(mirror=server.url("mirror")))

    assert ["test-nl"] == visible(store)


# Trust.


def test_without_published_hash_nothing_is_taken(store: ModelStore, archive: Path) -> None:
    """
    The refusal says what the user can do; no request is made.
    """
    with pytest.raises(ModelInstallError, match=r"no published SHA-256.*--sha256.*--trust-first"):
        install(store, unpinned(entry_of(archive)), Request())
    assert [] == visible(store)


def test_hash_given_by_the_user_counts(store: ModelStore, archive: Path) -> None:
    """
    The right one installs, a wrong one does not.
    """
    entry = unpinned(entry_of(archive))
    right = hashlib.sha256(archive.read_bytes()).hexdigest()
    with pytest.raises(ModelInstallError, match=f"its SHA-256 is {right}, not {'0' * 64}"):
        install(store, entry, Request(source=archive, sha256="0" * 64))

    model = install(store, entry, Request(source=archive, sha256=right))

    assert model.record is not None
    assert Trust.GIVEN is model.record.trust


def test_hash_that_contradicts_the_manifest_is_refused(store: ModelStore, archive: Path) -> None:
    """
    Two truths: somebody is mistaken, and a person must find out who.
    """
    with pytest.raises(ModelInstallError, match="has the published SHA-256"):
        install(store, entry_of(archive), Request(source=archive, sha256="0" * 64))


def test_trusted_first_download_is_shown_and_pinned(
    store: ModelStore, server: ModelServer, archive: Path
) -> None:
    """
    What was trusted once is what must come the next time.
    """
    entry = unpinned(entry_of(archive, server.put("model-1.0.zip", archive.read_bytes())))
    told: list[str] = []
    model = install(store, entry, Request(trust_first=True, say=told.append))
    assert model.record is not None
    assert Trust.FIRST is model.record.trust
    seen = model.record.sources[0].sha256
    assert any(seen in words for words in told)

    install(store, entry, Request(force=True))
    server.put("model-1.0.zip", archive.read_bytes() + b"\0")
    with pytest.raises(ModelInstallError, match=f"not {seen}"):
        install(store, entry, Request(force=True, trust_first=True))

    store.verify("test-nl")


def test_tampered_archive_leaves_the_store_empty(
    store: ModelStore, server: ModelServer, archive: Path
) -> None:
    """
    One octet differs: nothing is unpacked.
    """
    octets = bytearray(archive.read_bytes())
    octets[1000] ^= 1
    entry = entry_of(archive, server.put("model-1.0.zip", bytes(octets)))

    with pytest.raises(ModelInstallError, match="another file than the one wanted"):
        install(store, entry, Request())
    assert [] == visible(store)


# Without internet.


def test_folder_with_the_archive_in_it_will_do(
    store: ModelStore, archive: Path, tmp_path: Path
) -> None:
    """
    A stick with everything on it.
    """
    stick = tmp_path / "stick"
    stick.mkdir()
    shutil.copy(archive, stick)

    assert install(store, entry_of(archive), Request(source=stick)).record is not None


@pytest.mark.parametrize("packed", [False, True])
def test_files_of_a_hub_are_taken_from_a_folder_or_an_archive(
    store: ModelStore, tmp_path: Path, packed: bool
) -> None:
    """
    Each is checked against the manifest; what else lies there stays there.
    """
    folder = tmp_path / "files"
    folder.mkdir()
    (folder / "model.bin").write_bytes(WEIGHTS)
    (folder / "notes.txt").write_text("of the person who copied it")
    file = ModelFile(
        url="https://models.example/model.bin", name="model.bin", size_octets=len(WEIGHTS),
        sha256=hashlib.sha256(WEIGHTS).hexdigest(),
    )  # fmt: skip
    entry = ModelEntry(
        name="hub", title="", engine=NO_ENGINE, language="nl", version="1", licence="MIT",
        files=(file,),
    )  # fmt: skip
    source = Path(shutil.make_archive(str(tmp_path / "p"), "gztar", folder)) if packed else folder

    model = install(store, entry, Request(source=source))
    assert model.record is not None
    assert ["model.bin"] == [file.name for file in model.record.files]

    (folder / "model.bin").write_bytes(WEIGHTS[::-1])
    with pytest.raises(ModelInstallError, match=r"model\.bin: is another file"):
        install(store, entry, Request(source=folder, force=True))
    (folder / "model.bin").unlink()
    with pytest.raises(ModelInstallError, match=r"model\.bin: is missing"):
        install(store, entry, Request(source=folder, force=True))
    store.verify("hub")


def test_unpacked_folder_has_to_be_trusted(
    store: ModelStore, archive: Path, tmp_path: Path
) -> None:
    """
    The published hash is the archive's: nobody can compare the files.
    """
    folder = tmp_path / "unpacked"
    (folder / "am").mkdir(parents=True)
    (folder / "am" / "final.mdl").write_bytes(WEIGHTS)
    with pytest.raises(ModelInstallError, match=r"cannot be compared.*--trust-first"):
        install(store, entry_of(archive), Request(source=folder))

    model = install(store, entry_of(archive), Request(source=folder, trust_first=True))

    assert model.record is not None
    assert Trust.FIRST is model.record.trust


def test_folder_with_a_link_is_refused(store: ModelStore, archive: Path, tmp_path: Path) -> None:
    """
    It could lead to a secret of this machine.
    """
    folder = tmp_path / "unpacked"
    folder.mkdir()
    (folder / "final.mdl").symlink_to("/etc/hostname")

    with pytest.raises(ModelInstallError, match=r"final\.mdl: is a link or a device"):
        install(store, entry_of(archive), Request(source=folder, trust_first=True))


def test_path_that_is_not_there_is_named(store: ModelStore, archive: Path, tmp_path: Path) -> None:
    """
    A misspelt --from.
    """
    with pytest.raises(ModelInstallError, match=r"nope: is neither a file nor a folder.*--from"):
        install(store, entry_of(archive), Request(source=tmp_path / "nope"))


def test_other_model_than_the_one_named_is_told(store: ModelStore, archive: Path) -> None:
    """
    A whole archive, of something else.
    """
    entry = replace(entry_of(archive), requires=("encoder.int8.onnx",))

    with pytest.raises(ModelInstallError, match=r"holds no encoder\.int8\.onnx"):
        install(store, entry, Request(source=archive))
    assert [] == visible(store)


def test_engine_that_refuses_the_model_stops_the_installation(
    store: ModelStore, archive: Path
) -> None:
    """
    Found by loading it, in another process, before callers meet it.
    """
    entry = replace(entry_of(archive), engine="vosk")

    with pytest.raises(ModelInstallError, match="test-nl: vosk does not load it"):
        install(store, entry, Request(source=archive))
    assert [] == visible(store)


def test_engine_that_hangs_is_given_up() -> None:
    """
    The wait is bounded.
    """
    with pytest.raises(ModelInstallError, match=r"m: vosk does not load it within 0 s"):
        load_check("vosk", embedded_model_dir(), "m", timeout_seconds=0.01)


def test_engine_that_crashes_ends_only_its_own_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    A native library may abort on a model; the command survives and tells so.
    """
    (tmp_path / "vosk.py").write_text("import os\nos.abort()\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))

    with pytest.raises(ModelInstallError, match=r"m: vosk crashes on it \(SIGABRT\)"):
        load_check("vosk", embedded_model_dir(), "m")


# Space, other processes, interruptions.


def test_too_little_space_is_told_before_the_first_octet(
    store: ModelStore, server: ModelServer, archive: Path
) -> None:
    """
    With what there is and what is needed.
    """
    entry = entry_of(archive, server.put("model-1.0.zip", archive.read_bytes()))
    huge = replace(entry, files=(replace(entry.files[0], size_octets=1 << 50),))

    with pytest.raises(ModelInstallError, match=r"has \d+ MB free, test-nl needs \d+ MB"):
        install(store, huge, Request())
    assert [] == server.seen


def test_two_processes_do_not_install_the_same_model(store: ModelStore, archive: Path) -> None:
    """
    The second is told so at once; another model may be installed meanwhile.
    """
    with store.lock("test-nl"):
        with pytest.raises(ModelInstallError, match="by another process; wait"):
            install(store, entry_of(archive), Request(source=archive))
        (store.root / "test-nl").mkdir()
        with pytest.raises(ModelInstallError, match="by another process"):
            store.remove("test-nl")
        install(store, replace(entry_of(archive), name="other"), Request(source=archive))

    assert {"other", "test-nl"} == set(visible(store))


def test_what_a_killed_process_left_is_cleared_away(store: ModelStore, archive: Path) -> None:
    """
    Half-unpacked models go; a model that was being replaced comes back.
    """
    install(store, entry_of(archive), Request(source=archive))
    (store.root / ".staging-test-nl-abc" / "model").mkdir(parents=True)
    (store.root / ".staging-test-nl-large-abc").mkdir()
    (store.root / "test-nl").rename(store.root / ".replaced-test-nl-xyz")
    assert () == store.installed()

    install(store, entry_of(archive), Request(source=Path("/nonexistent")))

    store.verify("test-nl")
    assert {".staging-test-nl-large-abc"} == {path.name for path in store.root.glob(".s*-*")}


def test_folder_that_cannot_be_written_is_told(tmp_path: Path, archive: Path) -> None:
    """
    With the option that names another.
    """
    (tmp_path / "file").write_text("not a folder")

    with pytest.raises(ModelInstallError, match=r"cannot be written.*--models"):
        install(ModelStore(tmp_path / "file"), entry_of(archive), Request(source=archive))


# What is installed.


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
        installed_model_dir("test-nl", store.root)
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


# Licence.


def test_non_commercial_licence_is_confirmed_by_name(archive: Path) -> None:
    """
    Typed or given; nobody there to ask is a refusal; "yes" is none of it.
    """
    entry = replace(entry_of(archive), licence="CC-BY-NC-SA", non_commercial=True)

    check_licence(entry, "CC-BY-NC-SA")
    check_licence(entry, "cc-by-nc-sa-4.0")
    check_licence(entry, None, lambda question: " CC-BY-NC-SA\n")
    for answer in ("yes", "", "CC-BY", "CC-BY-NC-SA-and-more"):
        with pytest.raises(ModelInstallError, match="was not confirmed"):
            check_licence(
                entry,
                None,
                {f"Type {entry.licence} to confirm that your use is allowed: ": answer}.__getitem__,
            )
    with pytest.raises(ModelInstallError, match=r"nobody has confirmed.*--accept-licence CC"):
        check_licence(entry, None)
    with pytest.raises(ModelInstallError, match="has the licence CC-BY-NC-SA, not MIT"):
        check_licence(entry, "MIT")
    check_licence(entry_of(archive), None)
