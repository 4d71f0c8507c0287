"""Build a pjsua2 wheel from pjproject's source for the interpreter that runs this script.

Usage::

    .venv/bin/python sip_config/pjsua2/build.py [--install] [--refresh]

The helpers in ``helpers/`` are compiled against the source's headers and linked into the wheel.

The wheel is kept under ``$XDG_CACHE_HOME/wegwijs/pjsua2`` (default ``~/.cache``), keyed by
pjproject's version, the Python ABI, the machine and the build recipe; while it is there, nothing
is built and the network is not used. ``--refresh`` looks for a newer pjproject.
``PJPROJECT_TARBALL=FILE`` builds from that archive instead of the distribution's.

Exit codes: 0 done, 1 a step failed (the message says what to do and names the log), 2 wrong usage.
Standard library only: it runs before anything is installed.
"""

import argparse
import fcntl
import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
import zipfile
from collections.abc import Sequence
from pathlib import Path

HERE = Path(__file__).resolve().parent
CONFIG_SITE = HERE / "config_site.h"
HELPERS = HERE / "helpers"
HELPERS_SYMBOL = "wegwijs_helpers_version"
SELFCHECK = HERE / "selfcheck.py"
APT_MIRROR = HERE.parent / "setup" / "apt_mirror.py"
APT_HELPER = "/usr/lib/apt/apt-helper"

C_FLAGS = "-O2 -fPIC -DNDEBUG"
# The wrapper is 150,000 generated lines that only pass calls on: -O1 halves the compiling time.
WRAPPER_FLAGS = "-O1 -g0 -DNDEBUG"
CONFIGURE = (
    "--enable-epoll",
    "--disable-video",
    "--disable-sound",
    "--disable-libwebrtc",
    "--disable-libwebrtc-aec3",
    "--disable-libyuv",
    "--disable-ilbc-codec",
    "--disable-l16-codec",
    "--disable-opencore-amr",
    "--disable-v4l2",
    "--disable-sdl",
    "--disable-ffmpeg",
    "--disable-openh264",
    "--disable-vpx",
    "--disable-g7221-codec",
    "--disable-bcg729",
    "--with-external-srtp",
    "--with-external-speex",
    "--with-external-gsm",
    "--enable-speex-resample",
)


_OTHER_SOURCE = (
    "build from another one (set or unset PJPROJECT_TARBALL), or adapt the helpers as "
    "sip_config/pjsua2/README.md says"
)


class BuildError(Exception):
    """A step failed; the text says what to do."""


