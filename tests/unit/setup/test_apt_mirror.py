"""The machine's own apt configuration decides where packages come from, however it is written."""

from pathlib import Path

import pytest

from sip_config.setup import apt_mirror

CLASSIC = """\
# a comment
deb http://mirror.example/debian stable main contrib  # trailing
deb-src http://mirror.example/debian stable main
deb [arch=amd64 signed-by=/usr/share/keyrings/some.gpg] https://security.example/ stable-s main
"""

DEB822 = """\
# Types: deb
Types: deb deb-src
URIs: http://one.example/debian http://two.example/debian
Suites: stable stable-updates
Components: main
Signed-By: /usr/share/keyrings/some.gpg

Types: deb
URIs: http://off.example/debian
Suites: stable
Components: main
Enabled: no

Types: deb
URIs: http://inline.example/
Suites: tools
Components: main
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 abc
 -----END PGP PUBLIC KEY BLOCK-----
"""


def test_classic_lines_are_read_with_their_options() -> None:
    """
    Comments and source lines are left out; options keep their names.
    """
    plain, signed = apt_mirror.parse_classic(CLASSIC)

    assert ("http://mirror.example/debian", ("stable",)) == (plain.uri, plain.suites)
    assert "/usr/share/keyrings/some.gpg" == signed.options["signed-by"]


def test_stanzas_are_read_and_disabled_ones_are_not() -> None:
    """
    One source for every address of an enabled stanza.
    """
    sources = list(apt_mirror.parse_deb822(DEB822))

    assert [
        "http://one.example/debian",
        "http://two.example/debian",
        "http://inline.example/",
    ] == [source.uri for source in sources]
    assert ("stable", "stable-updates") == sources[0].suites
    assert "BEGIN PGP PUBLIC KEY BLOCK" in sources[2].options["signed-by"]


def test_both_forms_are_found_in_one_folder(tmp_path: Path) -> None:
    """
    A machine may use the old file and the new ones together.
    """
    parts = tmp_path / "sources.list.d"
    parts.mkdir()
    (tmp_path / "sources.list").write_text(CLASSIC, encoding="utf-8")
    (parts / "new.sources").write_text(DEB822, encoding="utf-8")
    (parts / "off.list.disabled").write_text("deb http://no.example x main\n", encoding="utf-8")

    sources = apt_mirror.read_sources(tmp_path)

    assert 5 == len(sources)
    assert "http://mirror.example/debian" == apt_mirror.choose(sources, "stable").uri


def test_machine_without_its_own_release_says_what_to_do() -> None:
    """
    The message names the release and the way out.
    """
    with pytest.raises(apt_mirror.MirrorError, match=r"'stable'.*PJPROJECT_TARBALL"):
        apt_mirror.choose([], "stable")


@pytest.mark.parametrize(
    ("distribution", "expected"),
    [("debian", ("sid", "main")), ("ubuntu", ("noble", "main universe"))],
)
def test_suite_with_asterisk(distribution: str, expected: tuple[str, str]) -> None:
    """
    Debian has it in unstable, Ubuntu in its own release.
    """
    assert expected == apt_mirror.suites_with_asterisk(distribution, "noble")[0]
