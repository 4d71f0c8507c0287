"""Whatever an archive holds, unpacking stays in its folder and ends with files or our own error."""

from __future__ import annotations

import io
import tarfile
import tempfile
import warnings
import zipfile
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asr.errors import ModelInstallError
from asr.models.manifest import ARCHIVES
from asr.models.unpack import kind_of, safe_parts, unpack

NAMES = st.text(alphabet="ab./\\:\0\n é~-", min_size=1, max_size=12)


def make(kind: str, names: list[str]) -> bytes:
    octets = io.BytesIO()
    if kind == "zip":
        with warnings.catch_warnings(), zipfile.ZipFile(octets, "w") as packed:
            warnings.simplefilter("ignore")
            for name in names:
                info = zipfile.ZipInfo("x")
                info.filename = name
                packed.writestr(info, name.encode())
    else:
        with tarfile.open(fileobj=octets, mode="w:gz") as packed_tar:
            for name in names:
                member = tarfile.TarInfo(name)
                member.size = len(name.encode())
                packed_tar.addfile(member, io.BytesIO(name.encode()))
    return octets.getvalue()


def try_to_unpack(octets: bytes, kind: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        around = Path(folder)
        archive, target = around / "archive", around / "inner" / "target"
        archive.write_bytes(octets)
        target.mkdir(parents=True)
        before = {archive, around / "inner", target}
        with suppress(ModelInstallError):
            unpack(archive, kind, target)
        outside = {path for path in around.rglob("*") if not path.is_relative_to(target)}
        assert before - {target} == outside
        assert not any(path.is_symlink() for path in target.rglob("*"))


@pytest.mark.parametrize("kind", ["zip", "tar.gz"])
@settings(max_examples=60)
@given(names=st.lists(NAMES, min_size=1, max_size=4))
def test_no_name_leads_out_of_the_folder(kind: str, names: list[str]) -> None:
    """
    Any mixture of dots, slashes, backslashes, colons and control characters.
    """
    try_to_unpack(make(kind, names), kind)


@pytest.mark.parametrize("kind", ["zip", "tar.gz"])
@settings(max_examples=60)
@given(data=st.data())
def test_damaged_archives_are_told_and_nothing_else(kind: str, data: st.DataObject) -> None:
    """
    A few octets changed anywhere: whole files, or our error; no other exception.
    """
    octets = bytearray(make(kind, ["m/am/final.mdl", "m/conf/a", "m/b"]))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(octets) - 1))
        octets[at] = data.draw(st.integers(0, 255))

    try_to_unpack(bytes(octets), kind)


@given(st.text(max_size=40))
def test_safe_names_stay_safe_however_they_are_joined(name: str) -> None:
    """
    What passes has no part that means another folder.
    """
    parts = safe_parts(name)

    if parts is not None:
        path = Path("/models/x").joinpath(*parts)
        assert Path("/models/x") in path.parents
        assert ".." not in path.parts


@given(st.binary(max_size=600))
def test_kind_is_told_or_refused(octets: bytes) -> None:
    """
    Of any file at all.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x"
        path.write_bytes(octets)
        with suppress(ModelInstallError):
            assert kind_of(path) in ARCHIVES
