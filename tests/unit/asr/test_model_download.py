"""Downloads from a real server, good and bad: whole and right in the end, or a clear error."""

from __future__ import annotations

import hashlib
import ssl
from pathlib import Path

import numpy as np
import pytest

from asr.errors import ModelInstallError
from asr.models.download import Patience, Wanted, check_url, download, shown
from tests.unit.asr.model_server import (
    ModelServer,
    become,
    careless,
    claim,
    cut,
    drip,
    endless,
    redirect,
    running,
    self_signed,
    stall,
    status,
)

CONTENT = np.random.default_rng(1).bytes(300_000)
SHA256 = hashlib.sha256(CONTENT).hexdigest()
OTHER = np.random.default_rng(2).bytes(300_000)
QUICK = Patience(stall_seconds=5.0, attempts=3, pause_seconds=0.01)
ONCE = Patience(stall_seconds=5.0, attempts=1, pause_seconds=0.01)


@pytest.fixture
def part(tmp_path: Path) -> Path:
    return tmp_path / "downloads" / "model.zip.part"


def wanted(url: str, *, sha256: str | None = SHA256, size: int | None = len(CONTENT)) -> Wanted:
    return Wanted(url=url, size_octets=size, at_most_octets=1_000_000, sha256=sha256)


def fetch(goal: Wanted, part: Path, patience: Patience = QUICK) -> str:
    return download(goal, part, lambda octets, total: None, patience=patience)


def test_whole_file_arrives_with_its_hash(server: ModelServer, part: Path) -> None:
    """
    What is on the disk is what the server has, and progress goes from nothing to all.
    """
    url = server.put("model.zip", CONTENT)
    told: list[tuple[int, int | None]] = []

    seen = download(wanted(url), part, lambda octets, total: told.append((octets, total)))

    assert SHA256 == seen
    assert CONTENT == part.read_bytes()
    assert (0, len(CONTENT)) == told[0]
    assert (len(CONTENT), len(CONTENT)) == told[-1]


def test_connection_that_breaks_is_taken_up_where_it_stopped(
    server: ModelServer, part: Path
) -> None:
    """
    The second request asks for the rest only, of the same state of the file.
    """
    url = server.put("model.zip", CONTENT, cut(100_000))

    assert SHA256 == fetch(wanted(url), part)
    assert [None, "bytes=100000-"] == server.asked("Range")
    assert server.files["/model.zip"].tag == server.asked("If-Range")[1]


def test_later_run_goes_on_where_an_earlier_one_stopped(server: ModelServer, part: Path) -> None:
    """
    What was fetched yesterday is not fetched again, but it is hashed again.
    """
    url = server.put("model.zip", CONTENT, cut(120_000))
    with pytest.raises(ModelInstallError, match=r"ended after 120000 of 300000.*goes on after 120"):
        fetch(wanted(url), part, ONCE)

    assert SHA256 == fetch(wanted(url), part)
    assert "bytes=120000-" == server.asked("Range")[-1]


def test_damage_to_the_part_is_found_and_repaired(server: ModelServer, part: Path) -> None:
    """
    A part that somebody changed does not end up in the file.
    """
    url = server.put("model.zip", CONTENT, cut(120_000))
    with pytest.raises(ModelInstallError):
        fetch(wanted(url), part, ONCE)
    part.write_bytes(b"x" * 120_000)

    assert SHA256 == fetch(wanted(url), part)
    assert CONTENT == part.read_bytes()


def test_part_longer_than_the_file_is_dropped(server: ModelServer, part: Path) -> None:
    """
    It cannot be of this file.
    """
    url = server.put("model.zip", CONTENT, cut(120_000))
    with pytest.raises(ModelInstallError):
        fetch(wanted(url), part, ONCE)
    part.write_bytes(CONTENT + b"more")

    assert SHA256 == fetch(wanted(url), part)


def test_part_of_another_address_is_dropped(server: ModelServer, part: Path) -> None:
    """
    Nothing of one file comes into another.
    """
    with pytest.raises(ModelInstallError):
        fetch(wanted(server.put("old.zip", OTHER, cut(120_000)), sha256=None), part, ONCE)

    assert SHA256 == fetch(wanted(server.put("model.zip", CONTENT)), part)
    assert None is server.asked("Range")[-1]


def test_server_that_knows_no_ranges_sends_all_again(server: ModelServer, part: Path) -> None:
    """
    Its 200 replaces what there was.
    """
    url = server.put("model.zip", CONTENT, cut(100_000), knows_ranges=False)

    assert SHA256 == fetch(wanted(url), part)
    assert CONTENT == part.read_bytes()


def test_file_that_changed_meanwhile_is_fetched_anew(server: ModelServer, part: Path) -> None:
    """
    The old octets and the new are not mixed, with no hash to find it out.
    """
    url = server.put("model.zip", OTHER, cut(100_000), become(CONTENT))

    assert SHA256 == fetch(wanted(url, sha256=None, size=None), part)
    assert CONTENT == part.read_bytes()


