"""What cannot work is said before a call finds it, by ``phone`` and by ``check`` alike.

One clear message that names file or key, value and remedy; exit code 1; no traceback.
"""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from asr.errors import AsrError
from asr.model_files.files import embedded_model_dir
from intent.registry import Registry
from ivr.files.embedded import embedded_dir
from tests.integration.phone import Phone, PhoneFailedError, configuration, short_prompts
from tests.integration.ports import free_port, free_range

pytestmark = pytest.mark.slow

WITHIN_SECONDS = 180.0
Wrong = Callable[[Path, ExitStack], tuple[dict[str, Any], tuple[str, ...]]]
"""Makes what is wrong: changes to the configuration, and what the message must name."""


@pytest.fixture(autouse=True)
def needs() -> None:
    """Skip where the service cannot run at all."""
    pytest.importorskip("pjsua2", reason="pjsua2 is not built: run make setup")
    try:
        embedded_model_dir()
    except AsrError as error:
        pytest.skip(str(error))


@contextmanager
def taken(kind: socket.SocketKind) -> Iterator[int]:
    """A port on which somebody else listens."""
    with socket.socket(socket.AF_INET, kind) as other:
        other.bind(("127.0.0.1", 0))
        if kind == socket.SOCK_STREAM:
            other.listen()
        yield int(other.getsockname()[1])


def udp_port_in_use(folder: Path, open_: ExitStack) -> tuple[dict[str, Any], tuple[str, ...]]:
    port = open_.enter_context(taken(socket.SOCK_DGRAM))
    return {"sip": {"udp_port": port}}, ("udp_port", str(port))


def tcp_port_in_use(folder: Path, open_: ExitStack) -> tuple[dict[str, Any], tuple[str, ...]]:
    port = open_.enter_context(taken(socket.SOCK_STREAM))
    return {"sip": {"tcp_port": port}}, ("tcp_port", str(port))


def http_port_in_use(folder: Path, open_: ExitStack) -> tuple[dict[str, Any], tuple[str, ...]]:
    port = open_.enter_context(taken(socket.SOCK_STREAM))
    return {"service": {"http_port": port}}, ("service.http_port", str(port))


def rtp_range_too_small(folder: Path, open_: ExitStack) -> tuple[dict[str, Any], tuple[str, ...]]:
    first = free_range(20)
    ports = f"{first}-{first + 19}"
    return {"sip": {"rtp_ports": ports}}, ("sip.rtp_ports", ports, "widen")


def unknown_key(folder: Path, open_: ExitStack) -> tuple[dict[str, Any], tuple[str, ...]]:
    return {"service": {"max_cals": 4}}, ("wegwijs.toml", "service.max_cals", "max_calls")


def unknown_table(folder: Path, open_: ExitStack) -> tuple[dict[str, Any], tuple[str, ...]]:
    return {"recogniton": {"workers": 1}}, ("wegwijs.toml", "recogniton", "recognition")


def value_of_the_wrong_kind(
    folder: Path, open_: ExitStack
) -> tuple[dict[str, Any], tuple[str, ...]]:
    return {"service": {"max_calls": "veel"}}, ("wegwijs.toml", "service.max_calls", "veel")


def missing_speech_model(folder: Path, open_: ExitStack) -> tuple[dict[str, Any], tuple[str, ...]]:
    return {"recognition": {"model": folder / "nowhere"}}, (str(folder / "nowhere"), "model")


def damaged_speech_model(folder: Path, open_: ExitStack) -> tuple[dict[str, Any], tuple[str, ...]]:
    model = shutil.copytree(embedded_model_dir(), folder / "asr")
    network = model / "am" / "final.mdl"
    network.write_bytes(network.read_bytes()[:1000])
    return {"recognition": {"model": model}}, (str(model), "restore")


def damaged_classifier(folder: Path, open_: ExitStack) -> tuple[dict[str, Any], tuple[str, ...]]:
    embedded = embedded_dir("models") / "intent-nl"
    versions = folder / "home" / "models" / "intent-nl"
    version = versions / str(json.loads((embedded / "model.json").read_text("utf-8"))["version"])
    shutil.copytree(embedded, version)
    Registry(versions, embedded_dir("training_data")).promote(version.name)
    (version / "model.npz").write_bytes(b"no model")
    return {}, (str(version),)


def damaged_catalogue(folder: Path, open_: ExitStack) -> tuple[dict[str, Any], tuple[str, ...]]:
    catalogue = folder / "catalogue"
    catalogue.mkdir()
    (catalogue / "catalogue.toml").write_text("[[thema]\nslug = 1\n", encoding="utf-8")
    return {"catalogue": {"folder": catalogue}}, (str(catalogue / "catalogue.toml"),)


def missing_catalogue(folder: Path, open_: ExitStack) -> tuple[dict[str, Any], tuple[str, ...]]:
    return {"catalogue": {"folder": folder / "nowhere"}}, (str(folder / "nowhere"),)


