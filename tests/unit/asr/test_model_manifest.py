"""Which models can be installed: the embedded manifest, and manifests that users write."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from asr.engines import ENGINES
from asr.errors import ManifestError
from asr.model_files.files import embedded_manifest, embedded_model_dir
from asr.models.manifest import load_manifest, read_manifest


def test_embedded_manifest_names_the_recommended_models() -> None:
    """
    Each with licence, language, a versioned https address, and where its hash comes from.
    """
    manifest = load_manifest()
    names = {entry.name for entry in manifest.entries}
    whispers = {f"whisper-{size}" for size in ("tiny", "base", "small", "medium", "large-v3")}

    assert {"vosk-small-nl", "vosk-large-nl", "parakeet-v3"} | whispers <= names
    for entry in manifest.entries:
        assert entry.licence
        assert entry.licence_url.startswith("https://")
        assert entry.language in ("nl", "multilingual")
        assert entry.engine in ENGINES
        assert entry.requires or not entry.is_pinned
        assert entry.size_octets
        for file in entry.files:
            assert file.url.startswith("https://")
            assert file.source
            assert "/main/" not in file.url
            assert "latest" not in file.url
            assert (file.sha256 is None) == (file.size_octets is None)
    large = manifest.find("vosk-model-nl-spraakherkenning-0.6")
    assert large is not None
    assert large.non_commercial
    assert [entry.name for entry in manifest.entries if not entry.is_pinned] == ["vosk-large-nl"]
    assert [entry.name for entry in manifest.entries if entry.non_commercial] == ["vosk-large-nl"]


def test_own_manifest_adds_and_replaces(tmp_path: Path) -> None:
    """
    Models of the organisation's own, in the embedded manifest's form.
    """
    path = tmp_path / "own.toml"
    path.write_text(
        """schema = 1
[models.vosk-small-nl]
engine = "vosk"
version = "ours"
licence = "own"
[[models.vosk-small-nl.files]]
url = "https://models.example/ours.zip"
unpack = "zip"
"""
    )

    entry = load_manifest(path).find("vosk-small-nl")

    assert entry is not None
    assert ("ours", False, "nl") == (entry.version, entry.is_pinned, entry.language)
    assert load_manifest(path).find("parakeet-v3") is not None
    assert "did you mean parakeet-v3?" == load_manifest().hint("parakeet-v4")


MODEL = """schema = 1
[models.x]
engine = "vosk"
version = "1"
licence = "MIT"
files = [{ url = "https://h/a.zip", unpack = "zip" }]
"""


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("schema = 1", "schema = 2", "schema = 2; write schema = 1"),
        ("schema = 1\n", "", "schema is missing"),
        ("[models.x]", "[models.'../x']", r"models\.\.\./x is not a model's name"),
        ('licence = "MIT"', "licence = 1", r"models\.x\.licence = 1 is not a text"),
        ('licence = "MIT"', 'licens = "MIT"', r"models\.x\.licence is missing"),
        ('licence = "MIT"', 'licence = "MIT"\nlicens = ""', "licens is not a known key; did you"),
        ("https://h/a.zip", "ftp://h/a.zip", "is not an https address"),
        ("https://h/a.zip", "https://h/", "cannot be a file's name"),
        ('"zip"', '"rar"', "is not a known kind; one of: zip"),
        ('"zip"', '"zip", sha256 = "abc"', "is not a SHA-256"),
        ('"zip"', '"zip", size_octets = -1', "is not a size"),
        ('"zip"', '"zip", size_octets = true', "is not a whole number"),
        ("files = [", 'files = [{ url = "https://h/b" }, ', "has an archive beside other files"),
        ("files = [{", "files = [] # {", "is not a list of tables"),
        ("MIT", "M\\u0007IT", "holds a control character"),
    ],
)
def test_mistakes_in_a_manifest_are_named(tmp_path: Path, old: str, new: str, words: str) -> None:
    """
    By file and key, with a remedy.
    """
    path = tmp_path / "own.toml"
    assert old in MODEL
    path.write_text(MODEL.replace(old, new))

    with pytest.raises(ManifestError, match=rf"own\.toml: .*{words}"):
        read_manifest(path)


def test_manifest_that_is_no_toml_or_not_there_is_named(tmp_path: Path) -> None:
    """
    The error is ours, not the parser's.
    """
    path = tmp_path / "own.toml"
    with pytest.raises(ManifestError, match="cannot be read"):
        read_manifest(path)
    for octets in (b"[[", b"\xff\xfe"):
        path.write_bytes(octets)
        with pytest.raises(ManifestError, match="is not TOML"):
            read_manifest(path)


def test_embedded_manifest_is_where_the_card_says() -> None:
    """
    In the folder of embedded models, which the wheel carries.
    """
    assert embedded_manifest().parent == embedded_model_dir().parent
    assert 1 == tomllib.loads(embedded_manifest().read_text(encoding="utf-8"))["schema"]
