"""Settings that cannot work are refused before anything is opened."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ivr.sip.errors import SettingsError, TlsFilesError
from ivr.sip.settings import SipSettings, Srtp, TlsFiles, Trunk


def test_defaults_work_and_stay_on_this_machine() -> None:
    """
    Listening on other addresses must be asked for.
    """
    settings = SipSettings()
    settings.check()

    assert "127.0.0.1" == settings.bind_address
    assert settings.rtp_ports >= 2 * settings.max_legs
    assert ("PCMA/8000", "PCMU/8000", "G722/16000", "opus/48000") == settings.library_codecs


@pytest.mark.parametrize(
    ("key", "changes"),
    [
        ("bind_address", {"bind_address": "not an address"}),
        ("bind_address", {"bind_address": "::1"}),
        ("public_address", {"public_address": ""}),
        ("name_servers", {"name_servers": ("127.0.0.53", "a b")}),
        ("udp_port", {"udp_port": 70_000}),
        ("udp_port", {"udp_port": None, "tcp_port": None}),
        ("tls_port", {"tls_port": 5061}),
        ("srtp", {"srtp": Srtp.MANDATORY}),
        ("codecs", {"codecs": ("GSM",)}),
        ("codecs", {"codecs": ()}),
        ("max_calls", {"max_calls": 0}),
        ("max_calls", {"max_calls": 10_000}),
        ("rtp_ports", {"rtp_first_port": 20_000, "rtp_last_port": 20_100}),
        ("rtp_ports", {"rtp_first_port": 30_000, "rtp_last_port": 20_000}),
        ("rtp_ports", {"rtp_first_port": 80, "rtp_last_port": 9_000}),
        ("media_lost_seconds", {"media_lost_seconds": 0.0}),
        ("session_expires_seconds", {"session_expires_seconds": 10}),
    ],
)
def test_mistake_is_named_with_a_remedy(key: str, changes: dict[str, Any]) -> None:
    """
    Key, value and what to do stand in the message.
    """
    with pytest.raises(SettingsError) as caught:
        replace(SipSettings(), **changes).check()

    assert key == caught.value.key
    assert f"sip.{key} = " in str(caught.value)
    assert "; " in str(caught.value)


def test_range_that_just_suffices() -> None:
    """
    Two ports a leg, two legs a bridged call, and the spare ones.
    """
    tight = SipSettings(max_calls=2, rtp_first_port=20_000, rtp_last_port=20_039)
    tight.check()

    with pytest.raises(SettingsError, match="20 legs"):
        replace(tight, rtp_last_port=20_038).check()


def test_certificate_that_is_none(tmp_path: Path) -> None:
    """
    A damaged file is named, without asking for a passphrase.
    """
    file = tmp_path / "cert.pem"
    file.write_text("not a certificate", "utf-8")

    with pytest.raises(TlsFilesError, match=r"cert\.pem"):
        TlsFiles(certificate=file, key=file).check()


def test_password_is_not_shown() -> None:
    """
    Settings may be logged.
    """
    assert "geheim" not in repr(SipSettings(trunk=Trunk(user="u", password="geheim")))