def unreadable_prompt(folder: Path, open_: ExitStack) -> tuple[dict[str, Any], tuple[str, ...]]:
    recordings = short_prompts(folder / "prompts")
    (recordings / "notice.wav").write_bytes(b"RIFF, but no sound")
    return {"prompts": {"recordings": recordings}}, (str(recordings / "notice.wav"),)


def missing_prompts_folder(
    folder: Path, open_: ExitStack
) -> tuple[dict[str, Any], tuple[str, ...]]:
    return {"prompts": {"recordings": folder / "nowhere"}}, (str(folder / "nowhere"),)


def register_that_is_no_database(
    folder: Path, open_: ExitStack
) -> tuple[dict[str, Any], tuple[str, ...]]:
    home = folder / "home"
    home.mkdir(mode=0o700, exist_ok=True)
    (home / "contacts.sqlite").write_bytes(b"dear diary, this is no database at all\n" * 30)
    return {}, ("contacts.sqlite", "database")


def home_in_a_file(folder: Path, open_: ExitStack) -> tuple[dict[str, Any], tuple[str, ...]]:
    (folder / "home").write_text("a file", encoding="utf-8")
    return {}, ("home", str(folder / "home"))


WRONGS: tuple[Wrong, ...] = (
    udp_port_in_use,
    tcp_port_in_use,
    http_port_in_use,
    rtp_range_too_small,
    unknown_key,
    unknown_table,
    value_of_the_wrong_kind,
    missing_speech_model,
    damaged_speech_model,
    damaged_classifier,
    damaged_catalogue,
    missing_catalogue,
    unreadable_prompt,
    missing_prompts_folder,
    register_that_is_no_database,
    home_in_a_file,
)


TOGETHER: tuple[tuple[Wrong, ...], ...] = (
    (unknown_key, unknown_table, value_of_the_wrong_kind),
    (
        udp_port_in_use,
        tcp_port_in_use,
        http_port_in_use,
        rtp_range_too_small,
        damaged_speech_model,
        damaged_classifier,
        unreadable_prompt,
        register_that_is_no_database,
    ),
    (missing_speech_model, damaged_catalogue),
    (missing_catalogue,),
    (missing_prompts_folder,),
    (home_in_a_file,),
)


def run(command: list[str]) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True,
        timeout=WITHIN_SECONDS, check=False,
    )  # fmt: skip


def line_with(said: str, named: tuple[str, ...]) -> str:
    """The line that names all of these."""
    lines = [line for line in said.splitlines() if all(name in line for name in named)]
    assert lines, f"no line names {named}:\n{said}"
    return lines[0]


@pytest.mark.parametrize("wrong", WRONGS)
def test_phone_that_cannot_work_does_not_start(wrong: Wrong, tmp_path: Path) -> None:
    """
    One message for people, which names what is wrong; exit code 1.
    """
    with ExitStack() as open_:
        changes, named = wrong(tmp_path, open_)
        phone = Phone(tmp_path, configuration(changes))
        with pytest.raises(PhoneFailedError):
            phone.start()

    assert 1 == phone.code
    assert "Traceback" not in phone.stderr
    # The log of a service that comes up is no message for people.
    told = [line for line in phone.stderr.splitlines() if line.startswith("wegwijs: ")]
    assert [line_with(phone.stderr, named)] == told


@pytest.mark.parametrize("wrongs", TOGETHER)
def test_check_finds_every_mistake_at_once(wrongs: tuple[Wrong, ...], tmp_path: Path) -> None:
    """
    What would stop the phone is told by one run, each mistake on a line of its own; exit code 1.
    """
    with ExitStack() as open_:
        tables: dict[str, Any] = {}
        named = []
        for wrong in wrongs:
            changes, names = wrong(tmp_path, open_)
            for table, values in changes.items():
                tables.setdefault(table, {}).update(values)
            named.append(names)
        done = run(Phone(tmp_path, configuration(tables)).command("check"))

    assert 1 == done.returncode
    assert "Traceback" not in done.stdout + done.stderr
    lines = {line_with(done.stdout + done.stderr, names) for names in named}
    assert len(wrongs) == len(lines)


def test_second_phone_on_one_home_is_told_so(tmp_path: Path) -> None:
    """
    The first goes on taking calls; the second names the home and what to do.
    """
    prompts = {"recordings": short_prompts(tmp_path / "prompts")}
    with Phone(tmp_path, configuration({"prompts": prompts})) as first:
        other = tmp_path / "other"
        other.mkdir()
        second = Phone(
            other, configuration({"sip": {"udp_port": free_port()}}), home=first.home.path
        )
        done = run(second.command("phone"))

        assert 1 == done.returncode
        assert "Traceback" not in done.stderr
        assert f"wegwijs: home = '{first.home.path}'" in done.stderr
        assert "--home" in done.stderr
        first.until("readiness", lambda: first.readiness()["status"] == "ready")
