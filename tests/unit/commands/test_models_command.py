"""``wegwijs models``: what users see and type, against a real server."""

from __future__ import annotations

import hashlib
import json
import os
import pty
import resource
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from asr.model_files.files import embedded_model_dir
from intent.storage import load_model, read_card, save_model
from ivr.commands import cli
from ivr.files.embedded import embedded_dir
from tests.unit.asr.model_server import ModelServer, running, stall


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with running() as started:
        yield started


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The embedded model, as its publisher would pack it."""
    base = tmp_path_factory.mktemp("packed") / "nl-8k"
    folder = embedded_model_dir()
    return Path(shutil.make_archive(str(base), "zip", folder.parent, folder.name))


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


def manifest_of(folder: Path, url: str, octets: bytes, *lines: str) -> Path:
    path = folder / "own.toml"
    path.write_text(
        f"""schema = 1
[models.own-nl]
title = "Own Dutch model"
engine = "vosk"
version = "7"
licence = "CC-BY-NC-SA"
licence_url = "https://creativecommons.org/licenses/by-nc-sa/4.0"
{chr(10).join(lines)}
requires = ["am/final.mdl"]
[[models.own-nl.files]]
url = "{url}"
size_octets = {len(octets)}
sha256 = "{hashlib.sha256(octets).hexdigest()}"
unpack = "zip"
"""
    )
    return path


def wegwijs(*arguments: str | Path) -> int:
    return cli.main([str(argument) for argument in arguments])


def program(*arguments: str | Path) -> list[str]:
    return [sys.executable, "-m", "ivr", *map(str, arguments)]


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_model_is_installed_used_verified_and_removed(
    server: ModelServer, archive: Path, home: Path, tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    """
    From a server to a transcript by name, and away again.
    """
    import numpy as np
    import soundfile

    octets = archive.read_bytes()
    own = manifest_of(tmp_path, server.put("nl-8k.zip", octets), octets, "non_commercial = true")
    common = ("--home", home)
    install = ("models", "install", "own-nl", "--manifest", own, *common)

    assert 1 == wegwijs(*install)
    told = capsys.readouterr().err
    assert "licence: CC-BY-NC-SA (not for commercial use) https://creativecommons.org" in told
    assert "--accept-licence CC-BY-NC-SA" in told
    assert [] == server.seen

    assert 0 == wegwijs(*install, "--accept-licence", "CC-BY-NC-SA")
    shown = capsys.readouterr()
    assert f"own-nl in {home}/models/asr/own-nl" in shown.out
    assert f"nl-8k.zip: {len(octets) / 1e6:.1f} MB 100% of" in shown.err

    soundfile.write(tmp_path / "silence.wav", np.zeros(8000), 8000)
    assert 0 == wegwijs(
        "transcribe", "--model", "own-nl", "--json", *common, tmp_path / "silence.wav"
    )
    assert "" == json.loads(capsys.readouterr().out)["text"]

    assert 0 == wegwijs("models", "verify", *common)
    assert "own-nl: whole" in capsys.readouterr().out
    weights = home / "models" / "asr" / "own-nl" / "am" / "final.mdl"
    weights.write_bytes(weights.read_bytes()[::-1])
    assert 1 == wegwijs("models", "verify", "own-nl", *common)
    assert "final.mdl: the file differs" in capsys.readouterr().err

    assert 0 == wegwijs("models", "remove", "own-nl", *common)
    assert not weights.exists()


def test_list_shows_what_there_is_and_what_could_be(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """
    Versions of the classifier, and speech models with licence, engine and size; as JSON too.
    """
    assert 0 == wegwijs("models", "--home", home)
    text = capsys.readouterr().out
    assert 0 == wegwijs("models", "list", "--json", "--home", home)
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    for words in ("in use", "asr-nl-8k", "embedded", "available", "NOT FOR COMMERCIAL USE"):
        assert words in text
    for row in rows:
        assert {"kind", "version", "current", "embedded", "top1", "damaged"} <= set(row)
    [current] = [row for row in rows if row["current"]]
    assert "classifier" == current["kind"]
    speech = {row["name"]: row for row in rows if row["kind"] == "speech"}
    assert "embedded" == speech["asr-nl-8k"]["status"]
    assert "available" == speech["vosk-small-nl"]["status"]
    large = speech["vosk-large-nl"]
    assert (True, "CC-BY-NC-SA") == (large["non_commercial"], large["licence"])


def test_show_tells_all_that_a_person_without_internet_needs(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """
    Address, size and SHA-256, to fetch the file elsewhere.
    """
    assert 0 == wegwijs("models", "show", "vosk-small-nl", "--home", home)
    [file] = json.loads(capsys.readouterr().out)["available"]["files"]

    assert file["url"].startswith("https://")
    assert 64 == len(file["sha256"])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["vosk-smal-nl"], "did you mean vosk-small-nl?"),
        (["mine", "--from", "x"], "say with --engine which engine reads it"),
        (["mine", "--from", "x", "--engine", "siri", "--licence", "MIT"], "no engine siri"),
        (["../mine", "--from", "x", "--engine", "vosk", "--licence", "MIT"], "small letters"),
        (["asr-nl-8k", "--from", "x", "--engine", "vosk", "--licence", "MIT"], "a name of its own"),
        (["vosk-small-nl", "--engine", "whisper"], "leave out --engine"),
        (["vosk-small-nl", "--sha256", "12"], "give 64 hexadecimal digits"),
        (["vosk-small-nl", "--mirror", "http://h/x"], "is not an https address"),
        (["vosk-small-nl", "--accept-licence", "MIT"], "has the licence Apache-2.0, not MIT"),
        (["vosk-small-nl", "--manifest", "nope.toml"], "nope.toml: cannot be read"),
        (["vosk-small-nl", "--from", "nope.zip"], "nope.zip: is neither a file nor a folder"),
        (["vosk-large-nl"], "nobody has confirmed"),
        (["vosk-large-nl", "--accept-licence", "CC-BY-NC-SA"], "no published SHA-256"),
    ],
)
def test_mistakes_are_told_with_their_remedy(
    home: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], words: str
) -> None:
    """
    In one line, without a request to anybody.
    """
    assert 1 == wegwijs("models", "install", *arguments, "--home", home)

    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith("wegwijs: ")
    assert words in last


def test_transcribe_with_a_model_that_is_not_there(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """
    The error says how to get one.
    """
    assert 1 == wegwijs("transcribe", "--model", "vosk-small-nl", "--home", home, "x.wav")

    assert "wegwijs models install" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_licence_is_typed_on_a_terminal(tmp_path: Path, home: Path, server: ModelServer) -> None:
    """
    Asked on the terminal; another answer ends it before the first octet.
    """
    own = manifest_of(tmp_path, server.put("x.zip", b"x"), b"x", "non_commercial = true")
    ours, theirs = pty.openpty()
    try:
        process = subprocess.Popen(
            program("models", "install", "own-nl", "--manifest", own, "--home", home),
            stdin=theirs, stdout=subprocess.DEVNULL, stderr=theirs,
        )  # fmt: skip
        os.close(theirs)
        heard = b""
        while b"Type CC-BY-NC-SA to confirm" not in heard:
            heard += os.read(ours, 4096)
        os.write(ours, b"yes\n")
        while b"was not confirmed" not in heard:
            heard += os.read(ours, 4096)
        assert 1 == process.wait(120)
    finally:
        os.close(ours)
    assert [] == server.seen


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_interrupted_download_says_how_to_go_on(
    tmp_path: Path, home: Path, server: ModelServer
) -> None:
    """
    Ctrl-C keeps what there is; the next run asks for the rest only. So does a kill.
    """
    octets = zipfile_octets()
    own = manifest_of(tmp_path, server.put("x.zip", octets, stall(50_000), stall(50_000)), octets)
    command = program("models", "install", "own-nl", "--manifest", own, "--home", home)
    part = home / "models" / "asr" / ".downloads" / "own-nl" / "x.zip.part"
    for number in (signal.SIGINT, signal.SIGKILL):
        server.waiting.clear()
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            text=True,
        )  # fmt: skip
        assert server.waiting.wait(120)
        # Sent is not yet written: the process may still be about to read.
        wait_until(lambda: part.is_file() and part.stat().st_size > 0, server)
        process.send_signal(number)
        _, told = process.communicate(timeout=120)
        assert "Traceback" not in told
        if number is signal.SIGINT:
            assert 1 == process.returncode
            again = f"wegwijs models install own-nl --manifest {own} --models {home}/models/asr"
            assert f"go on with: {again}\n" in told
            assert "wegwijs: interrupted" in told
        assert part.stat().st_size > 0
        assert ["own-nl"] != [path.name for path in (home / "models" / "asr").iterdir()]
    kept = part.stat().st_size

    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, check=False
    )

    assert f"bytes={kept}-" == server.asked("Range")[-1]
    # Whole, but no model: vosk says so, and nothing is installed.
    assert "own-nl: vosk does not load it" in done.stderr
    assert 1 == done.returncode


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_full_disk_is_told_and_what_there_is_stays(
    tmp_path: Path, home: Path, server: ModelServer
) -> None:
    """
    A file that may not grow is the same error; what came so far waits for the next run.
    """
    octets = zipfile_octets()
    own = manifest_of(tmp_path, server.put("x.zip", octets), octets)

    done = subprocess.run(
        program("models", "install", "own-nl", "--manifest", own, "--home", home),
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000)),
    )  # fmt: skip

    assert 1 == done.returncode
    assert "x.zip.part: cannot be written (File too large); make room" in done.stderr
    assert "Traceback" not in done.stderr
    part = home / "models" / "asr" / ".downloads" / "own-nl" / "x.zip.part"
    assert 20_000 == part.stat().st_size


def wait_until(holds: Callable[[], bool], server: ModelServer) -> None:
    """Wait for another process, at most two minutes."""
    deadline = time.monotonic() + 120
    while not holds():
        assert time.monotonic() < deadline
        server.closing.wait(0.05)


def zipfile_octets() -> bytes:
    """A whole archive of 100 kB that is no model."""
    import io

    import numpy as np

    octets = io.BytesIO()
    with zipfile.ZipFile(octets, "w") as packed:
        packed.writestr("m/am/final.mdl", np.random.default_rng(5).bytes(100_000))
    return octets.getvalue()


def version_in(root: Path, **card: object) -> str:
    """Store a copy of the embedded model under another card."""
    model, _ = load_model(embedded_dir("models") / "intent-nl")
    draft = root / "draft"
    draft.mkdir(parents=True)
    version = save_model(draft, model, {"note": 1, **card})
    draft.rename(root / version)
    return version


def test_promotion_and_rollback_name_the_version_as_the_list_does(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """
    What is told can be typed again.
    """
    embedded = embedded_dir("models") / "intent-nl"
    root = home / "models" / "intent-nl"
    version = version_in(root)
    ours = read_card(embedded)["version"]

    assert 0 == cli.main(["models", "promote", version, "--home", str(home)])
    assert 0 == cli.main(["models", "rollback", "--home", str(home)])

    assert [f"in use: {version}", f"in use: {ours} (embedded)"] == (
        capsys.readouterr().out.splitlines()
    )


def test_promotion_tells_which_themas_only_one_side_knows(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """
    The version is in use, and its user knows what the configuration must name.
    """
    known = list(read_card(embedded_dir("models") / "intent-nl")["labels"])
    known[known.index("energie")] = "laadpalen"
    version = version_in(home / "models" / "intent-nl", labels=known)

    code = cli.main(["models", "promote", version, "--home", str(home)])

    told = capsys.readouterr()
    assert (0, f"in use: {version}\n") == (code, told.out)
    assert "the embedded catalogue lacks laadpalen, which this version knows" in told.err
    assert "[catalogue] folder" in told.err
    assert "the embedded catalogue has energie, which this version does not know" in told.err


def test_reader_who_has_seen_enough_is_no_mistake(home: Path) -> None:
    """
    ``models show VERSION | head`` complains of nothing.
    """
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as pipe:
        ended = subprocess.run(
            program("models", "show", "embedded", "--home", home),
            stdout=pipe,
            stderr=subprocess.PIPE,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
            timeout=200,
        )

    assert b"" == ended.stderr
