"""The key under which a built SIP stack is kept, and how its version is read."""

from pathlib import Path

import pytest

from sip_config.pjsua2 import build

MAKEFILE = """\
# parsed by setup.py
export PJ_VERSION_MAJOR  := 2
export PJ_VERSION_MINOR  := 17
export PJ_VERSION_REV    :={revision}
export PJ_VERSION_SUFFIX :={suffix}

export PJ_VERSION := $(PJ_VERSION_MAJOR).$(PJ_VERSION_MINOR)
"""


@pytest.mark.parametrize(
    ("revision", "suffix", "expected"),
    [("", "", "2.17"), (" 1", "", "2.17.1"), ("", " -dev", "2.17-dev")],
)
def test_version_is_the_one_the_source_states(revision: str, suffix: str, expected: str) -> None:
    """
    An empty revision takes no text from the next line.
    """
    text = MAKEFILE.format(revision=revision, suffix=suffix)

    assert expected == build.pjproject_version(text)


def test_highest_version_is_taken_from_the_shelf(tmp_path: Path) -> None:
    """
    2.9 is older than 2.17, whatever the alphabet says.
    """
    for version in ("2.9", "2.17"):
        (tmp_path / version).mkdir()
        (tmp_path / version / f"pjsua2-{version}-cp311-cp311-linux_x86_64.whl").touch()

    newest = build.newest_wheel(tmp_path)

    assert newest is not None
    assert "2.17" == newest.parent.name


def test_empty_shelf_has_nothing(tmp_path: Path) -> None:
    """
    Then it is built.
    """
    assert build.newest_wheel(tmp_path) is None


def test_missing_tarball_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """
    A misspelt PJPROJECT_TARBALL fails before anything is downloaded.
    """
    monkeypatch.setenv("PJPROJECT_TARBALL", str(tmp_path / "none.tar.gz"))

    with pytest.raises(build.BuildError, match=r"none\.tar\.gz: there is no such file"):
        build.fetch_tarball(build.Steps(tmp_path / "log"))


def test_failed_step_names_log_and_remedy(tmp_path: Path) -> None:
    """
    The message holds the command's last words, the log and what to do.
    """
    steps = build.Steps(tmp_path / "build.log")

    with pytest.raises(build.BuildError) as failure:
        steps.run(
            "compiling",
            ["sh", "-c", "echo no such header >&2; exit 3"],
            takes="1 s",
            remedy="install the headers",
        )

    for words in (
        "compiling failed (exit 3)",
        "no such header",
        "build.log",
        "install the headers",
    ):
        assert words in str(failure.value)
