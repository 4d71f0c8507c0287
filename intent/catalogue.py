"""The catalogue: themas, voorlichter groups and products.

``catalogue.toml`` holds themas and groups; ``products/*.tsv`` next to it holds products with the
names citizens use. Slugs are stable identifiers: they are stored in call records.
"""

from __future__ import annotations

import csv
import datetime
import hashlib
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from intent.errors import CatalogueError
from intent.products import Product, ProductHit, ProductIndex

OUT_OF_SCOPE: Final = "buiten-bereik"
HUMAN: Final = "mens"
OTHER_LANGUAGE: Final = "andere-taal"
NON_THEMAS: Final = (OUT_OF_SCOPE, HUMAN, OTHER_LANGUAGE)
"""Answers that are no subject: the classifier treats each in its own way, and nobody is routed on
them."""

GENERAL_GROUP: Final = "algemeen"
"""Slug of the group that takes whatever has no other place."""

_THEMA_KEYS: Final = {
    "slug", "spoken", "description", "group", "share", "expires", "non_thema", "keywords",
}  # fmt: skip
_GROUP_KEYS: Final = {"slug", "spoken"}
_PRODUCT_COLUMNS: Final = ("thema", "name", "synonyms", "colloquial")


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """A voorlichter group."""

    slug: str
    spoken: str
    """Completes "Ik verbind u door met …"."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Thema:
    """A subject label routed on, or one of the three non-themas."""

    slug: str
    spoken: str
    """Completes "Gaat uw vraag over …?" and "Voor …, druk 1"."""
    description: str
    group: str
    share: float = 0.0
    """Expected share of calls, 0..1: the order of a keuzemenu without a ranking."""
    expires: datetime.date | None = None
    """The last day on which calls are routed to it."""
    non_thema: bool = False
    keywords: tuple[str, ...] = ()
    """Words and phrases that speak for it, for a thema with few written utterances."""


@dataclass(frozen=True)
class Catalogue:
    """Themas, groups and products; immutable, safe to share between threads."""

    themas: tuple[Thema, ...]
    groups: tuple[Group, ...]
    products: tuple[Product, ...] = field(repr=False)

    @property
    def labels(self) -> tuple[str, ...]:
        """All slugs, themas first, non-themas last, in the order of the file."""
        return tuple(t.slug for t in sorted(self.themas, key=lambda t: t.non_thema))

    @cached_property
    def _by_slug(self) -> Mapping[str, Thema]:
        return {thema.slug: thema for thema in self.themas}

    @cached_property
    def _groups_by_slug(self) -> Mapping[str, Group]:
        return {group.slug: group for group in self.groups}

    @cached_property
    def _index(self) -> ProductIndex:
        return ProductIndex(self.products)

    def __contains__(self, slug: str) -> bool:
        return slug in self._by_slug

    def thema(self, slug: str) -> Thema:
        """Return the thema with this slug.

        Raises:
            KeyError: There is none.
        """
        return self._by_slug[slug]

    def group(self, slug: str) -> Group:
        """Return the voorlichter group with this slug.

        Raises:
            KeyError: There is none.
        """
        return self._groups_by_slug[slug]

    def busiest(self, limit: int) -> tuple[Thema, ...]:
        """Return the ``limit`` themas with the largest share of calls, busiest first."""
        real = [thema for thema in self.themas if not thema.non_thema]
        return tuple(sorted(real, key=lambda t: -t.share)[:limit])

    def valid_on(self, day: datetime.date) -> Catalogue:
        """Return the catalogue without the themas that expired before ``day``."""
        kept = tuple(t for t in self.themas if t.expires is None or t.expires >= day)
        if len(kept) == len(self.themas):
            return self
        slugs = {thema.slug for thema in kept}
        products = tuple(p for p in self.products if p.thema in slugs)
        return replace(self, themas=kept, products=products)

    def search(
        self, text: str, limit: int = 5, *, themas: Iterable[str] | None = None
    ) -> tuple[ProductHit, ...]:
        """Find products by free text, tolerant of typing and recognition errors.

        Args:
            text: What the caller said or a voorlichter typed.
            limit: How many hits at most.
            themas: Only products of these; all when None.

        Returns:
            Best first; empty when nothing resembles a product.
        """
        return self._index.search(text, limit, themas=themas)

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over the themas, groups and products."""
        parts = repr((self.themas, self.groups, self.products))
        return hashlib.sha256(parts.encode()).hexdigest()


