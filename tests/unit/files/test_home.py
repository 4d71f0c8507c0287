"""The home folder."""

from __future__ import annotations

import os
import stat
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from ivr.errors import ConfigError
from ivr.files.home import Home


def test_folders_are_private(tmp_path: Path) -> None:
    """
    What a service writes is readable by its user only, whatever the umask.
    """
    old = os.umask(0)
    try:
        home = Home(tmp_path / "var").create()
    finally:
        os.umask(old)

    modes = {stat.S_IMODE(path.stat().st_mode) for path in (home.path, *home.path.iterdir())}
    assert {0o700} == modes
    assert home == home.create()


def test_recordings_lie_under_their_day_in_utc(tmp_path: Path) -> None:
    """
    A call after midnight in Brussels may belong to the day before in UTC.
    """
    home = Home(tmp_path)
    at = datetime(2026, 7, 2, 1, 0, tzinfo=timezone(timedelta(hours=2)))

    path = home.recording_path("a-b_C1", 2, at)

    assert tmp_path / "recordings/2026/07/01/a-b_C1-2.flac" == path
    assert "2026/07/01/a-b_C1-2.flac" == home.recording_reference(path)


@pytest.mark.parametrize("call_id", ["", "../x", "a/b", "a\0", "a b", "x" * 101, "é"])
def test_strange_call_ids_leave_no_folder(tmp_path: Path, call_id: str) -> None:
    """
    A file name is never made of what came from the network.
    """
    with pytest.raises(ValueError, match="call_id"):
        Home(tmp_path).recording_path(call_id, 1, datetime.now().astimezone())


def test_second_phone_process_is_refused(tmp_path: Path) -> None:
    """
    Two processes on one home would complete each other's calls as interrupted.
    """
    home = Home(tmp_path / "var").create()

    with home.lock(), pytest.raises(ConfigError, match="another phone process"):
        home.lock()

    home.lock().release()


def test_unusable_home_is_named(tmp_path: Path) -> None:
    """
    A file in the way gives the path and the remedy.
    """
    (tmp_path / "var").write_text("")

    with pytest.raises(ConfigError, match="WEGWIJS_HOME"):
        Home(tmp_path / "var").create()


def test_lock_of_another_user_is_no_traceback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    A service once run by hand as another user leaves such a file.
    """
    home = Home(tmp_path / "var").create()

    def refused(*_: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("ivr.files.home.os.open", refused)

    with pytest.raises(ConfigError, match=r"phone\.lock: Permission denied; give the folder"):
        home.lock()
    assert home.is_in_use()


def test_home_in_use_can_be_told(tmp_path: Path) -> None:
    """
    Without making the lock.
    """
    home = Home(tmp_path / "var").create()
    assert not home.is_in_use()
    assert not (home.path / "phone.lock").exists()

    with home.lock():
        assert home.is_in_use()
    assert not home.is_in_use()


def test_checking_a_home_makes_nothing(tmp_path: Path) -> None:
    """
    One that can be made is fine; one below a file is not.
    """
    Home(tmp_path / "deep" / "var").check()
    assert [] == list(tmp_path.iterdir())

    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="is not a folder"):
        Home(tmp_path / "file" / "var").check()
