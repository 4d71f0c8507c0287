"""Themas, groups and products: what a catalogue may say, and every mistake in one named."""

from __future__ import annotations

import datetime
from pathlib import Path
from random import Random

import pytest

from intent.catalogue import Catalogue, load_catalogue
from intent.errors import CatalogueError
from intent.products import Product, ProductIndex
from tests.unit.intent.steps import steps

DATA = Path(__file__).parents[3] / "training_data"

SMALL = """
[[themas]]
slug = "energie"
spoken = "energie"
description = "gas en elektriciteit"
group = "algemeen"
{extra}
[[themas]]
slug = "buiten-bereik"
spoken = "iets anders"
description = "niet van ons"
group = "algemeen"
non_thema = true
[[themas]]
slug = "mens"
spoken = "een voorlichter"
description = "iemand"
group = "algemeen"
non_thema = true
[[themas]]
slug = "andere-taal"
spoken = "een andere taal"
description = "geen Nederlands"
group = "algemeen"
non_thema = true
[[groups]]
slug = "algemeen"
spoken = "een voorlichter"
"""


def small(folder: Path, extra: str = "") -> Path:
    (folder / "catalogue.toml").write_text(SMALL.replace("{extra}", extra), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return load_catalogue(DATA)


def test_embedded_catalogue_has_the_themas_of_the_design(catalogue: Catalogue) -> None:
    """
    Twelve themas and three non-themas, each thema with its own group.
    """
    expected = {
        "belastingen", "bouwen-wonen", "energie", "leefmilieu-natuur", "mobiliteit", "onderwijs",
        "welzijn-zorg", "gezin-groeipakket", "werk-ondernemen", "cultuur-sport-vrijetijd",
        "burger-overheid", "digitale-hulp", "buiten-bereik", "mens", "andere-taal",
    }  # fmt: skip

    assert expected == set(catalogue.labels)
    assert all(t.group in (t.slug, "algemeen") for t in catalogue.themas)
    assert {"buiten-bereik", "mens", "andere-taal"} == set(catalogue.labels[-3:])


def test_busiest_first(catalogue: Catalogue) -> None:
    """
    Taxes and study grants were half of all calls.
    """
    assert ["belastingen", "onderwijs"] == [t.slug for t in catalogue.busiest(2)]


@pytest.mark.parametrize(
    ("said", "thema", "name"),
    [
        ("groei paket", "gezin-groeipakket", "Groeipakket"),
        ("wegentax", "belastingen", "Jaarlijkse verkeersbelasting"),
        ("mijn verbouwpreemie", "bouwen-wonen", "Mijn VerbouwPremie"),
        ("dienstenceques", "werk-ondernemen", "Dienstencheques"),
        ("parkeer kaart handicap", "welzijn-zorg", "Parkeerkaart voor personen met een handicap"),
    ],
)
def test_search_forgives_typing_and_hearing(
    catalogue: Catalogue, said: str, thema: str, name: str
) -> None:
    """
    A misspelt or cut name still finds its product first.
    """
    hit = catalogue.search(said, 3)[0]

    assert (thema, name) == (hit.thema, hit.name)
    assert 0.0 < hit.score <= 1.0


def test_search_of_nothing_finds_nothing(catalogue: Catalogue) -> None:
    """
    Empty and meaningless queries have no hits.
    """
    assert () == catalogue.search("")
    assert () == catalogue.search("zzz qqq")
    assert () == catalogue.search("premie", 0)


def test_search_can_be_kept_to_themas(catalogue: Catalogue) -> None:
    """
    With themas given, no product of another is found.
    """
    hits = catalogue.search("premie voor warmtepomp", 5, themas=["energie"])

    assert hits
    assert {"energie"} == {hit.thema for hit in hits}


def test_many_products_are_as_many_steps_as_few() -> None:
    """
    Twenty times the products add work to NumPy's loops, and none to Python's.
    """
    rng = Random(3)
    parts = [
        "premie", "woning", "school", "water", "auto", "zorg", "kind", "werk", "natuur", "bus",
        "huur", "energie", "subsidie", "vergunning", "attest", "kaart", "dak", "boom", "sport",
    ]  # fmt: skip
    products = [
        Product(name=f"{''.join(rng.sample(parts, 2))} {rng.choice(parts)} {i}", thema="t")
        for i in range(10_000)
    ]
    said = "ik wil een waterkaart aanvragen voor de school van mijn kind"
    few, many = ProductIndex(products[:500]), ProductIndex(products)

    assert 1 == len(few.search(said, 1)) == len(many.search(said, 1))
    assert steps(lambda: many.search(said, 1)) < 1.2 * steps(lambda: few.search(said, 1))


def test_products_that_resemble_alike_come_in_their_order() -> None:
    """
    Which of many equals are found does not depend on how NumPy sorts.
    """
    products = [Product(name=f"premie {letter * 3}", thema="t") for letter in "zyxwvutsrqponm"]

    hits = ProductIndex(products).search("premie", 12)

    assert [product.name for product in products[:12]] == [hit.name for hit in hits]


def test_expired_thema_is_gone(tmp_path: Path) -> None:
    """
    A temporary thema is there on its last day and not after it.
    """
    catalogue = load_catalogue(small(tmp_path, "expires = 2026-12-31"))

    assert "energie" in catalogue.valid_on(datetime.date(2026, 12, 31))
    assert "energie" not in catalogue.valid_on(datetime.date(2027, 1, 1))
    assert "mens" in catalogue.valid_on(datetime.date(2027, 1, 1))


@pytest.mark.parametrize(
    ("extra", "where"),
    [
        ('colour = "red"', "themas[0].colour"),
        ("share = 3", "themas[0].share"),
        ('expires = "soon"', "themas[0].expires"),
        ("keywords = [1]", "themas[0].keywords"),
        ('non_thema = "no"', "themas[0].non_thema"),
        ("non_thema = true", "themas[0].non_thema"),
    ],
)
def test_wrong_key_is_named(tmp_path: Path, extra: str, where: str) -> None:
    """
    The error names the file and the key.
    """
    with pytest.raises(CatalogueError, match=r"catalogue\.toml") as caught:
        load_catalogue(small(tmp_path, extra))

    assert where == caught.value.where
    assert caught.value.remedy


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ('slug = "energie"', 'slug = "mens"', "is there twice"),
        ('slug = "energie"', 'slug = "Energie!"', "is not a slug"),
        ('slug = "andere-taal"', 'slug = "andere"', "is missing"),
        ('group = "algemeen"', 'group = "geen"', "is not a group"),
        ("non_thema = true", "", "does not go with the slug 'buiten-bereik'"),
        (
            "non_thema = true",
            "non_thema = true\nexpires = 2030-01-01",
            "would take 'buiten-bereik'",
        ),
        ("[[groups]]", "[[group]]", "is not a known table"),
        ('spoken = "energie"', 'spoken = " "', "is not a text"),
        ("[[themas]]", "[[themas", r"is not TOML \(.*line \d+, column \d+\)"),
    ],
)
def test_contradictions_are_refused(tmp_path: Path, old: str, new: str, problem: str) -> None:
    """
    A catalogue that contradicts itself is refused with the reason.
    """
    file = small(tmp_path) / "catalogue.toml"
    file.write_text(file.read_text(encoding="utf-8").replace(old, new, 1), encoding="utf-8")

    with pytest.raises(CatalogueError, match=problem):
        load_catalogue(tmp_path)