def cache_folder() -> Path:
    """Return the folder for everything that outlives a checkout."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "wegwijs"


def recipe_key(helpers: Path = HELPERS) -> str:
    """Return a short key of all that decides what comes out, but for pjproject's version.

    Args:
        helpers: Folder whose files are compiled in.
    """
    sizes = re.findall(r"^#define\s+(\w+)\s+(\w+)", CONFIG_SITE.read_text("utf-8"), re.M)
    sources = [*helpers.glob("*.[ch]"), helpers / "Makefile"]
    texts = [f"{file.name}\n{file.read_text('utf-8')}" for file in sorted(sources)]
    recipe = "\n".join([C_FLAGS, WRAPPER_FLAGS, *CONFIGURE, *map("=".join, sizes), *texts])
    return hashlib.sha256(recipe.encode()).hexdigest()[:8]


def wheel_shelf() -> Path:
    """Return the folder whose subfolders, one a pjproject version, hold finished wheels.

    The system libraries are linked dynamically, hence the distribution in the key.
    """
    release = platform.freedesktop_os_release()
    system = f"{release.get('ID', 'linux')}{release.get('VERSION_ID', '')}"
    abi = f"cp{sys.version_info.major}{sys.version_info.minor}{sys.abiflags}"
    name = f"{abi}-{platform.machine()}-{system}-{recipe_key()}"
    return cache_folder() / "pjsua2" / name


def newest_wheel(shelf: Path) -> Path | None:
    """Return the cached wheel with the highest pjproject version."""
    wheels = sorted(shelf.glob("*/pjsua2-*.whl"), key=lambda wheel: _version_key(wheel.parent.name))
    return wheels[-1] if wheels else None


def _version_key(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version))


class Steps:
    """Runs commands, says what each does, and keeps their output in one log."""

    def __init__(self, log: Path) -> None:
        self._log = log
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text("", encoding="utf-8")

    def run(
        self,
        what: str,
        command: Sequence[str],
        *,
        takes: str,
        remedy: str,
        cwd: Path | None = None,
        flags: str | None = None,
        link: str = "",
    ) -> str:
        """Run one step and return its standard output.

        Args:
            what: For people, as ``takes`` and ``remedy``.
            command: Its arguments; no shell reads them.
            takes: How long or how much.
            remedy: What to do when it fails.
            cwd: Where it runs.
            flags: For the compilers that it calls; none of ours when absent.
            link: For their linker, with ``flags``.

        Raises:
            BuildError: The command failed; the log's name and ``remedy`` are in the text.
        """
        print(f"pjsua2: {what} ({takes})", flush=True)
        environment = {name: value for name, value in os.environ.items() if name != "MAKEFLAGS"}
        if flags is not None:
            environment |= {"CFLAGS": flags, "CXXFLAGS": flags, "LDFLAGS": f"-s {link}"}
        started = time.monotonic()
        with self._log.open("a", encoding="utf-8") as log:
            log.write(f"\n$ {' '.join(command)}\n")
            log.flush()
            try:
                done = subprocess.run(
                    command,
                    cwd=cwd,
                    env=environment,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=log,
                    text=True,
                    check=False,
                )
            except FileNotFoundError:
                raise BuildError(f"{command[0]} is not installed: {remedy}") from None
            log.write(done.stdout)
        if done.returncode != 0:
            tail = "\n".join(self._log.read_text("utf-8", "replace").splitlines()[-12:])
            raise BuildError(
                f"{what} failed (exit {done.returncode}).\n{tail}\n"
                f"  whole log: {self._log}\n  what to do: {remedy}"
            )
        seconds = time.monotonic() - started
        if seconds > 2:
            print(f"pjsua2:   done in {seconds:.0f} s", flush=True)
        return done.stdout


def fetch_tarball(steps: Steps) -> Path:
    """Return pjproject's source from the distribution's signed index.

    The private apt state leaves the machine's own lists as they are.
    """
    own = os.environ.get("PJPROJECT_TARBALL")
    if own:
        tarball = Path(own).expanduser().resolve()
        if not tarball.is_file():
            raise BuildError(f"PJPROJECT_TARBALL={own}: there is no such file; correct or unset it")
        return tarball
    offline = "check the network, or set PJPROJECT_TARBALL to a pjproject archive"
    line = steps.run(
        "finding the mirror in the machine's apt configuration",
        [sys.executable, str(APT_MIRROR), "deb-src"],
        takes="1 s",
        remedy=offline,
    )
    private = cache_folder() / "apt"
    for folder in ("state/lists/partial", "cache/archives/partial"):
        (private / folder).mkdir(parents=True, exist_ok=True)
    (private / "sources.list").write_text(line, encoding="utf-8")
    options = {
        "Dir::Etc::SourceList": private / "sources.list",
        "Dir::Etc::SourceParts": "/dev/null",
        "Dir::Etc::PreferencesParts": "/dev/null",
        "Dir::State": private / "state",
        "Dir::Cache": private / "cache",
        "Acquire::Languages": "none",
        "Acquire::Retries": "3",
    }
    if os.geteuid() == 0:
        # apt's own user cannot write in a home folder.
        options["APT::Sandbox::User"] = "root"
    apt = [
        "apt-get",
        *(part for key, value in options.items() for part in ("-o", f"{key}={value}")),
    ]
    steps.run("reading the signed index of sources", [*apt, "update"], takes="10 s", remedy=offline)
    found = steps.run(
        "looking up pjproject in it",
        [*apt, "source", "--print-uris", "asterisk"],
        takes="1 s",
        remedy=offline,
    )
    match = re.search(r"^'(\S+)' (\S+\.orig-Xpjproject\.tar\.\w+) \d+ (SHA\d+:\w+)", found, re.M)
    if match is None:
        raise BuildError(f"asterisk's source has no pjproject archive in this suite: {offline}")
    address, name, checksum = match.groups()
    tarball = cache_folder() / "pjproject" / name
    tarball.parent.mkdir(parents=True, exist_ok=True)
    steps.run(
        f"downloading {name} and checking its {checksum.partition(':')[0]}",
        [APT_HELPER, *apt[1:], "download-file", address, str(tarball), checksum],
        takes="7 MB",
        remedy=offline,
    )
    return tarball


def build(tarball: Path, shelf: Path, steps: Steps, jobs: int) -> Path:
    """Compile ``tarball`` and return the checked wheel on ``shelf``."""
    packages = "install the packages that sip_config/setup/setup.sh lists, then run it again"
    with tempfile.TemporaryDirectory(prefix="wegwijs-pjsua2-") as temporary:
        steps.run(
            "unpacking",
            [
                "tar",
                "--extract",
                "--no-same-owner",
                f"--file={tarball}",
                f"--directory={temporary}",
            ],
            takes="2 s",
            remedy=f"{tarball} is damaged or not an archive: remove it and run this again",
        )
        makefiles = [*Path(temporary).glob("*/version.mak"), *Path(temporary).glob("version.mak")]
        if not makefiles:
            raise BuildError(f"{tarball} is not pjproject's source: it has no version.mak")
        source = makefiles[0].parent
        version = pjproject_version(makefiles[0].read_text("utf-8"))
        print(f"pjsua2: building pjproject {version}; 2 to 5 minutes in all on two cores")
        shutil.copy(CONFIG_SITE, source / "pjlib/include/pj/config_site.h")
        # Debian leaves this file out; with sound disabled it would be empty.
        (source / "pjmedia/src/pjmedia-audiodev/bdimad_dev.c").touch()
        steps.run("configuring", ["./configure", *CONFIGURE, f"CFLAGS={C_FLAGS}",
                  f"CXXFLAGS={C_FLAGS}"], cwd=source, takes="15 s", remedy=packages)  # fmt: skip
        _require_features(source, packages)
        helpers = compile_helpers(source, steps)
        steps.run("resolving dependencies", ["make", f"-j{jobs}", "dep"], cwd=source,
                  takes="10 s", remedy=packages)  # fmt: skip
        steps.run("compiling the libraries", ["make", f"-j{jobs}", "lib"], cwd=source,
                  takes="1 min", remedy=packages)  # fmt: skip
        binding = source / "pjsip-apps/src/swig/python"
        steps.run("generating the Python wrapper", ["make", "pjsua2_wrap.cpp"], cwd=binding,
                  takes="10 s", remedy=packages)  # fmt: skip
        steps.run(
            "compiling the Python wrapper",
            # Older pip would otherwise look for setuptools and wheel in this environment.
            [
                sys.executable,
                "-m",
                "pip",
                "wheel",
                "--use-pep517",
                "--no-deps",
                "--wheel-dir=built",
                ".",
            ],
            cwd=binding,
            takes="1 to 2 min",
            remedy="it needs the Python headers (sysconfig: "
            f"{sysconfig.get_path('include')}) and setuptools from the package index",
            flags=WRAPPER_FLAGS,
            # Nothing in the wrapper refers to them, and flags may reach the linker twice.
            link=f"-Wl,--undefined={HELPERS_SYMBOL} {helpers}",
        )
        wheel = next((binding / "built").glob("pjsua2-*.whl"))
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(Path(temporary) / "unpacked")
        steps.run(
            "checking codecs, transports and helpers",
            ["env", f"PYTHONPATH={temporary}/unpacked", sys.executable, str(SELFCHECK)],
            takes="2 s",
            remedy="what it says of helpers: this pjproject behaves otherwise than they expect; "
            f"{_OTHER_SOURCE}. Anything else: {packages}",
        )
        kept = shelf / version / wheel.name
        kept.parent.mkdir(parents=True, exist_ok=True)
        half = kept.with_suffix(".part")
        shutil.copy(wheel, half)
        half.replace(kept)
        return kept


def compile_helpers(source: Path, steps: Steps) -> Path:
    """Compile our helpers against the headers of a configured source.

    The compiler reads every structure from there; what the helpers use and the source lacks, it
    refuses. Nothing of the source is changed: the linker's flags carry them into the wheel.

    Returns:
        The library to link with.

    Raises:
        BuildError: The source does not fit the helpers, or there is no compiler.
    """
    folder = source / "wegwijs"
    shutil.copytree(HELPERS, folder)
    steps.run(
        "compiling Wegwijs's helpers against its headers",
        ["make", "--silent", "--no-print-directory", "-C", str(folder)],
        takes="2 s",
        remedy=f"this pjproject does not fit sip_config/pjsua2/helpers; {_OTHER_SOURCE}",
    )
    return folder / "libwegwijs_pjsip.a"


def _require_features(source: Path, remedy: str) -> None:
    """Fail before the long part when configure silently left something out."""
    settings = (source / "pjlib/include/pj/compat/os_auto.h").read_text("utf-8")
    media = (source / "pjmedia/include/pjmedia-codec/config_auto.h").read_text("utf-8")
    lacks = []
    if not re.search(r"^#define PJ_HAS_SSL_SOCK\s+1", settings, re.M):
        lacks.append("OpenSSL (libssl-dev)")
    if not re.search(r"^#define PJMEDIA_HAS_OPUS_CODEC\s+1", media, re.M):
        lacks.append("Opus (libopus-dev)")
    if lacks:
        raise BuildError(f"configure did not find {' and '.join(lacks)}: {remedy}")


def pjproject_version(makefile: str) -> str:
    """Return the version that pjproject's ``version.mak`` states, for example 2.17."""
    parts: dict[str, str] = dict(
        re.findall(r"^export PJ_VERSION_(\w+)\s*:=[ \t]*(\S*)", makefile, re.M)
    )
    numbers = [parts.get(name, "") for name in ("MAJOR", "MINOR", "REV")]
    return ".".join(number for number in numbers if number) + parts.get("SUFFIX", "")


