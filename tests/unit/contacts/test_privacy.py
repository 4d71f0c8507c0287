"""Callers' numbers: recognisable to us, readable to nobody without the key."""

from __future__ import annotations

import os
import stat
import threading
from pathlib import Path

import pytest

from ivr.contacts.privacy import CallerPrivacy, normalise_number
from ivr.errors import ContactStoreError


@pytest.mark.parametrize(
    "number",
    ["0479 12 34 56", "+32479123456", "0032 479/12.34.56", "32479123456", "+32(479)123456"],
)
def test_one_number_has_one_hash(tmp_path: Path, number: str) -> None:
    """
    Carriers spell the same number in several ways.
    """
    privacy = CallerPrivacy(tmp_path)

    assert privacy.hash("+32479123456") == privacy.hash(number)


def test_other_numbers_names_and_keys_have_other_hashes(tmp_path: Path) -> None:
    """
    The hash tells callers apart and is worth nothing without this home's key.
    """
    ours, theirs = CallerPrivacy(tmp_path / "a"), CallerPrivacy(tmp_path / "b")
    numbers = ["+32479123456", "+32479123457", "1701", "jan", "9" * 5000, "\udc80"]
    hashes = {ours.hash(number) for number in numbers}

    assert len(numbers) == len(hashes)
    assert {64} == {len(value) for value in hashes}
    assert ours.hash(numbers[0]) != theirs.hash(numbers[0])
    assert "1701" == normalise_number("1701")


def test_withheld_number_is_not_stored(tmp_path: Path) -> None:
    """
    All withheld callers must not look like one caller.
    """
    privacy = CallerPrivacy(tmp_path)

    assert ("", "", None) == (privacy.hash(""), privacy.hash("  "), privacy.encrypt(""))


def test_keys_are_private_and_survive_a_restart(tmp_path: Path) -> None:
    """
    0600 from the first moment, whatever the umask; no draft is left.
    """
    old = os.umask(0)
    try:
        before = CallerPrivacy(tmp_path / "secrets")
    finally:
        os.umask(old)
    after = CallerPrivacy(tmp_path / "secrets")
    token = before.encrypt("0479123456")

    assert token is not None
    assert b"0479123456" not in token
    assert token != before.encrypt("0479123456")
    assert "0479123456" == after.decrypt(token)
    assert before.hash("1") == after.hash("1")
    names = {
        path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "secrets").iterdir()
    }
    assert {"caller-hash.key": 0o600, "caller-number.key": 0o600} == names


def test_processes_that_start_together_share_their_keys(tmp_path: Path) -> None:
    """
    Two first starts at the same moment must not each keep their own key.
    """
    barrier = threading.Barrier(8)
    hashes: list[str] = []

    def start() -> None:
        barrier.wait(100)
        hashes.append(CallerPrivacy(tmp_path).hash("1"))

    threads = [threading.Thread(target=start) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(100)

    assert 8 == len(hashes)
    assert 1 == len(set(hashes))


def test_unusable_keys_are_named_and_never_replaced(tmp_path: Path) -> None:
    """
    A short key, or one that others can read, stops the start with a remedy.
    """
    CallerPrivacy(tmp_path)
    key = tmp_path / "caller-hash.key"
    content = key.read_bytes()
    key.chmod(0o640)
    with pytest.raises(ContactStoreError, match="chmod 600"):
        CallerPrivacy(tmp_path)
    key.chmod(0o600)
    key.write_bytes(content[:5])
    with pytest.raises(ContactStoreError, match="5 octets instead of 32"):
        CallerPrivacy(tmp_path)

    assert content[:5] == key.read_bytes()


def test_foreign_and_damaged_tokens_are_an_error(tmp_path: Path) -> None:
    """
    Another key, a flipped bit or an empty column: one clear error.
    """
    ours, theirs = CallerPrivacy(tmp_path / "a"), CallerPrivacy(tmp_path / "b")
    token = theirs.encrypt("0479123456")
    assert token is not None

    for damaged in (token, token[:-1], b"", b"\x01", b"\x02" + token[1:]):
        with pytest.raises(ContactStoreError, match="cannot be read with this key"):
            ours.decrypt(damaged)
