"""Where a model comes from, and why it is believed: hashes, mirrors, folders and archives."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import pytest

from asr.errors import ModelInstallError
from asr.model_files.record import Trust
from asr.models.install import install
from asr.models.manifest import ModelEntry, ModelFile
from asr.models.sources import Request
from asr.models.store import ModelStore
from tests.unit.asr.model_entries import NO_ENGINE, WEIGHTS, entry_of, unpinned, visible
from tests.unit.asr.model_server import ModelServer

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


def test_archive_without_the_models_files_is_named_itself(
    store: ModelStore, archive: Path, tmp_path: Path
) -> None:
    """
    Not the folder that it was unpacked to, which is gone by then; the record names it too.
    """
    file = ModelFile(url="https://models.example/model.bin", name="model.bin", sha256=None)
    entry = ModelEntry(
        name="hub", title="Hub", engine=NO_ENGINE, language="nl", version="1", licence="MIT",
        files=(file,),
    )  # fmt: skip

    with pytest.raises(ModelInstallError, match=r"holds no model\.bin: this is not Hub") as caught:
        install(store, entry, Request(source=archive, trust_first=True))
    assert str(archive) in str(caught.value)
    assert ".staging" not in str(caught.value)

    (tmp_path / "right").mkdir()
    (tmp_path / "right" / "model.bin").write_bytes(WEIGHTS)
    right = Path(shutil.make_archive(str(tmp_path / "right"), "zip", tmp_path / "right"))
    record = install(store, entry, Request(source=right, trust_first=True)).record
    assert record is not None
    assert [f"{right}/model.bin"] == [source.origin for source in record.sources]


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
