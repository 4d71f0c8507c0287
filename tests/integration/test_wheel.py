"""The built wheel works outside the checkout, with the models and data that it carries."""

import importlib.util
import json
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.documents import block_commands
from tests.integration.ports import free_port

TOP = Path(__file__).resolve().parents[2]
DOCUMENT = "docs/install.md"
ENVIRONMENT = "infoline"
"""What the document calls the environment that it makes."""


def commands() -> list[str]:
    """The commands of the document, in their order."""
    return [command.text for command in block_commands() if command.document == DOCUMENT]


def shell(line: str, folder: Path) -> str:
    """Execute a command of the document; what it printed.

    Nothing is set up or downloaded: the wheel's dependencies are those of this environment.
    """
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "WEGW"))
    }
    environment |= {"MAKEFLAGS": "SETUP=true", "PIP_NO_INDEX": "1", "PIP_NO_DEPS": "1"}
    done = subprocess.run(
        ["bash", "-c", line], cwd=folder, env=environment, stdin=subprocess.DEVNULL, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=600, check=False,
    )  # fmt: skip
    assert 0 == done.returncode, f"{line}: {done.stdout}"
    return done.stdout


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the checkout, after the document's first three commands in it."""
    copy = tmp_path_factory.mktemp("wheel")
    parts = ("asr", "intent", "ivr", "models", "sip_config", "training_data")
    for name in parts:
        shutil.copytree(TOP / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("LICENSE", "Makefile", "README.md", "pyproject.toml", ".gitignore"):
        shutil.copy(TOP / name, copy)
    (copy / ".venv").symlink_to(sys.prefix)
    wheel, environment, install = commands()[:3]
    shell(wheel, copy)
    shell(f"{shlex.quote(sys.executable)}{environment.removeprefix('python3')}", copy)
    shell(install, copy)
    # A checkout here would be taken for the installed package by whoever starts Python in it.
    for name in parts:
        shutil.rmtree(copy / name)
    lend(copy / ENVIRONMENT, Path(sysconfig.get_path("purelib")))
    return copy


def lend(environment: Path, packages: Path) -> None:
    """Let an environment use packages that lie elsewhere.

    A folder that a .pth file names has its own .pth files ignored, so the checkout's editable
    install stays out.
    """
    (own,) = environment.glob("lib/python3*/site-packages")
    (own / "dependencies.pth").write_text(f"{packages}\n", encoding="utf-8")


@pytest.fixture(scope="module")
def installed(folder: Path) -> Path:
    """The ``wegwijs`` of an environment outside the checkout with the wheel in it."""
    return folder / ENVIRONMENT / "bin" / "wegwijs"


@pytest.fixture
def without_pjsua2(folder: Path, tmp_path: Path) -> Iterator[None]:
    """For this test, all packages but the SIP stack are lent to the environment."""
    packages = Path(sysconfig.get_path("purelib"))
    for entry in packages.iterdir():
        if "pjsua2" not in entry.name:
            (tmp_path / entry.name).symlink_to(entry)
    for part in (folder / ENVIRONMENT).glob("lib/python3*/site-packages/*pjsua2*"):
        shutil.rmtree(part) if part.is_dir() else part.unlink()
    lend(folder / ENVIRONMENT, tmp_path)
    yield
    lend(folder / ENVIRONMENT, packages)


def infoline_example(folder: Path) -> str:
    """The example configuration that the wheel carries."""
    (found,) = folder.glob(f"{ENVIRONMENT}/lib/python3*/**/embedded/sip_config/wegwijs.toml")
    return str(found)


def run(wegwijs: Path, folder: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run a command as a user would, far from the checkout."""
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "WEGW"))
    }
    return subprocess.run(
        [wegwijs, *arguments], cwd=folder, env=environment, stdin=subprocess.DEVNULL,
        capture_output=True, text=True, timeout=200, check=False,
    )  # fmt: skip


def test_wheel_without_pjsua2_tells_how_to_build_it(
    installed: Path, without_pjsua2: None, tmp_path: Path
) -> None:
    """
    With the recipe that the wheel carries: there is no checkout with a ``make setup``.
    """
    demo = run(installed, tmp_path, "demo")
    check = run(installed, tmp_path, "check", "--home", tmp_path / "home")

    advice = re.compile(r"pjsua2 is not installed.* run: (.+?)$", re.MULTILINE)
    (told,) = advice.findall(demo.stderr)
    assert 1 == demo.returncode
    assert [told] == advice.findall(check.stdout)
    assert str(installed.parent.parent) in told
    assert told.endswith("/ivr/embedded/sip_config/pjsua2/build.py --install")
    assert "--refresh" in shell(f"{told} --help", tmp_path)


def test_commands_that_install_the_wheel_do_what_their_document_says(folder: Path) -> None:
    """
    Up to a call that reaches a voorlichter, with the SIP stack by the wheel's own recipe.
    """
    if importlib.util.find_spec("pjsua2") is None or shutil.which("espeak-ng") is None:
        pytest.skip("pjsua2 or espeak-ng is not installed: run make setup")
    build, check, demo = commands()[3:]

    built = shell(build, folder)
    checked = shell(f"{check} || true", folder)  # 1 where another program has the ports
    called = shell(demo, folder)

    assert re.search(r"pjsua2: .+\.whl", built)
    mistakes = [line for line in checked.splitlines() if line.startswith("mistake: ")]
    assert [] == [line for line in mistakes if "_port = " not in line]
    assert checked.splitlines()[-1].startswith(infoline_example(folder))
    assert "algemeen" in called


def test_installed_package_is_not_the_checkout(installed: Path) -> None:
    """
    Else the other tests here would prove nothing.
    """
    where = shell('./python -c "import ivr; print(ivr.__file__)"', installed.parent)

    assert str(installed.parent.parent) in where


def test_wheel_classifies_with_the_model_it_carries(installed: Path, tmp_path: Path) -> None:
    """
    One object a line, with the likeliest thema first.
    """
    done = run(installed, tmp_path, "classify", "ik wil een studietoelage aanvragen")

    assert 0 == done.returncode, done.stderr
    assert "onderwijs" == json.loads(done.stdout)["thema"]


def test_wheel_transcribes_with_the_model_it_carries(installed: Path, tmp_path: Path) -> None:
    """
    Even our own greeting gives one object with a text and its length.
    """
    prompt = next((TOP / "ivr/prompts/wav").glob("*.wav"))

    done = run(installed, tmp_path, "transcribe", "--json", prompt)

    assert 0 == done.returncode, done.stderr
    heard = json.loads(done.stdout)
    assert heard["audio_seconds"] > 0
    assert heard["text"]


def test_wheel_checks_the_configuration_it_carries(installed: Path, tmp_path: Path) -> None:
    """
    The example configuration is right as it is shipped, but for ports that this machine may use.
    """
    example = next(
        installed.parent.parent.glob("lib/*/site-packages/ivr/embedded/sip_config/*.toml")
    )
    config = tmp_path / "wegwijs.toml"
    ports = {"http_port": 0, "udp_port": free_port(), "tcp_port": free_port(socket.SOCK_STREAM)}
    text = example.read_text("utf-8")
    for key, port in ports.items():
        text, changed = re.subn(rf"^{key} *= *\d+", f"{key} = {port}", text, flags=re.M)
        assert 1 == changed, key
    config.write_text(text, encoding="utf-8")

    done = run(installed, tmp_path, "check", "--config", config, "--home", tmp_path / "home")

    assert 0 == done.returncode, done.stdout + done.stderr


def test_wheel_knows_the_models_to_install(installed: Path, tmp_path: Path) -> None:
    """
    The manifest is in it; what cannot be fetched is told with another way.
    """
    done = run(installed, tmp_path, "models", "list")

    assert 0 == done.returncode, done.stderr
    assert "vosk-small-nl" in done.stdout
