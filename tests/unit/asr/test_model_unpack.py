"""Archives, real ones made here: what a model needs is unpacked, what does harm is refused."""

from __future__ import annotations

import io
import stat
import tarfile
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from asr.errors import ModelInstallError
from asr.models.unpack import Bounds, archive_octets, kind_of, unpack

FILES = {"model-1/am/final.mdl": b"weights" * 100, "model-1/conf/mfcc.conf": b"--rate\n"}
KINDS = ("zip", "tar", "tar.gz", "tar.bz2", "tar.xz")


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """A folder beside which other things lie that no archive may touch."""
    folder = tmp_path / "around" / "model"
    folder.mkdir(parents=True)
    (tmp_path / "around" / "precious").write_text("mine")
    return folder


def write_zip(path: Path, entries: dict[str, bytes]) -> Path:
    with warnings.catch_warnings(), zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        warnings.simplefilter("ignore")  # zipfile warns of names that are there twice
        for name, content in entries.items():
            packed.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
    return path


def write_tar(path: Path, entries: dict[str, bytes], kind: str = "tar.gz") -> Path:
    mode = {"tar": "w", "tar.gz": "w:gz", "tar.bz2": "w:bz2", "tar.xz": "w:xz"}[kind]
    with tarfile.open(path, mode) as packed:  # type: ignore[call-overload]
        for name, content in entries.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            packed.addfile(member, io.BytesIO(content))
    return path


def write(path: Path, kind: str, entries: dict[str, bytes]) -> Path:
    return write_zip(path, entries) if kind == "zip" else write_tar(path, entries, kind)


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def nothing_outside(target: Path) -> bool:
    around = target.parent
    beside = {path.name for path in around.iterdir()} | {p.name for p in around.parent.iterdir()}
    return (around / "precious").read_text() == "mine" and beside <= {
        "model", "precious", "around", "archive",
    }  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_files_come_out_without_the_folder_around_them(
    tmp_path: Path, target: Path, kind: str
) -> None:
    """
    Of every kind, found by its first octets, not by its name.
    """
    archive = write(tmp_path / "archive", kind, FILES)

    unpack(archive, kind_of(archive), target)

    assert kind == kind_of(archive)
    assert {"am/final.mdl": b"weights" * 100, "conf/mfcc.conf": b"--rate\n"} == contents(target)


def test_several_things_at_the_top_stay_where_they_are(tmp_path: Path, target: Path) -> None:
    """
    There is no single folder to leave out.
    """
    files = {"am/final.mdl": b"x", "README": b"y"}

    unpack(write_zip(tmp_path / "archive", files), "zip", target)

    assert files == contents(target)


def test_folder_of_the_same_name_inside_survives(tmp_path: Path, target: Path) -> None:
    """
    Leaving out the outer folder does not lose the inner one.
    """
    unpack(write_zip(tmp_path / "archive", {"m/m/a": b"1", "m/b": b"2"}), "zip", target)

    assert {"m/a": b"1", "b": b"2"} == contents(target)


def test_what_a_mac_adds_is_left_out(tmp_path: Path, target: Path) -> None:
    """
    Its copies of every file are no part of the model.
    """
    files = {"m/am/a": b"1", "m/.DS_Store": b"2", "__MACOSX/m/._am": b"3"}

    unpack(write_zip(tmp_path / "archive", files), "zip", target)

    assert {"am/a": b"1"} == contents(target)


@pytest.mark.parametrize("kind", ["zip", "tar.gz"])
@pytest.mark.parametrize(
    "name",
    [
        "../precious", "m/../../precious", "/wegwijs-escaped", "m/..", "..", "C:/x", "m\\..\\x",
        "m/a\nb", "m/\x7f", "m/" + "d/" * 20 + "x", "m/" + "x" * 300, "//x",
    ],
)  # fmt: skip
def test_names_that_lead_astray_are_refused(
    tmp_path: Path, target: Path, kind: str, name: str
) -> None:
    """
    Nothing is written outside, and the message names the entry.
    """
    archive = write(tmp_path / "archive", kind, {"m/fine": b"x", name: b"evil"})

    with pytest.raises(ModelInstallError, match=r"entry '.*' does not stay within") as told:
        unpack(archive, kind, target)
    assert "\n" not in str(told.value)
    assert nothing_outside(target)
    assert not Path("/wegwijs-escaped").exists()