def test_careless_server_that_mixes_two_files_is_found_out(server: ModelServer, part: Path) -> None:
    """
    The part it continues is of another state, which the tag of its answer shows.
    """
    url = server.put("model.zip", OTHER, cut(100_000))
    with pytest.raises(ModelInstallError):
        fetch(wanted(url, sha256=None, size=None), part, ONCE)
    server.put("model.zip", CONTENT, careless)

    assert SHA256 == fetch(wanted(url, sha256=None, size=None), part)


def test_two_files_mixed_without_any_tag_are_found_by_their_hash(
    server: ModelServer, part: Path
) -> None:
    """
    Where the server says nothing about its file, the hash has the last word.
    """
    url = server.put("model.zip", OTHER, cut(100_000), has_tag=False)
    with pytest.raises(ModelInstallError):
        fetch(wanted(url), part, ONCE)
    server.put("model.zip", CONTENT, has_tag=False)

    assert SHA256 == fetch(wanted(url), part)
    assert CONTENT == part.read_bytes()


def test_without_tag_and_hash_nothing_is_continued(server: ModelServer, part: Path) -> None:
    """
    Nobody could tell whether the halves belong together.
    """
    url = server.put("model.zip", CONTENT, cut(100_000), has_tag=False)

    assert SHA256 == fetch(wanted(url, sha256=None), part)
    assert [None, None] == server.asked("Range")


def test_another_file_is_refused_with_both_hashes(server: ModelServer, part: Path) -> None:
    """
    Same name, same size, other octets: refused, and not kept.
    """
    url = server.put("model.zip", OTHER)

    with pytest.raises(ModelInstallError, match=rf"is {hashlib.sha256(OTHER).hexdigest()}") as told:
        fetch(wanted(url), part)
    assert SHA256 in str(told.value)
    assert 0 == part.stat().st_size
    assert 1 == len(server.seen)


def test_other_size_is_refused_before_it_is_read(server: ModelServer, part: Path) -> None:
    """
    The server says that its file is longer than the manifest's.
    """
    url = server.put("model.zip", CONTENT + b"more")

    with pytest.raises(ModelInstallError, match="300004 octets, not 300000"):
        fetch(wanted(url), part)


@pytest.mark.parametrize("size", [len(CONTENT), None])
def test_server_that_sends_for_ever_is_cut_off(
    server: ModelServer, part: Path, size: int | None
) -> None:
    """
    The disk does not fill: by the manifest's size, else by the bound for files without one.
    """
    url = server.put("model.zip", CONTENT, endless)

    with pytest.raises(ModelInstallError, match=f"sends more than {size or 1_000_000} octets"):
        fetch(wanted(url, size=size, sha256=None), part)
    assert 0 == part.stat().st_size


def test_length_that_is_a_lie_is_not_believed(server: ModelServer, part: Path) -> None:
    """
    Promised more than it sends: that is a connection that broke.
    """
    url = server.put("model.zip", CONTENT, claim(400_000))

    assert SHA256 == fetch(wanted(url, size=None), part)
    assert 2 == len(server.seen)


def test_server_that_never_sends_all_is_given_up(server: ModelServer, part: Path) -> None:
    """
    After three attempts that brought little, with what there is kept.
    """
    url = server.put("model.zip", CONTENT, cut(10), cut(10), cut(10), cut(10))

    with pytest.raises(ModelInstallError, match=r"3 times in a row; try again later.*--from"):
        fetch(wanted(url), part)
    assert 30 == part.stat().st_size


def test_stalled_server_is_left_and_taken_up_again(server: ModelServer, part: Path) -> None:
    """
    Silence is bounded; the rest comes from a second connection.
    """
    url = server.put("model.zip", CONTENT, stall(100_000))

    assert SHA256 == fetch(wanted(url), part, Patience(0.3, 10, 3, 0.01))
    assert "bytes=100000-" == server.asked("Range")[-1]


def test_server_that_drips_is_as_good_as_silent(server: ModelServer, part: Path) -> None:
    """
    An octet now and then keeps no connection open.
    """
    url = server.put("model.zip", CONTENT, drip)
    patience = Patience(stall_seconds=0.5, slowest_octets=4096, attempts=1, pause_seconds=0.01)

    with pytest.raises(ModelInstallError, match=r"sent \d+ octets in"):
        fetch(wanted(url), part, patience)


def test_passing_trouble_passes(server: ModelServer, part: Path) -> None:
    """
    500 and 503 are tried again, after the time that the server asks for.
    """
    url = server.put("model.zip", CONTENT, status(500), status(503, Retry_After="0"))
    told: list[str] = []

    seen = download(wanted(url), part, lambda octets, total: None, told.append, QUICK)

    assert SHA256 == seen
    assert ["500", "503"] == [words.split("answered ")[1][:3] for words in told]


@pytest.mark.parametrize(
    ("code", "words"),
    [(404, "404 Not Found; it is no longer there"), (403, "403 Forbidden; it wants permission")],
)
def test_lasting_refusals_are_not_repeated(
    server: ModelServer, part: Path, code: int, words: str
) -> None:
    """
    One request, one clear answer with another way.
    """
    url = server.put("model.zip", CONTENT, status(code), status(code))

    with pytest.raises(ModelInstallError, match=f"{words}.*--from"):
        fetch(wanted(url), part)
    assert 1 == len(server.seen)


