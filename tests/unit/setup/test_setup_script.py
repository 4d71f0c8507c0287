"""Set-up says in one line what it lacks before it does anything."""

import os
import subprocess
from pathlib import Path

import pytest

_TOP = Path(__file__).parents[3]
_SCRIPT = _TOP / "sip_config/setup/setup.sh"
_REMEDY = "set HOME or XDG_CACHE_HOME to a folder that this user may write"


@pytest.mark.parametrize("option", [[], ["--tests"]])
@pytest.mark.parametrize("home", [{}, {"HOME": ""}])
def test_without_a_home_folder_the_remedy_is_told(home: dict[str, str], option: list[str]) -> None:
    """
    No complaint of the shell about a variable; one line that names both variables.
    """
    done = _set_up(home, *option)

    assert (1, "") == (done.returncode, done.stdout)
    (line,) = done.stderr.splitlines()
    assert line.startswith("setup: neither HOME nor XDG_CACHE_HOME is set")
    assert line.endswith(_REMEDY)


@pytest.mark.parametrize("variable", ["HOME", "XDG_CACHE_HOME"])
def test_a_cache_folder_that_cannot_be_made_is_named(tmp_path: Path, variable: str) -> None:
    """
    The folder and the remedy, in one line; a file is in its way.
    """
    (tmp_path / "file").touch()

    done = _set_up({variable: str(tmp_path / "file")})

    assert (1, "") == (done.returncode, done.stdout)
    (line,) = done.stderr.splitlines()
    assert f"the cache folder {tmp_path / 'file'}/" in line
    assert line.endswith(_REMEDY)


def test_a_cache_folder_of_another_user_is_named(tmp_path: Path) -> None:
    """
    A folder that is there and may not be written gets the same line.
    """
    (tmp_path / "wegwijs").mkdir(mode=0o500)
    humbly: tuple[str, ...] = ()
    if os.geteuid() == 0:  # who may write every folder, unless that is taken from it
        humbly = ("setpriv", "--bounding-set", "-dac_override")
        if subprocess.run(
            [*humbly, "true"], capture_output=True, check=False, timeout=60
        ).returncode:
            pytest.skip("root may write every folder here, and cannot be kept from it")

    done = _set_up({"XDG_CACHE_HOME": str(tmp_path)}, humbly=humbly)

    assert 1 == done.returncode
    (line,) = done.stderr.splitlines()
    assert f"the cache folder {tmp_path / 'wegwijs'} " in line


def _set_up(
    variables: dict[str, str], *options: str, humbly: tuple[str, ...] = ()
) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": os.environ["PATH"], **variables}
    return subprocess.run(
        [*humbly, "bash", str(_SCRIPT), *options],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
