"""The built wheel works outside the checkout, with the models and data that it carries."""

import json
import os
import re
import socket
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

from tests.integration.ports import free_port

TOP = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment outside the checkout with the wheel in it; the path of its ``wegwijs``."""
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", folder],
        cwd=TOP, check=True, stdin=subprocess.DEVNULL, capture_output=True, timeout=400,
    )  # fmt: skip
    environment = folder / "environment"
    venv.create(environment, with_pip=False)
    python = environment / "bin" / "python"
    packages = Path(
        subprocess.run(
            [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
            check=True, capture_output=True, text=True, timeout=200,
        ).stdout.strip()
    )  # fmt: skip
    # Dependencies come from this environment without a download. A folder that a .pth file names
    # has its own .pth files ignored, so the checkout's editable install stays out.
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    wheel = next(folder.glob("wegwijs-*.whl"))
    subprocess.run(
        [sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-index",
         "--no-deps", "--ignore-installed", wheel],
        check=True, stdin=subprocess.DEVNULL, capture_output=True, timeout=400,
    )  # fmt: skip
    return environment / "bin" / "wegwijs"


def run(wegwijs: Path, folder: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run a command as a user would, far from the checkout."""
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "WEGW"))
    }
    return subprocess.run(
        [wegwijs, *arguments], cwd=folder, env=environment, stdin=subprocess.DEVNULL,
        capture_output=True, text=True, timeout=200, check=False,
    )  # fmt: skip


def test_installed_package_is_not_the_checkout(installed: Path) -> None:
    """
    Else the other tests here would prove nothing.
    """
    where = subprocess.run(
        [installed.parent / "python", "-c", "import ivr; print(ivr.__file__)"],
        cwd=installed.parent, capture_output=True, text=True, check=True, timeout=200,
    ).stdout  # fmt: skip

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