@pytest.mark.parametrize(
    ("octets", "problem"),
    [
        (b"themas = 5", "themas: 5 is not a list of tables"),
        (b"[groups]\na = 1", "groups: .* is not a list of tables"),
        (b"# caf\xe9", "is not UTF-8"),
    ],
)
def test_file_of_another_form_is_refused(tmp_path: Path, octets: bytes, problem: str) -> None:
    """
    With what it should be, not a traceback.
    """
    (tmp_path / "catalogue.toml").write_bytes(octets)

    with pytest.raises(CatalogueError, match=problem):
        load_catalogue(tmp_path)


def test_missing_catalogue_is_named(tmp_path: Path) -> None:
    """
    A folder without a catalogue is an error of its own, not a traceback.
    """
    with pytest.raises(CatalogueError, match="cannot be read"):
        load_catalogue(tmp_path)


@pytest.mark.parametrize(
    ("content", "where"),
    [
        ("thema\tname\n", "line 1"),
        ("thema\tname\tsynonyms\tcolloquial\ngeen\tX\t\t\n", "line 2"),
        ("thema\tname\tsynonyms\tcolloquial\nenergie\t\t\t\n", "line 2"),
        ("thema\tname\tsynonyms\tcolloquial\nenergie\tX\t\t\ty\tz\n", "line 2"),
        (b"thema\tname\tsynonyms\tcolloquial\nenergie\tcaf\xe9\t\t\n", "line 2"),
    ],
)
def test_wrong_product_line_is_named(tmp_path: Path, content: str | bytes, where: str) -> None:
    """
    The error names the product file and its line.
    """
    small(tmp_path)
    (tmp_path / "products").mkdir()
    (tmp_path / "products" / "energie.tsv").write_bytes(
        content if isinstance(content, bytes) else content.encode()
    )

    with pytest.raises(CatalogueError, match=r"energie\.tsv") as caught:
        load_catalogue(tmp_path)

    assert where == caught.value.where
