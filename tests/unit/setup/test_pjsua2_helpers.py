"""The helpers that are compiled into the SIP stack: in its key, and only into a source they fit."""

import shutil
from pathlib import Path

import pytest

from sip_config.pjsua2 import build

HEADER = """\
#define PJ_VERSION_NUM (({major} << 24) | ({minor} << 16))
"""


@pytest.mark.parametrize("name", ["wegwijs_pjsip.c", "wegwijs_pjsip.h", "Makefile"])
def test_changed_helper_makes_another_wheel(tmp_path: Path, name: str) -> None:
    """
    One character in any of their files is enough; what lies beside them does not count.
    """
    helpers = tmp_path / "helpers"
    shutil.copytree(build.HELPERS, helpers)
    (helpers / "notes.txt").write_text("none of the recipe's", "utf-8")
    as_it_is = build.recipe_key(helpers)
    with (helpers / name).open("a") as file:
        file.write("\n")

    changed = build.recipe_key(helpers)

    assert build.recipe_key() == as_it_is
    assert as_it_is != changed


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A folder that looks configured, with a header of its own for all of pjsip."""
    for tool in ("make", "cc"):
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is not installed: run make setup")
    include = tmp_path / "source/include/pjsua-lib"
    include.mkdir(parents=True)
    (tmp_path / "source/build.mak").write_text(
        "PJ_CC := cc\nPJ_CFLAGS := -I../include\n", encoding="utf-8"
    )
    return tmp_path / "source"


def test_source_that_is_too_old_is_refused(source: Path, tmp_path: Path) -> None:
    """
    The message says what is needed, which step it was, and what to do.
    """
    header = source / "include/pjsua-lib/pjsua.h"
    header.write_text(HEADER.format(major=2, minor=16), "utf-8")

    refusal = _refusal(source, tmp_path)

    assert "compiling Wegwijs's helpers against its headers failed" in refusal
    assert "Wegwijs needs pjproject 2.17 or newer" in refusal
    assert "this pjproject does not fit sip_config/pjsua2/helpers" in refusal
    assert "PJPROJECT_TARBALL" in refusal


def test_source_that_lacks_what_is_used_is_refused(source: Path, tmp_path: Path) -> None:
    """
    The compiler's own words are in the message: which name it does not know.
    """
    header = source / "include/pjsua-lib/pjsua.h"
    header.write_text(HEADER.format(major=3, minor=0), "utf-8")

    refusal = _refusal(source, tmp_path)

    assert "wegwijs_pjsip.c:" in refusal
    assert "error:" in refusal
    assert "this pjproject does not fit sip_config/pjsua2/helpers" in refusal


def _refusal(source: Path, tmp_path: Path) -> str:
    with pytest.raises(build.BuildError) as caught:
        build.compile_helpers(source, build.Steps(tmp_path / "build.log"))
    return str(caught.value)