@pytest.mark.parametrize("kind", ["zip", "tar.gz"])
@pytest.mark.parametrize(
    "names",
    [("m/a", "m/a"), ("m/a", "M/A"), ("m/\u00e9", "m/e\u0301"), ("m/a", "m/./a"), ("m/ß", "m/SS")],
)
def test_one_file_cannot_replace_another(
    tmp_path: Path, target: Path, kind: str, names: tuple[str, str]
) -> None:
    """
    Not under the same name, nor under one that some file systems take for the same.
    """
    path = tmp_path / "archive"
    if kind == "zip":
        with warnings.catch_warnings(), zipfile.ZipFile(path, "w") as packed:
            warnings.simplefilter("ignore")
            for name in names:
                packed.writestr(zipfile.ZipInfo(name), b"x")
    else:
        with tarfile.open(path, "w:gz") as packed_tar:
            for name in names:
                packed_tar.addfile(tarfile.TarInfo(name), io.BytesIO())

    with pytest.raises(ModelInstallError, match="is there twice"):
        unpack(path, kind, target)


@pytest.mark.parametrize("kind", ["zip", "tar.gz"])
def test_file_cannot_be_a_folder_too(tmp_path: Path, target: Path, kind: str) -> None:
    """
    A folder that is a file by then would be followed.
    """
    archive = write(tmp_path / "archive", kind, {"m/a": b"x", "m/a/b": b"y"})

    with pytest.raises(ModelInstallError, match="lies below a file"):
        unpack(archive, kind, target)


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE]
)
def test_links_and_devices_in_a_tar_are_refused(tmp_path: Path, target: Path, kind: bytes) -> None:
    """
    A link could point anywhere, and what follows could be written through it.
    """
    archive = tmp_path / "archive"
    with tarfile.open(archive, "w:gz") as packed:
        member = tarfile.TarInfo("m/link")
        member.type, member.linkname = kind, "../.."
        packed.addfile(member)
        packed.addfile(tarfile.TarInfo("m/link/precious"), io.BytesIO())

    with pytest.raises(ModelInstallError, match="'m/link' is a link or a device"):
        unpack(archive, "tar.gz", target)
    assert {} == contents(target)
    assert nothing_outside(target)


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFCHR, stat.S_IFIFO, stat.S_IFSOCK])
def test_links_and_devices_in_a_zip_are_refused(tmp_path: Path, target: Path, kind: int) -> None:
    """
    Zip knows links too, by the file's mode.
    """
    archive = tmp_path / "archive"
    with zipfile.ZipFile(archive, "w") as packed:
        info = zipfile.ZipInfo("m/link")
        info.external_attr = (kind | 0o777) << 16
        packed.writestr(info, "../..")

    with pytest.raises(ModelInstallError, match="'m/link' is a link or a device"):
        unpack(archive, "zip", target)
    assert {} == contents(target)


def test_encrypted_entry_is_refused(tmp_path: Path, target: Path) -> None:
    """
    Models have no passwords.
    """
    archive = write_zip(tmp_path / "archive", {"m/a": b"x"})
    octets = bytearray(archive.read_bytes())
    octets[octets.index(b"PK\x01\x02") + 8] |= 1
    archive.write_bytes(bytes(octets))

    with pytest.raises(ModelInstallError, match="is encrypted"):
        unpack(archive, "zip", target)


