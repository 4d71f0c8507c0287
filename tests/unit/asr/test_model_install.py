"""Installing models: whole or not at all."""

from __future__ import annotations

import hashlib
import os
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from asr.errors import ModelInstallError
from asr.model_files.files import embedded_model_dir
from asr.model_files.record import RECORD_FILE, Trust
from asr.models.check import load_check
from asr.models.install import check_licence, install
from asr.models.manifest import ModelEntry, ModelFile
from asr.models.sources import Request
from asr.models.store import ModelStore
from tests.unit.asr.model_entries import NO_ENGINE, QUICK, WEIGHTS, entry_of, visible
from tests.unit.asr.model_server import ModelServer, cut

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
    assert store.get("test-nl").directory == model.directory
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


# Whether it is the model it should be.


def test_other_model_than_the_one_named_is_told(store: ModelStore, archive: Path) -> None:
    """
    A whole archive, of something else.
    """
    entry = replace(entry_of(archive), requires=("encoder.int8.onnx",))

    with pytest.raises(ModelInstallError, match=r"holds no encoder\.int8\.onnx"):
        install(store, entry, Request(source=archive))
    assert [] == visible(store)


def test_refused_archive_leaves_no_octets(
    store: ModelStore, server: ModelServer, tmp_path: Path
) -> None:
    """
    What can never be used is deleted, and said so; the message names its address.
    """
    escape = tmp_path / "escape.zip"
    with zipfile.ZipFile(escape, "w") as packed:
        packed.writestr("../evil.txt", "x")
    url = server.put("escape.zip", escape.read_bytes())
    said: list[str] = []

    with pytest.raises(ModelInstallError, match="does not stay within") as caught:
        install(store, entry_of(escape, url), Request(say=said.append))

    assert str(caught.value).startswith(f"{url}: entry")
    assert not store.downloads("test-nl").exists()
    assert "what was downloaded is deleted: it can never be used" in said


def test_download_that_another_try_can_use_is_kept_and_told(
    store: ModelStore, server: ModelServer, archive: Path
) -> None:
    """
    Whole, but not loaded: another engine or more memory may do; an archive given is left alone.
    """
    entry = entry_of(archive, server.put("model-1.0.zip", archive.read_bytes()))
    said: list[str] = []

    with pytest.raises(ModelInstallError, match="vosk does not load it"):
        install(store, replace(entry, engine="vosk"), Request(say=said.append))

    kept = store.downloads("test-nl")
    assert archive.stat().st_size == (kept / "model-1.0.zip.part").stat().st_size
    assert any(str(kept) in words for words in said)
    assert install(store, entry, Request()).problem == ""
    assert 1 == len(server.seen)


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
    ours = Path(__file__).parents[3]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), str(ours)]))

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
