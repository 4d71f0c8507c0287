"""The commands of the documents do what the documents say.

Every command of a block is either in EXECUTED, and is executed as it stands in a folder that looks
like a checkout, or in TRIED, with the reason why it is not, and its arguments are looked at. A new
command that is in neither fails here.
"""

from __future__ import annotations

import contextlib
import importlib.util
import io
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from ivr.commands.cli import make_parser
from tests.documents import TOP, block_commands, inline_commands
from tests.integration.ports import free_port

pytestmark = [pytest.mark.slow]

WHEEL = "docs/install.md"
"""Its commands are executed, in their order, by test_wheel.py."""


@dataclass(frozen=True, slots=True)
class Executed:
    """How a command is executed, and what must then be true."""

    prints: str
    """A pattern that its output has."""
    instead: tuple[tuple[str, str], ...] = ()
    """What stands in the document, and what stands for it here."""
    calls: bool = False
    """It places a call: that needs pjsua2 and espeak-ng."""


# By the command without ".venv/bin/": documents write it both ways.
EXECUTED: Final = {
    "make demo": Executed("onderwijs", calls=True),
    "wegwijs demo --digits 0": Executed("algemeen", calls=True),
    "wegwijs demo --audio question.flac": Executed("onderwijs", calls=True),
    'wegwijs classify "hoe vraag ik een studietoelage aan"': Executed('"thema": "onderwijs"'),
    "wegwijs transcribe opname.wav": Executed(r"\w"),
    "wegwijs transcribe --model vosk-small-nl opname.wav": Executed(
        r"\w", (("vosk-small-nl", "models/asr-nl-8k"),)
    ),
    "wegwijs --help": Executed("transcribe"),
    "wegwijs models": Executed("vosk-small-nl"),
    "wegwijs models [list] [--json]": Executed(
        '"name": "vosk-small-nl"', (("[list]", "list"), ("[--json]", "--json"))
    ),
    "wegwijs models show NAME": Executed("Apache-2.0", (("NAME", "vosk-small-nl"),)),
    "wegwijs models verify [NAME ...]": Executed(r"\w", ((" [NAME ...]", ""),)),
    "wegwijs check --config wegwijs.toml": Executed("no mistakes"),
    "python -m asr.evaluate --speech FOLDER --by-speaker "
    "--engines vosk,vosk=vosk-small-nl,whisper=whisper-small": Executed(
        "asr-nl-8k",
        (("FOLDER", "recordings"), ("vosk,vosk=vosk-small-nl,whisper=whisper-small", "vosk")),
    ),
    "python docs/generate.py": Executed("^$"),
}
ANOTHER: Final = "the same program with another question; test_demo.py places such calls"
MAKE: Final = "CI's own step, or what it is made of; its recipe is looked at"
LONG: Final = "takes many minutes"
TRIED: Final = {
    "git clone … wegwijs && cd wegwijs": "is how the reader came here",
    "make setup": "is how this environment came to be",
    "make test": MAKE,
    "WEGWIJS_WITHOUT_EXTRAS=1 make test": "test-pythons of CI runs tests without extras",
    "make check": MAKE,
    "make hooks": "would change the clone; its hooks are the pieces of make check",
    "make format": "would change the checkout",
    "make bench": LONG,
    ".ci/run": "is what runs this test",
    'wegwijs demo --say "ik heb een brief gekregen over de belasting op mijn auto"': ANOTHER,
    'wegwijs demo --say "Hoe vraag ik een huurpremie aan?"': ANOTHER,
    'wegwijs demo --say "…" --digits 1': ANOTHER,
    "wegwijs demo": "make demo is the same",
    "wegwijs demo --digits 2": ANOTHER,
    "wegwijs demo --json": "test_demo.py executes it",
    "wegwijs demo --svg call.svg": "test_demo.py executes it",
    'wegwijs call sip:1700@host:5060 --say "…"': "needs a service elsewhere; test_demo.py has one",
    "wegwijs serve --config wegwijs.toml": "runs until it is stopped; test_crash.py does that",
    "wegwijs models install vosk-small-nl": "downloads; tests/unit/asr has a server for that",
    "wegwijs train": "takes minutes; test_intent_training.py trains",
    "python -m ivr.learning.spoken_questions --minutes 10": LONG,
    "python benchmarks/bench_spoken_questions.py": LONG,
    "python sip_config/pjsua2/build.py --install": "would replace the SIP stack under other tests",
    "PJPROJECT_TARBALL=/path/to/pjproject-2.18.tar.gz .venv/bin/python "
    "sip_config/pjsua2/build.py --install": "takes minutes, and an archive that is not here",
}