@pytest.mark.parametrize("kind", ["zip", "tar.gz", "tar.bz2"])
def test_bomb_is_stopped_before_it_bursts(tmp_path: Path, target: Path, kind: str) -> None:
    """
    24 MB of nothing in a small archive: cut off at 16 MB.
    """
    archive = write(tmp_path / "archive", kind, {"m/zeros": bytes(24 << 20)})

    with pytest.raises(ModelInstallError, match="unpacks to more than 16777216 octets"):
        unpack(archive, kind, target)
    assert sum(len(octets) for octets in contents(target).values()) <= 16 << 20


def test_tar_header_cannot_fill_the_memory(tmp_path: Path, target: Path) -> None:
    """
    A name of 100 MB, which tarfile would read whole, ends at the bound too.
    """
    archive = tmp_path / "archive"
    header = tarfile.TarInfo("././@LongLink")
    header.type, header.size = tarfile.GNUTYPE_LONGNAME, 100 << 20
    import gzip

    with gzip.open(archive, "wb", compresslevel=1) as stream:
        stream.write(header.tobuf(tarfile.GNU_FORMAT))
        for _ in range(100):
            stream.write(b"a" * (1 << 20))

    with pytest.raises(ModelInstallError, match="unpacks to more than"):
        unpack(archive, "tar.gz", target)


@pytest.mark.parametrize("kind", ["zip", "tar.gz"])
def test_number_of_files_is_bounded(tmp_path: Path, target: Path, kind: str) -> None:
    """
    A model has tens of files.
    """
    archive = write(tmp_path / "archive", kind, {f"m/{n}": b"" for n in range(30)})

    with pytest.raises(ModelInstallError, match="one too many: over 20 files"):
        unpack(archive, kind, target, Bounds(files=20))


@pytest.mark.parametrize("kind", KINDS)
def test_archive_cut_short_is_damaged(tmp_path: Path, target: Path, kind: str) -> None:
    """
    Half a download is told as such.
    """
    content = bytes(range(256)) * 400
    archive = write(tmp_path / "archive", kind, {"m/a": content, "m/b": content[::-1]})
    archive.write_bytes(archive.read_bytes()[: archive.stat().st_size // 2])

    with pytest.raises(ModelInstallError, match=rf"is not a whole {kind} archive.*again"):
        unpack(archive, kind, target)


def test_zip_with_other_octets_than_it_says_is_damaged(tmp_path: Path, target: Path) -> None:
    """
    Every entry's checksum is looked at.
    """
    archive = tmp_path / "archive"
    with zipfile.ZipFile(archive, "w") as packed:
        packed.writestr("m/a", b"weights")
    archive.write_bytes(archive.read_bytes().replace(b"weights", b"weightz"))

    with pytest.raises(ModelInstallError, match="not a whole zip archive"):
        unpack(archive, "zip", target)


@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_archive_without_files_is_no_model(tmp_path: Path, target: Path, kind: str) -> None:
    """
    An empty one unpacks to nothing that could be loaded.
    """
    archive = write(tmp_path / "archive", kind, {})

    with pytest.raises(ModelInstallError, match="holds no files"):
        unpack(archive, kind, target)


@pytest.mark.parametrize("content", [b"", b"<html>404</html>", b"\x00" * 2000])
def test_what_is_no_archive_is_told(tmp_path: Path, content: bytes) -> None:
    """
    A login page saved as model.zip, for example.
    """
    path = tmp_path / "model.zip"
    path.write_bytes(content)

    with pytest.raises(ModelInstallError, match=r"model\.zip: is not an archive"):
        kind_of(path)


def test_unpacked_size_is_known_beforehand_where_the_archive_says_so(tmp_path: Path) -> None:
    """
    The free space is asked for before the first file is written.
    """
    size: Callable[[str], int] = lambda kind: archive_octets(  # noqa: E731
        write(tmp_path / kind, kind, FILES), kind
    )

    assert sum(map(len, FILES.values())) == size("zip")
    assert 0 == size("tar.gz")
