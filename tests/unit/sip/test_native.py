"""Whether a pjsua2 has the helpers that this Wegwijs needs, before any of them is used."""

from __future__ import annotations

import ctypes
import re
from pathlib import Path
from types import SimpleNamespace

import pytest

pytest.importorskip("pjsua2", reason="pjsua2 is not built: run make setup")

from ivr.files.embedded import set_up_command
from ivr.sip.errors import LibraryError
from ivr.sip.native import VERSION, Helpers

HELPERS = Path(__file__).parents[3] / "sip_config/pjsua2/helpers"


def test_wheel_without_helpers_is_refused() -> None:
    """
    A pjsua2 of somebody else loads, and says at once what to do about it; the C library stands in
    for it.
    """
    with pytest.raises(LibraryError, match=r"lacks the helpers .* run: make -C .* setup"):
        Helpers(ctypes.CDLL(None))


@pytest.mark.parametrize("version", [VERSION - 1, VERSION + 1])
def test_wheel_of_another_wegwijs_is_refused(version: int) -> None:
    """
    A wheel that stayed behind, or ran ahead, is named with both versions and the remedy.
    """
    library = SimpleNamespace(wegwijs_helpers_version=lambda: version)

    with pytest.raises(LibraryError) as caught:
        Helpers(library)

    assert (
        f"this pjsua2 has helpers of version {version} and this Wegwijs needs {VERSION}; "
        f"to build it anew, run: {set_up_command()}"
    ) == str(caught.value)


def test_version_is_the_one_that_is_compiled_in() -> None:
    """
    Python and C state it once each, and alike.
    """
    header = (HELPERS / "wegwijs_pjsip.h").read_text("utf-8")

    assert [str(VERSION)] == re.findall(r"^#define WEGWIJS_HELPERS_VERSION (\d+)$", header, re.M)


def test_installed_wheel_is_ours() -> None:
    """
    The pjsua2 that the other tests run on has every helper.
    """
    assert VERSION == Helpers()._c.wegwijs_helpers_version()
