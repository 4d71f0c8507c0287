"""The floor under coverage only rises."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(__file__).parents[3] / ".ci/floor.py"


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository whose floor was 80, then 85."""
    git(tmp_path, "init", "--quiet")
    for floor in (80, 85):
        write(tmp_path, floor)
        git(tmp_path, "add", ".")
        commit(tmp_path)
    return tmp_path


def git(folder: Path, *arguments: str) -> None:
    """Run git where no setting of the machine or of a commit in progress reaches it."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("GIT_")}
    environment |= {"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null"}
    subprocess.run(["git", *arguments], cwd=folder, env=environment, check=True, timeout=60)


def commit(folder: Path) -> None:
    """Commit what stands there."""
    who = ("-c", "user.name=t", "-c", "user.email=t@invalid")
    git(folder, *who, "commit", "--quiet", "--allow-empty", "--all", "--message", "floor")


def write(folder: Path, floor: int) -> None:
    """Write the setting."""
    (folder / "pyproject.toml").write_text(f"[tool.coverage.report]\nfail_under = {floor}\n")


def told(folder: Path, *arguments: str) -> tuple[int, str]:
    """Run the program; its exit code and what it printed."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("GIT_")}
    done = subprocess.run(
        [sys.executable, PROGRAM, *arguments], cwd=folder, env=environment, text=True,
        capture_output=True, timeout=60, check=False,
    )  # fmt: skip
    return done.returncode, done.stdout


@pytest.mark.parametrize(("floor", "code"), [(84, 1), (85, 0), (86, 0)])
def test_a_lower_floor_than_ever_committed_is_refused(
    repository: Path, floor: int, code: int
) -> None:
    """
    Also when the lower one is committed: the whole history counts.
    """
    write(repository, floor)
    before = told(repository, "--check")
    commit(repository)

    after = told(repository, "--check")

    assert code == before[0] == after[0]
    assert ("only rises" in before[1]) == bool(code)


def test_without_a_history_any_floor_will_do(tmp_path: Path) -> None:
    """
    An unpacked archive is no repository.
    """
    write(tmp_path, 1)

    assert (0, "") == told(tmp_path, "--check")


@pytest.mark.parametrize(("percent", "advice"), [("86.9", None), ("87.4", "fail_under = 86")])
def test_a_figure_well_above_the_floor_is_told(
    repository: Path, percent: str, advice: str | None
) -> None:
    """
    With the floor to write: a whole point of room is left.
    """
    code, text = told(repository, percent)

    assert 0 == code
    assert "the floor is 85 %" in text
    assert (advice is not None) == ("fail_under" in text)
    assert (advice or "") in text