def load_catalogue(directory: Path) -> Catalogue:
    """Read ``catalogue.toml`` and ``products/*.tsv`` in ``directory``.

    Raises:
        CatalogueError: A file is missing, unreadable or contradicts itself.
    """
    file = directory / "catalogue.toml"
    try:
        document = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise CatalogueError(
            file, "file", file.name, f"cannot be read ({error.strerror})",
            remedy="give the catalogue's folder",
        ) from None  # fmt: skip
    except UnicodeDecodeError:
        raise CatalogueError(
            file, "file", file.name, "is not UTF-8", remedy="save it as UTF-8"
        ) from None
    except tomllib.TOMLDecodeError as error:
        raise CatalogueError(
            file, "file", file.name, f"is not TOML ({error})", remedy="correct the named line"
        ) from None
    for key in document:
        if key not in ("themas", "groups"):
            raise CatalogueError(
                file, key, document[key], "is not a known table", remedy="use themas or groups"
            )
        if not isinstance(document[key], list):
            raise CatalogueError(
                file,
                key,
                document[key],
                "is not a list of tables",
                remedy=f"write [[{key}]] tables",
            )
    groups = tuple(
        _group(file, f"groups[{i}]", table) for i, table in enumerate(document.get("groups", []))
    )
    themas = tuple(
        _thema(file, f"themas[{i}]", table) for i, table in enumerate(document.get("themas", []))
    )
    _check(file, themas, groups)
    slugs = {thema.slug for thema in themas}
    products: list[Product] = []
    for tsv in sorted((directory / "products").glob("*.tsv")):
        products.extend(_products(tsv, slugs))
    return Catalogue(themas=themas, groups=groups, products=tuple(products))


def _check(file: Path, themas: tuple[Thema, ...], groups: tuple[Group, ...]) -> None:
    """Refuse duplicates, unknown groups and a catalogue without what routing needs."""
    known: set[str] = set()
    for i, group in enumerate(groups):
        if group.slug in known:
            raise CatalogueError(
                file, f"groups[{i}].slug", group.slug, "is there twice", remedy="remove one"
            )
        known.add(group.slug)
    if GENERAL_GROUP not in known:
        raise CatalogueError(
            file, "groups", sorted(known), f"lacks {GENERAL_GROUP!r}",
            remedy=f"add a group with slug = {GENERAL_GROUP!r}: every failed transfer ends there",
        )  # fmt: skip
    seen: set[str] = set()
    for i, thema in enumerate(themas):
        if thema.slug in seen:
            raise CatalogueError(
                file, f"themas[{i}].slug", thema.slug, "is there twice", remedy="remove one"
            )
        seen.add(thema.slug)
        if thema.group not in known:
            raise CatalogueError(
                file, f"themas[{i}].group", thema.group, "is not a group of this file",
                remedy=f"use one of {', '.join(sorted(known))}",
            )  # fmt: skip
    for slug in NON_THEMAS:
        if slug not in seen:
            raise CatalogueError(
                file, "themas", slug, "is missing", remedy="add it with non_thema = true"
            )
    for i, thema in enumerate(themas):
        if thema.non_thema != (thema.slug in NON_THEMAS):
            raise CatalogueError(
                file, f"themas[{i}].non_thema", thema.non_thema,
                f"does not go with the slug {thema.slug!r}",
                remedy=f"write non_thema = true for {', '.join(NON_THEMAS)}, and for no other",
            )  # fmt: skip
        if thema.non_thema and thema.expires is not None:
            raise CatalogueError(
                file, f"themas[{i}].expires", str(thema.expires),
                f"would take {thema.slug!r} away, which every call needs", remedy="remove it",
            )  # fmt: skip


