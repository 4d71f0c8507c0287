"""Settings that cannot work are refused before anything is opened."""

from __future__ import annotations

import shutil
import subprocess
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
        ("bind_address", {"bind_address": "a..b"}),
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
        ("session_expires_seconds", {"session_expires_seconds": 10**10}),
        ("trunk.user", {"trunk": Trunk(password="geheim")}),
    ],
)
def test_mistake_is_named_with_a_remedy(key: str, changes: dict[str, Any]) -> None:
    """
    Key, value and what to do stand in the message.
    """
    with pytest.raises(SettingsError) as caught:
        replace(SipSettings(), **changes).check()

    assert key == caught.value.key
    section = "service" if key == "max_calls" else "sip"
    assert str(caught.value).startswith(f"{section}.{key} = ")
    assert "geheim" not in str(caught.value)
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
        replace(SipSettings(), tls=TlsFiles(certificate=file, key=file)).check()


def test_every_problem_is_told(tmp_path: Path) -> None:
    """
    In one go; also TLS files that no transport uses yet.
    """
    nowhere = tmp_path / "nowhere.pem"
    settings = SipSettings(
        public_address="10.0.0.1:5060",
        codecs=("G729", "iLBC"),
        rtp_last_port=20_010,
        tls=TlsFiles(certificate=nowhere, key=nowhere, authorities=nowhere),
    )
    told = [str(problem) for problem in settings.problems()]

    wanted = ["public_address", "tls.certificate", "tls.key", "tls.authorities"]
    wanted += ["codecs = 'G729'", "codecs = 'iLBC'", "rtp_ports"]
    assert wanted == [word for word in wanted if any(f"sip.{word}" in problem for problem in told)]
    assert len(wanted) == len(told)


def test_tls_files_that_do_not_fit_are_told_apart(tmp_path: Path) -> None:
    """
    A key with a passphrase, files in each other's place, authorities that are none.
    """
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    certificate, key, locked = (tmp_path / name for name in ("c.pem", "k.pem", "locked.pem"))
    made = f"req -x509 -newkey rsa:2048 -nodes -keyout {key} -out {certificate} -subj /CN=t"
    for command in (made, f"rsa -aes128 -passout pass:geheim -in {key} -out {locked}"):
        subprocess.run(["openssl", *command.split()], check=True, capture_output=True, timeout=100)
    junk = tmp_path / "junk.pem"
    junk.write_text("junk", "utf-8")

    def told(certificate: Path, key: Path, authorities: Path | None = None) -> str:
        files = TlsFiles(certificate=certificate, key=key, authorities=authorities)
        return "\n".join(str(problem) for problem in files.problems())

    assert "" == told(certificate, key)
    assert "the key has a passphrase" in told(certificate, locked)
    assert f"{key} holds no certificate" in told(key, certificate)
    assert told(certificate, key, junk).startswith("sip.tls.authorities = ")


def test_password_is_not_shown() -> None:
    """
    Settings may be logged.
    """
    assert "geheim" not in repr(SipSettings(trunk=Trunk(user="u", password="geheim")))