def install(wheel: Path) -> None:
    """Put ``wheel`` into the environment of the running interpreter and check it there."""
    for command in (
        [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps",
         "--force-reinstall", str(wheel)],
        [sys.executable, str(SELFCHECK)],
    ):  # fmt: skip
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            raise BuildError(
                f"{wheel.name} does not work here ({done.stderr.strip()}); remove {wheel} "
                "and run this again to rebuild it"
            )


def main(arguments: Sequence[str] | None = None) -> int:
    """Return an exit code; see the module's text."""
    parser = argparse.ArgumentParser(description="Build pjsua2 from pjproject's source.")
    parser.add_argument("--install", action="store_true", help="put it into this environment")
    parser.add_argument("--refresh", action="store_true", help="look for a newer pjproject")
    options = parser.parse_args(arguments)
    jobs = max(1, min(4, os.cpu_count() or 1))
    shelf = wheel_shelf()
    shelf.mkdir(parents=True, exist_ok=True)
    try:
        with (shelf / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # a second set-up waits for the first one's wheel
            rebuild = options.refresh or "PJPROJECT_TARBALL" in os.environ
            wheel = None if rebuild else newest_wheel(shelf)
            if wheel is None:
                steps = Steps(shelf / "build.log")
                wheel = build(fetch_tarball(steps), shelf, steps, jobs)
        if options.install:
            install(wheel)
    except BuildError as error:
        print(f"pjsua2: {error}", file=sys.stderr)
        return 1
    print(f"pjsua2: {wheel}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