def _thema(file: Path, where: str, table: Any) -> Thema:
    _keys(file, where, table, _THEMA_KEYS, ("slug", "spoken", "description", "group"))
    share = table.get("share", 0.0)
    if isinstance(share, bool) or not isinstance(share, int | float) or not 0 <= share <= 1:
        raise CatalogueError(
            file, f"{where}.share", share, "is not a share of calls", remedy="write 0.0 to 1.0"
        )
    expires = table.get("expires")
    if expires is not None and type(expires) is not datetime.date:
        raise CatalogueError(
            file, f"{where}.expires", expires, "is not a date", remedy="write 2027-01-31, unquoted"
        )
    keywords = table.get("keywords", [])
    if not isinstance(keywords, list) or not all(isinstance(k, str) for k in keywords):
        raise CatalogueError(
            file, f"{where}.keywords", keywords, "is not a list of texts", remedy='write ["…"]'
        )
    non_thema = table.get("non_thema", False)
    if not isinstance(non_thema, bool):
        raise CatalogueError(
            file, f"{where}.non_thema", non_thema, "is not a boolean", remedy="write true or false"
        )
    return Thema(
        slug=table["slug"],
        spoken=table["spoken"],
        description=table["description"],
        group=table["group"],
        share=float(share),
        expires=expires,
        non_thema=non_thema,
        keywords=tuple(keywords),
    )


def _group(file: Path, where: str, table: Any) -> Group:
    _keys(file, where, table, _GROUP_KEYS, ("slug", "spoken"))
    return Group(slug=table["slug"], spoken=table["spoken"])


def _keys(file: Path, where: str, table: Any, known: set[str], required: tuple[str, ...]) -> None:
    if not isinstance(table, dict):
        raise CatalogueError(file, where, table, "is not a table", remedy="write [[…]] tables")
    for key, value in table.items():
        if key not in known:
            raise CatalogueError(
                file, f"{where}.{key}", value, "has an unknown key",
                remedy=f"use one of {', '.join(sorted(known))}",
            )  # fmt: skip
    for key in required:
        value = table.get(key)
        if not isinstance(value, str) or not value.strip():
            raise CatalogueError(
                file, f"{where}.{key}", value, "is not a text", remedy="write a non-empty text"
            )
    slug = table["slug"]
    if not all(part.isascii() and part.isalnum() and part.islower() for part in slug.split("-")):
        raise CatalogueError(
            file, f"{where}.slug", slug, "is not a slug",
            remedy="use lower-case letters, digits and single hyphens",
        )  # fmt: skip


def _products(file: Path, slugs: set[str]) -> list[Product]:
    """Read one product file; synonyms and colloquial names are separated by ``|``."""
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise CatalogueError(
            file, "file", file.name, f"cannot be read ({error.strerror})",
            remedy="put a file that this user may read in its place",
        ) from None  # fmt: skip
    except UnicodeDecodeError as error:
        number = error.object[: error.start].count(b"\n") + 1
        octets = error.object[error.start : error.end]
        raise CatalogueError(
            file, f"line {number}", octets, "is not UTF-8", remedy="save it as UTF-8"
        ) from None
    rows = csv.reader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)
    header = next(rows, [])
    missing = [column for column in _PRODUCT_COLUMNS if column not in header]
    if missing:
        raise CatalogueError(
            file, "line 1", header, f"lacks {', '.join(missing)}",
            remedy=f"start with {'<TAB>'.join(_PRODUCT_COLUMNS)}",
        )  # fmt: skip
    products = []
    for number, row in enumerate(rows, start=2):
        if not row:
            continue
        if len(row) > len(header):
            raise CatalogueError(
                file, f"line {number}", len(row), "columns are too many",
                remedy=f"write {len(header)} columns",
            )  # fmt: skip
        cells = dict(zip(header, [*row, *[""] * len(header)], strict=False))
        if cells["thema"] not in slugs:
            raise CatalogueError(
                file, f"line {number}", cells["thema"], "is not a thema of catalogue.toml",
                remedy="correct the first column",
            )  # fmt: skip
        if not cells["name"].strip():
            raise CatalogueError(
                file, f"line {number}", "", "has no name", remedy="fill the second column"
            )
        products.append(
            Product(
                name=cells["name"].strip(),
                thema=cells["thema"],
                synonyms=_names(cells["synonyms"]),
                colloquial=_names(cells["colloquial"]),
            )
        )
    return products


def _names(cell: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in cell.split("|") if name.strip())
