"""Tell where this machine's own apt configuration finds packages.

pjproject's source and Asterisk are not in every Debian release. This script reads the machine's
sources (classic ``sources.list`` and deb822 ``*.sources``) and prints, for the suite that has
asterisk, lines that a private apt state or debootstrap can use. The machine's own lists stay as
they are, no mirror's name is written down here, and apt still checks the signatures.

Usage::

    apt_mirror.py deb-src       one line for a private sources.list
    apt_mirror.py debootstrap   lines "SUITE URI KEYRING COMPONENTS", best first; KEYRING "-": none

Exit codes: 0 done, 1 no usable mirror (the message says what to do), 2 wrong usage.
Standard library only: it runs before anything is installed.
"""

import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

DISTRIBUTION_KEYRINGS = {
    "debian": "/usr/share/keyrings/debian-archive-keyring.gpg",
    "ubuntu": "/usr/share/keyrings/ubuntu-archive-keyring.gpg",
}


class MirrorError(Exception):
    """No mirror can be taken from the machine's apt configuration."""


@dataclass(frozen=True, kw_only=True)
class Source:
    """One place that apt takes packages from."""

    uri: str
    suites: tuple[str, ...]
    options: dict[str, str] = field(default_factory=dict)
    """Lower-case option names, for example ``signed-by`` or ``trusted``."""


def read_os_release(path: Path = Path("/etc/os-release")) -> dict[str, str]:
    """Return the keys of os-release, values without quotes."""
    values: dict[str, str] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        key, separator, value = line.partition("=")
        if separator:
            values[key.strip()] = value.strip().strip("\"'")
    return values


def parse_classic(text: str) -> Iterator[Source]:
    """Read one-line entries: ``deb [options] URI SUITE COMPONENT...``."""
    for raw in text.splitlines():
        line = raw.split("#", 1)[0].strip()
        if not line.startswith(("deb ", "deb\t", "deb[")):
            continue
        rest = line[3:].strip()
        options: dict[str, str] = {}
        if rest.startswith("["):
            inside, _, rest = rest[1:].partition("]")
            for option in inside.split():
                name, _, value = option.partition("=")
                options[name.lower()] = value
        words = rest.split()
        if len(words) >= 2:
            yield Source(uri=words[0], suites=(words[1],), options=options)


def parse_deb822(text: str) -> Iterator[Source]:
    """Read stanzas of ``Key: value`` lines, continued by lines that start with a blank."""
    for stanza in _stanzas(text):
        if stanza.get("enabled", "yes").strip().lower() in {"no", "false", "0", "off"}:
            continue
        if "deb" not in stanza.get("types", "").split():
            continue
        options = {key: value for key, value in stanza.items() if key in {"signed-by", "trusted"}}
        for uri in stanza.get("uris", "").split():
            yield Source(uri=uri, suites=tuple(stanza.get("suites", "").split()), options=options)


def _stanzas(text: str) -> Iterator[dict[str, str]]:
    stanza: dict[str, str] = {}
    key = ""
    for line in [*text.splitlines(), ""]:
        if line.startswith("#"):
            continue
        if not line.strip():
            if stanza:
                yield stanza
            stanza, key = {}, ""
        elif line[0] in " \t":
            if key:
                stanza[key] += "\n" + line.strip()
        else:
            name, _, value = line.partition(":")
            key = name.strip().lower()
            stanza[key] = value.strip()


def read_sources(apt_folder: Path = Path("/etc/apt")) -> list[Source]:
    """Return every enabled binary source, in the order in which apt reads them."""
    parts = apt_folder / "sources.list.d"
    files = [apt_folder / "sources.list", *sorted(parts.glob("*.list"))]
    sources = [
        source
        for file in files
        if file.is_file()
        for source in parse_classic(file.read_text(encoding="utf-8"))
    ]
    for file in sorted(parts.glob("*.sources")):
        sources += parse_deb822(file.read_text(encoding="utf-8"))
    return sources


def choose(sources: list[Source], codename: str) -> Source:
    """Return the source of the distribution itself: the one that carries ``codename``.

    Raises:
        MirrorError: No source carries it.
    """
    for source in sources:
        if codename in source.suites and not source.uri.startswith("cdrom:"):
            return source
    raise MirrorError(
        f"no source in the apt configuration carries {codename!r}: add one, or download "
        "pjproject yourself and set PJPROJECT_TARBALL"
    )


def suites_with_asterisk(distribution: str, codename: str) -> list[tuple[str, str]]:
    """Return (suite, components) pairs, best first."""
    if distribution == "ubuntu":
        return [(codename, "main universe")]
    # Debian left asterisk out of 12 and 13; unstable has it, 11 had it.
    return [("sid", "main"), ("bullseye", "main")]


def _keyring(source: Source, distribution: str) -> str:
    """Return the keyring's path, or an empty text when apt's trusted keys are to be used."""
    signed_by = source.options.get("signed-by", "")
    if signed_by.startswith("/") and Path(signed_by).is_file():
        return signed_by
    if "BEGIN PGP" in signed_by:
        # A key inside a deb822 stanza: blank lines are written as a dot.
        body = "\n".join("" if line == "." else line for line in signed_by.splitlines())
        cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "wegwijs"
        cache.mkdir(parents=True, exist_ok=True)
        keyring = cache / "mirror-key.asc"
        keyring.write_text(body + "\n", encoding="utf-8")
        return str(keyring)
    known = DISTRIBUTION_KEYRINGS.get(distribution, "")
    return known if known and Path(known).is_file() else ""


def main(arguments: list[str]) -> int:
    """Print what was asked for; see the module's text."""
    if arguments not in (["deb-src"], ["debootstrap"]):
        print("usage: apt_mirror.py deb-src|debootstrap", file=sys.stderr)
        return 2
    release = read_os_release()
    family = [release.get("ID", ""), *release.get("ID_LIKE", "").split()]
    distribution = next((name for name in family if name in DISTRIBUTION_KEYRINGS), "")
    codename = release.get(
        "UBUNTU_CODENAME" if distribution == "ubuntu" else "VERSION_CODENAME", ""
    )
    try:
        if not distribution:
            raise MirrorError(
                f"{release.get('ID', 'this system')!r} is neither Debian nor Ubuntu: install the "
                "packages of sip_config/setup/README.md by hand and set PJPROJECT_TARBALL"
            )
        source = choose(read_sources(), codename)
    except MirrorError as error:
        print(f"apt_mirror: {error}", file=sys.stderr)
        return 1
    keyring = _keyring(source, distribution)
    suites = suites_with_asterisk(distribution, codename)
    if arguments == ["deb-src"]:
        options = [f"signed-by={keyring}"] if keyring else []
        if source.options.get("trusted"):
            options.append(f"trusted={source.options['trusted']}")
        bracket = f"[{' '.join(options)}] " if options else ""
        suite, components = suites[0]
        print(f"deb-src {bracket}{source.uri} {suite} {components}")
    else:
        for suite, components in suites:
            print(suite, source.uri, keyring or "-", components.replace(" ", ","))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
