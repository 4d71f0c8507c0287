"""Callers' numbers: a keyed hash to recognise one, encryption where the line allows it."""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import secrets
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from ivr.errors import ContactStoreError

_KEY_OCTETS = 32
_NONCE_OCTETS = 12
_VERSION = b"\x01"
_PURPOSE = b"wegwijs caller number"


def normalise_number(number: str, *, country: str = "32") -> str:
    """One spelling for one number: ``0479 12 34 56`` and ``+32479123456`` become the latter.

    Args:
        number: As the carrier sent it; the user part of a SIP URI, or a number.
        country: Country calling code of national numbers; 32 is Belgium.

    Returns:
        ``+`` and digits (ITU-T E.164) for a number, lower case for anything else, empty for
        nothing.
    """
    text = number.strip().lower()
    digits = re.sub(r"[\s./()-]", "", text)
    if not re.fullmatch(r"\+?[0-9]+", digits):
        return text
    if digits.startswith("+"):
        return digits
    if digits.startswith("00"):
        return "+" + digits[2:]
    if digits.startswith("0"):
        return f"+{country}{digits[1:]}"
    # Carriers also send E.164 without its plus sign; short numbers are extensions.
    return "+" + digits if len(digits) > 8 else digits


class CallerPrivacy:
    """Hashes and encrypts callers' numbers with keys that live in the home folder.

    Args:
        secrets_folder: Keys are made there, 0600, so that no call ever waits for a disk.

    Raises:
        ContactStoreError: A key file is unusable; never replaced, since that would cut every
            caller off from earlier calls.
    """

    def __init__(self, secrets_folder: Path) -> None:
        self._hash_key = _key(secrets_folder / "caller-hash.key")
        self._number_key_path = secrets_folder / "caller-number.key"
        self._cipher = AESGCM(_key(self._number_key_path))

    def hash(self, number: str) -> str:
        """HMAC-SHA256 of the number in one spelling, hexadecimal; empty for a withheld one."""
        spelled = normalise_number(number)
        if not spelled:
            return ""
        octets = spelled.encode("utf-8", "surrogateescape")
        return hmac.new(self._hash_key, octets, hashlib.sha256).hexdigest()

    def encrypt(self, number: str) -> bytes | None:
        """The number under AES-256-GCM with a key of its own; ``None`` for a withheld one."""
        if not number:
            return None
        nonce = secrets.token_bytes(_NONCE_OCTETS)
        octets = number.encode("utf-8", "surrogateescape")
        return _VERSION + nonce + self._cipher.encrypt(nonce, octets, _PURPOSE)

    def decrypt(self, token: bytes) -> str:
        """The number that :meth:`encrypt` was given.

        Raises:
            ContactStoreError: Another key made the token, or it is damaged.
        """
        if token[:1] == _VERSION and len(token) > 1 + _NONCE_OCTETS:
            nonce, sealed = token[1 : 1 + _NONCE_OCTETS], token[1 + _NONCE_OCTETS :]
            try:
                number = self._cipher.decrypt(nonce, sealed, _PURPOSE)
                return number.decode("utf-8", "surrogateescape")
            except InvalidTag:
                pass
        raise ContactStoreError(
            f"{self._number_key_path}: a stored number cannot be read with this key; "
            "put the key file of that time back"
        )


def _key(path: Path) -> bytes:
    """Read a key file, or make it. Two processes that start together get the same key."""
    try:
        if not path.exists():
            _make(path)
        if path.stat().st_mode & 0o077:
            raise ContactStoreError(f"{path}: other users can read this key; run: chmod 600 {path}")
        key = path.read_bytes()
    except OSError as error:
        raise ContactStoreError(
            f"{path}: the key cannot be read or made: {error.strerror}; "
            "give the folder to this user"
        ) from None
    if len(key) != _KEY_OCTETS:
        raise ContactStoreError(
            f"{path}: holds {len(key)} octets instead of {_KEY_OCTETS}; put the backup of this "
            "key back, or remove it to start without knowing earlier callers"
        )
    return key


def _make(path: Path) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        try:
            os.write(descriptor, secrets.token_bytes(_KEY_OCTETS))
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        # Unlike a rename, a link never replaces the key that another process has just made.
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        draft.unlink(missing_ok=True)
