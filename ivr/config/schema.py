"""The configuration file: one TOML file of these sections.

Unknown keys are mistakes. Relative paths are relative to the file. What a key does is said once,
below it: ``sip_config/wegwijs.toml`` shows every key with its default and this sentence.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import Field

from ivr.call.rules import Costs, Pauses, Timers
from ivr.config.lines import GroupSection, LineSection
from ivr.config.recognition import RecognitionSection
from ivr.config.sip import SipSection
from ivr.config.values import FORBID_UNKNOWN_KEYS, Days, Port, Positive, Section, Whole


@dataclass(frozen=True, slots=True, kw_only=True)
class TimersSection(Timers):
    """``[timers]``: bounds of every wait, in seconds."""

    __pydantic_config__ = FORBID_UNKNOWN_KEYS


@dataclass(frozen=True, slots=True, kw_only=True)
class CostsSection(Costs):
    """``[costs]``: seconds of citizen and voorlichter time that an action costs."""

    __pydantic_config__ = FORBID_UNKNOWN_KEYS


@dataclass(frozen=True, slots=True, kw_only=True)
class PausesSection(Pauses):
    """``[pauses]``: silence that ends a turn, in milliseconds, by how sure we are."""

    __pydantic_config__ = FORBID_UNKNOWN_KEYS


class ServiceSection(Section):
    """``[service]``: the process."""

    max_calls: Whole = Field(default=100, ge=1)
    """How many callers are taken at once; more are refused with 503 and Retry-After."""
    retry_after_seconds: Whole = Field(default=30, ge=1)
    """How long a caller who is refused is told to wait before the next try (Retry-After)."""
    drain_seconds: Positive = 120.0
    """How long running calls may last after SIGTERM; who is still being asked something 20 s
    before the end is put through to the general group."""
    http_address: str = "127.0.0.1"
    """Our own address on which the HTTP port listens."""
    http_port: Port = 8017
    """Port for /metrics, /healthz, /readyz and /calls; 0 takes any free one."""
    log_format: Literal["json", "text"] = "json"
    """How log lines are written: "json" for machines, "text" for people at a terminal."""
    node: str = ""
    """Name of this machine among several that share one contact register; its host name when
    empty."""


class CatalogueSection(Section):
    """``[catalogue]``: themas, groups and products."""

    folder: Path | None = None
    """Folder with catalogue.toml and products/, which say what callers may ask about; the
    embedded one when absent."""


class PromptsSection(Section):
    """``[prompts]``: what callers hear."""

    recordings: Path | None = None
    """Folder of your own recordings: NAME.wav there replaces our prompt of that name."""


class ContactsSection(Section):
    """``[contacts]``: the contact register."""

    database_url: str | None = None
    """Database of the contact register, as an SQLAlchemy URL; a SQLite file in the home folder
    when absent."""
    audio_days: Days = 30
    """How many days recordings are kept; they expire first, and the welcome names this number."""
    text_days: Days = 365
    """How many days transcripts, encrypted numbers and transfer targets are kept; at least
    audio_days."""
    features_days: Days = 1095
    """How many days rankings, costs and callers' hashes are kept; at least text_days."""


class Config(Section):
    """The whole file."""

    service: ServiceSection = ServiceSection()
    """The process: how many calls, its HTTP port, its log."""
    sip: SipSection = SipSection()
    """Telephony: addresses, ports, encryption, the carrier."""
    recognition: RecognitionSection = RecognitionSection()
    """Speech to text: engines and their limits."""
    catalogue: CatalogueSection = CatalogueSection()
    """What callers may ask about."""
    lines: dict[str, LineSection] = Field(default_factory=lambda: {"*": LineSection()})
    """A section for each called number, or "*" for every other number."""
    groups: dict[str, GroupSection] = Field(default_factory=dict)
    """A section for each voorlichter group of the catalogue: where it answers."""
    general: str = "algemeen"
    """The voorlichter group that takes whatever has no other place."""
    prompts: PromptsSection = PromptsSection()
    """What callers hear."""
    contacts: ContactsSection = ContactsSection()
    """The contact register, and how long it keeps what."""
    timers: TimersSection = Field(default_factory=TimersSection)
    """Bounds of every wait, in seconds."""
    costs: CostsSection = Field(default_factory=CostsSection)
    """What decisions cost, in seconds of citizen and voorlichter time."""
    pauses: PausesSection = Field(default_factory=PausesSection)
    """Silence that ends a turn, in milliseconds."""