def known_as(text: str) -> str:
    """Return a command as the two lists have it."""
    return text.removeprefix(".venv/bin/")


def shown() -> dict[str, str]:
    """Return every command to be executed or tried, with a document that shows it."""
    found = {known_as(c.text): c.document for c in block_commands() if c.document != WHEEL}
    for command in inline_commands():
        # In the running text most are names; these are told to be typed.
        if command.text.startswith(".venv/bin/") or known_as(command.text) in EXECUTED:
            found.setdefault(known_as(command.text), command.document)
    return found


def test_every_command_of_a_document_is_executed_or_has_a_reason() -> None:
    """
    And both lists name only what a document shows.
    """
    assert set(shown()) == EXECUTED.keys() | TRIED.keys()
    assert not EXECUTED.keys() & TRIED.keys()


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder like a checkout after ``make setup``; what commands write stays in it."""
    folder = tmp_path_factory.mktemp("checkout")
    for name in ("Makefile", "asr", "benchmarks", "docs", "intent", "ivr", "models", "sip_config"):
        (folder / name).symlink_to(TOP / name)
    (folder / ".venv").symlink_to(sys.prefix)
    recording = TOP / "ivr/prompts/wav/question.wav"
    shutil.copy(recording, folder / "opname.wav")
    (folder / "recordings").mkdir()
    shutil.copy(recording, folder / "recordings/a.wav")
    (folder / "recordings/a.txt").write_text("waarover gaat uw vraag\n")
    example = (TOP / "sip_config/wegwijs.toml").read_text("utf-8")
    ports = {"http_port": 0, "udp_port": free_port(), "tcp_port": free_port(socket.SOCK_STREAM)}
    for key, port in ports.items():
        example = re.sub(rf"^{key} *= *\d+", f"{key} = {port}", example, flags=re.MULTILINE)
    (folder / "wegwijs.toml").write_text(example, encoding="utf-8")
    return folder


def question(folder: Path) -> None:
    """Let espeak-ng say a question, as a recording in ``folder``."""
    import soundfile

    from ivr.demo.speech import write_question

    said = write_question(folder, "Hoe kan ik een studietoelage aanvragen voor mijn zoon?", None)
    sound, rate = soundfile.read(said, dtype="int16")
    soundfile.write(folder / "question.flac", sound, rate)


@pytest.mark.parametrize("command", EXECUTED)
def test_a_command_does_what_its_document_says(command: str, checkout: Path) -> None:
    """
    It ends well and prints what it is there for.
    """
    how = EXECUTED[command]
    if how.calls:
        if importlib.util.find_spec("pjsua2") is None:
            pytest.skip("pjsua2 is not installed: run make setup")
        if shutil.which("espeak-ng") is None:
            pytest.skip("espeak-ng is not installed: run make setup")
        question(checkout)
    line = command
    for written, here in how.instead:
        assert written in line
        line = line.replace(written, here)
    if line.startswith(("wegwijs", "python")):
        line = f".venv/bin/{line}"
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("WEGWIJS", "MAKE"))}
    # There is nothing to set up: the environment is the one of these tests.
    environment |= {"MAKEFLAGS": "SETUP=true", "WEGWIJS_HOME": str(checkout / "var")}

    done = subprocess.run(
        ["bash", "-c", line], cwd=checkout, env=environment, stdin=subprocess.DEVNULL,
        capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip

    assert 0 == done.returncode, done.stdout + done.stderr
    assert re.search(how.prints, done.stdout), done.stdout


def words_of(text: str) -> list[str]:
    """Split a command as a shell does, with the brackets of optional parts taken off."""
    bare = re.sub(r"[\[\]]|\.\.\.", " ", text) if "wegwijs[" not in text else text
    words = shlex.split(bare)
    while "=" in words[0]:  # a variable before the command
        del words[0]
    return words


def refusal(text: str) -> str | None:
    """Return what is wrong with the arguments of a command; it is not executed."""
    program, *rest = words_of(text)
    name = Path(program).name
    if name == "wegwijs":
        told = io.StringIO()
        with contextlib.redirect_stderr(told), contextlib.redirect_stdout(told):
            try:
                make_parser().parse_args(rest)
            except SystemExit as end:
                # A name in the running text, "wegwijs models install", goes without its arguments.
                if (
                    end.code
                    and "arguments are required" not in told.getvalue()
                    and ("expected one argument" not in told.getvalue())
                ):
                    return told.getvalue()
        return None
    if name == "make":
        done = subprocess.run(
            ["make", "--dry-run", "--no-print-directory", *rest], cwd=TOP, text=True,
            capture_output=True, timeout=60, check=False, env={**os.environ, "MAKEFLAGS": ""},
        )  # fmt: skip
        return done.stderr if done.returncode else None
    if name.startswith("python"):
        return python_refusal(rest)
    if name == "pip":
        extras = tomllib.loads((TOP / "pyproject.toml").read_text("utf-8"))["project"]
        wanted = {extra for word in rest for extra in re.findall(r"wegwijs\[(\w+)\]", word)}
        unknown = wanted - set(extras["optional-dependencies"])
        return f"no extra {unknown}" if unknown or not wanted else None
    if text == ".ci/run":
        return None if os.access(TOP / text, os.X_OK) else "cannot be executed"
    return None if name == "git" else f"{name} is no program that this test knows"


def python_refusal(arguments: list[str]) -> str | None:
    """Return what is wrong with ``python`` and its arguments: no such file, module or option."""
    start = arguments[: 2 if arguments[0] == "-m" else 1]
    done = subprocess.run(
        [sys.executable, *start, "--help"], cwd=TOP, stdin=subprocess.DEVNULL, text=True,
        capture_output=True, timeout=120, check=False,
    )  # fmt: skip
    if done.returncode:
        return done.stderr
    options = [word for word in arguments[len(start) :] if word.startswith("--")]
    unknown = [option for option in options if option not in done.stdout]
    return f"no option {unknown}" if unknown else None


def tried() -> list[str]:
    """Return every command of a block or the running text that is not executed here."""
    texts = {c.text for c in block_commands() + inline_commands() if c.document != WHEEL}
    return sorted(text for text in texts if known_as(text) not in EXECUTED)


@pytest.mark.parametrize("command", tried())
def test_a_command_that_is_not_executed_has_arguments_that_exist(command: str) -> None:
    """
    Targets, modules, options and extras are those of the code.
    """
    assert None is refusal(command)


@pytest.mark.parametrize(
    "command",
    [
        "make no-such-target",
        "wegwijs no-such-command",
        "wegwijs demo --no-such-option",
        "python -m ivr.no_such_module",
        "python -m asr.evaluate --no-such-option",
        "pip install 'wegwijs[no_such_extra]'",
        "no-such-program",
    ],
)
def test_a_command_that_does_not_exist_is_found(command: str) -> None:
    """
    Else the test above would prove nothing.
    """
    assert refusal(command)