def test_server_in_lasting_trouble_is_given_up(server: ModelServer, part: Path) -> None:
    """
    The number of attempts is bounded.
    """
    url = server.put("model.zip", CONTENT, *[status(500)] * 9)

    with pytest.raises(ModelInstallError, match=r"answered 500 .*3 times in a row"):
        fetch(wanted(url), part)
    assert 3 == len(server.seen)


def test_whole_part_of_unknown_size_is_not_fetched_again(server: ModelServer, part: Path) -> None:
    """
    A run that ended between the last octet and the check starts from there: 416 says that no
    octet is left.
    """
    url = server.put("model.zip", CONTENT, cut(200_000))
    with pytest.raises(ModelInstallError):
        fetch(wanted(url, size=None), part, ONCE)
    part.write_bytes(CONTENT)

    assert SHA256 == fetch(wanted(url, size=None), part)
    assert ["bytes=300000-"] == server.asked("Range")[1:]


def test_redirects_are_followed(server: ModelServer, part: Path) -> None:
    """
    Release pages send to a storage server; the range goes along.
    """
    server.put("storage", CONTENT, cut(100_000))
    url = server.put("model.zip", b"", redirect("/storage"), redirect("/storage"))

    assert SHA256 == fetch(wanted(url), part)
    assert "bytes=100000-" == server.asked("Range")[-1]


def test_redirects_in_a_circle_end(server: ModelServer, part: Path) -> None:
    """
    A handful of requests, then an error.
    """
    url = server.put("model.zip", b"", *[redirect("/model.zip")] * 50)

    with pytest.raises(ModelInstallError, match="answered 302 Found; it sends us round"):
        fetch(wanted(url), part)
    assert len(server.seen) <= 6


@pytest.mark.parametrize(
    "target", ["http://192.0.2.1/model.zip", "file:///etc/passwd", "ftp://h/f"]
)
def test_redirect_to_anything_but_https_is_refused(
    server: ModelServer, part: Path, target: str
) -> None:
    """
    Not even asked.
    """
    url = server.put("model.zip", b"", redirect(target))

    with pytest.raises(ModelInstallError, match=r"leads to .*, which is not https|answered 302"):
        fetch(wanted(url), part)
    assert not part.exists() or 0 == part.stat().st_size


def test_https_never_becomes_http(
    tmp_path: Path, part: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    Over TLS the file comes; from TLS to plain http, even on this machine, it does not.
    """
    certificate, key = self_signed(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with running(context) as secure, running() as plain:
        url = secure.put("model.zip", CONTENT)
        assert SHA256 == fetch(wanted(url), part)
        part.unlink()
        url = secure.put("model.zip", b"", redirect(plain.put("model.zip", CONTENT)))

        with pytest.raises(ModelInstallError, match="which is not https"):
            fetch(wanted(url), part)
        assert [] == plain.seen


def test_unknown_certificate_is_told_with_its_remedy(tmp_path: Path, part: Path) -> None:
    """
    An organisation's own certificate is a matter of one variable.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*self_signed(tmp_path))
    with running(context) as secure:
        url = secure.put("model.zip", CONTENT)

        with pytest.raises(ModelInstallError, match=r"no certificate that .*SSL_CERT_FILE"):
            fetch(wanted(url), part)


def test_password_reaches_its_server_and_nothing_else(server: ModelServer, part: Path) -> None:
    """
    A mirror may want one: it goes to that server, not to where it sends us, nor into a message.
    """
    server.put("storage", CONTENT, status(403))
    url = server.put("model.zip", b"", redirect("/storage"))
    url = url.replace("http://", "http://me:hush%21@") + "?token=hush"

    with pytest.raises(ModelInstallError) as told:
        fetch(wanted(url), part)
    assert ["Basic bWU6aHVzaCE=", None] == server.asked("Authorization")
    assert "hush" not in str(told.value)
    assert "hush" not in "".join(path.read_text() for path in part.parent.glob("*.json"))


def test_addresses_are_shown_without_secrets() -> None:
    """
    User, password, query and fragment stay out of every message.
    """
    url = "https://me:secret@models.example:8443/a/b.zip?key=secret#secret"

    assert "https://models.example:8443/a/b.zip" == shown(url)
    assert "http://[::1]:80/x" == shown("http://[::1]:80/x")


@pytest.mark.parametrize(
    "url", ["http://models.example/x", "ftp://127.0.0.1/x", "file:///x", "x", "https:///x"]
)
def test_plain_addresses_are_for_this_machine_only(url: str) -> None:
    """
    Everything else must be https.
    """
    with pytest.raises(ModelInstallError, match="is not an https address"):
        check_url(url)
    check_url("https://models.example/x")
    check_url("http://127.0.0.1:8000/x")
    check_url("http://[::1]/x")
