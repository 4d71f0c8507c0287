"""Failed tests are repeated once, each in a process of its own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(__file__).parents[3] / ".ci/repeat.py"
FLAKY = """
from pathlib import Path
import pytest

@pytest.mark.parametrize("text", ["::[a b]\\n"])
def test_flaky(text):
    been = Path(__file__).with_name("been" + text.encode().hex())
    first = not been.exists()
    been.touch()
    assert not first
"""
FLAKY_ID = "test_flaky.py::test_flaky[::[a b]\\n]"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of tests that takes no settings of ours."""
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    (tmp_path / "test_good.py").write_text("def test_good():\n    pass\n")
    return tmp_path


def repeat(folder: Path, *arguments: str) -> tuple[int, list[str]]:
    """Run the program in ``folder``; its exit code and what it printed."""
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PYTEST_", "COVERAGE_"))
    }
    environment["PYTEST_ADDOPTS"] = "-p no:hypothesispytest"  # which takes a second to load
    done = subprocess.run(
        [sys.executable, PROGRAM, "--list", "unstable.txt", *arguments],
        cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, timeout=300, check=False,
    )  # fmt: skip
    return done.returncode, done.stdout.splitlines()


def run_all(folder: Path, *arguments: str) -> tuple[int, list[str]]:
    """Run every test of ``folder``."""
    return repeat(folder, "--", sys.executable, "-m", "pytest", *arguments)


def test_tests_that_pass_are_not_repeated(folder: Path) -> None:
    """
    pytest's own closing line is the last.
    """
    code, lines = run_all(folder)

    assert 0 == code
    assert lines[-1].strip("= ").startswith("1 passed in ")
    assert [] == [line for line in lines if "once more" in line]


def test_a_failure_that_repeats_is_a_failure(folder: Path) -> None:
    """
    Also beside an unstable test; each is told for what it is.
    """
    (folder / "test_bad.py").write_text("def test_bad():\n    raise ValueError\n")
    (folder / "test_flaky.py").write_text(FLAKY)

    code, lines = run_all(folder)

    assert 1 == code
    assert "failed twice: test_bad.py::test_bad" in lines
    assert lines[-1].strip("= ").startswith("1 failed, 1 passed, 1 unstable in ")
    assert [FLAKY_ID] == (folder / "unstable.txt").read_text().splitlines()


def test_what_passes_alone_is_unstable_and_kept_on_the_list(folder: Path) -> None:
    """
    By name, once, whatever signs its parameters have.
    """
    (folder / "test_flaky.py").write_text(FLAKY)

    code, lines = run_all(folder)
    (folder / "test_flaky.py").write_text(FLAKY.replace("been", "was"))
    again, _ = run_all(folder)

    assert (0, 0) == (code, again)
    assert [f"unstable: {FLAKY_ID}"] == [line for line in lines if "unstable:" in line]
    assert lines[-1].strip("= ").startswith("1 passed, 1 unstable in ")
    assert [FLAKY_ID] == (folder / "unstable.txt").read_text().splitlines()


def test_what_needs_another_test_before_it_is_unstable(folder: Path) -> None:
    """
    Each is repeated in a process of its own, where no other test left something behind.
    """
    (folder / "test_order.py").write_text(
        "import sys\n"
        "def test_one():\n    assert not hasattr(sys, 'been')\n    sys.been = True\n"
        "def test_two():\n    assert not hasattr(sys, 'been')\n    sys.been = True\n"
    )

    code, lines = run_all(folder)

    assert 0 == code
    assert lines[-1].strip("= ").startswith("2 passed, 1 unstable in ")


def test_a_test_that_skips_when_repeated_has_not_passed(folder: Path) -> None:
    """
    Nothing is known of it then.
    """
    (folder / "test_flaky.py").write_text(
        FLAKY.replace("assert not first", "assert False if first else pytest.skip()")
    )

    code, lines = run_all(folder)

    assert 1 == code
    assert f"failed twice: {FLAKY_ID}" in lines


def test_a_list_that_cannot_be_written_fails_nothing(folder: Path) -> None:
    """
    CI's checkout may be read-only; the names are printed.
    """
    (folder / "test_flaky.py").write_text(FLAKY)

    code, lines = repeat(folder, "--list", "no/such/folder", "--", sys.executable, "-m", "pytest")

    assert 0 == code
    assert f"unstable: {FLAKY_ID}" in lines
    assert any("cannot be written" in line for line in lines)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("import no_such_module\n", "exit 2"),
        ("import os\ndef test_crash():\n    os.abort()\n", "exit -6"),
    ],
)
def test_a_run_that_broke_is_a_failure(folder: Path, text: str, reason: str) -> None:
    """
    A file that cannot be imported, or an interpreter that dies, leaves tests that never ran.
    """
    (folder / "test_broken.py").write_text(text)

    code, lines = run_all(folder)

    assert 1 == code
    assert f"tests: the run itself broke ({reason}); nothing is repeated" == lines[-1]


def test_many_failures_are_not_repeated(folder: Path) -> None:
    """
    They are no chance, and the closing line says how many there were.
    """
    (folder / "test_many.py").write_text(
        "import pytest\n@pytest.mark.parametrize('n', range(11))\ndef test_many(n):\n    assert 0\n"
    )

    code, lines = run_all(folder)

    assert 1 == code
    assert "tests: 11 failures are no chance; none is repeated" == lines[-1]


def test_a_list_with_a_name_fails_the_check(folder: Path) -> None:
    """
    An empty one, with comments, does not.
    """
    (folder / "unstable.txt").write_text("# why\n")
    empty = repeat(folder, "--check")
    (folder / "unstable.txt").write_text("# why\ntest_flaky.py::test_flaky\n")

    code, lines = repeat(folder, "--check")

    assert (0, []) == empty
    assert 1 == code
    assert "unstable: test_flaky.py::test_flaky" in lines


def test_wrong_usage_is_told(folder: Path) -> None:
    """
    A command or --check, not neither.
    """
    code, _ = repeat(folder)

    assert 2 == code
