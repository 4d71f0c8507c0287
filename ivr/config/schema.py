"""The configuration file: one TOML file, checked as a whole before anything starts.

Unknown keys are mistakes. Relative paths are relative to the file. What the keys mean is said
beside each field here; ``sip_config/wegwijs.toml`` shows them all with their defaults.
"""

from __future__ import annotations

import ipaddress
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from ivr.call.rules import Costs, Mode, Pauses, Target, Timers, TransferMethod
from ivr.config.problems import explain, impossible_numbers, null_characters, shown_key
from ivr.errors import ConfigError, ConfigErrors

_FORBID = ConfigDict(extra="forbid")


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


def uri_place(uri: str) -> tuple[str, str]:
    """Host and port in a SIP URI, each empty when it is absent; an IPv6 host in its brackets."""
    place = re.split("[;?]", uri.partition(":")[2].rpartition("@")[2], maxsplit=1)[0]
    # The port of an IPv6 address stands behind its brackets.
    host, colon, port = place.rpartition(":") if not place.endswith("]") else (place, "", "")
    return (host, port) if colon else (place, "")


def _sip_uri(value: str) -> str:
    scheme, _, rest = value.partition(":")
    if (
        scheme.lower() not in ("sip", "sips")
        or not rest
        or any(c.isspace() or c in "<>\"'" for c in value)
    ):
        raise ValueError('is not a SIP URI; write for example "sip:701@pbx.example.be"')
    host, port = uri_place(value)
    if not host:
        raise ValueError('names no host; write for example "sip:701@pbx.example.be"')
    written = re.split("[;?]", rest.rpartition("@")[2], maxsplit=1)[0]
    if written != host and not (port.isdecimal() and port.isascii() and 0 < int(port) < 65536):
        raise ValueError("has a port that is none; write 1 to 65535 behind the colon")
    return value


def _ip_address(value: str) -> str:
    try:
        return str(ipaddress.ip_address(value))
    except ValueError:
        raise ValueError('is not an IP address; write for example "192.0.2.53"') from None


IpAddress = Annotated[str, AfterValidator(_ip_address)]
SipUri = Annotated[str, AfterValidator(_sip_uri)]
# Strict: "true" would otherwise be port 1, and "yes" true.
YesNo = Annotated[bool, Field(strict=True)]
Whole = Annotated[int, Field(strict=True)]
Port = Annotated[Whole, Field(ge=0, le=65535)]
MaybePort = Annotated[Port | None, BeforeValidator(lambda value: None if value is False else value)]
"""``false`` leaves the transport out: TOML has no null."""
Positive = Annotated[float, Field(strict=True, gt=0, allow_inf_nan=False)]
Share = Annotated[float, Field(strict=True, ge=0, le=1, allow_inf_nan=False)]
Days = Annotated[Whole, Field(ge=1, le=36_500)]


@dataclass(frozen=True, slots=True, kw_only=True)
class TimersSection(Timers):
    """``[timers]``: bounds of every wait, in seconds."""

    __pydantic_config__ = _FORBID


@dataclass(frozen=True, slots=True, kw_only=True)
class CostsSection(Costs):
    """``[costs]``: seconds of citizen and voorlichter time that an action costs."""

    __pydantic_config__ = _FORBID


@dataclass(frozen=True, slots=True, kw_only=True)
class PausesSection(Pauses):
    """``[pauses]``: silence that ends a turn, in milliseconds, by how sure we are."""

    __pydantic_config__ = _FORBID


class ServiceSection(_Section):
    """``[service]``: the process."""

    max_calls: Whole = Field(default=100, ge=1)
    """Callers at once; more are refused with 503 and Retry-After."""
    retry_after_seconds: Whole = Field(default=30, ge=1)
    drain_seconds: Positive = 120.0
    """On SIGTERM: how long calls may last before they are ended."""
    http_address: str = "127.0.0.1"
    http_port: Port = 8017
    """For /metrics, /healthz, /readyz and /calls; 0 lets the system choose."""
    log_format: Literal["json", "text"] = "json"
    node: str = ""
    """Name of this node among several that share one contact register."""


class TlsSection(_Section):
    """``[sip.tls]``: PEM files."""

    certificate: Path
    key: Path
    authorities: Path | None = None
    verify_peer: YesNo = True
    require_client_certificate: YesNo = False


class TrunkSection(_Section):
    """``[sip.trunk]``: the carrier or PBX, when it is more than an address that calls us."""

    proxy: SipUri | None = None
    registrar: SipUri | None = None
    identity: SipUri | None = None
    user: str | None = None
    password: str | None = Field(default=None, repr=False)


class SipSection(_Section):
    """``[sip]``: transports, media and the trunk."""

    bind_address: str = "127.0.0.1"
    """Address to listen on; all addresses ("0.0.0.0") must be asked for."""
    udp_port: MaybePort = 5060
    """``false`` leaves a transport out."""
    tcp_port: MaybePort = 5060
    tls_port: MaybePort = None
    tls: TlsSection | None = None
    srtp: Literal["off", "optional", "mandatory"] = "off"
    public_address: str | None = None
    """Address that peers must use when it is not ``bind_address`` (NAT)."""
    rtp_ports: Annotated[str, Field(pattern=r"^\d+-\d+$")] = "20000-20999"
    codecs: tuple[str, ...] = ("PCMA", "PCMU", "G722", "opus")
    media_lost_seconds: Positive = 8.0
    session_timers: YesNo = True
    """RFC 4028: a dead peer is noticed although nobody hangs up."""
    session_expires_seconds: Whole = Field(default=1800, ge=90, le=86_400)
    name_servers: tuple[IpAddress, ...] = ()
    """DNS servers for targets by name; a slow system resolver would hold up all signalling."""
    trust_asserted_identity: YesNo = False
    """RFC 3325: P-Asserted-Identity names the caller, and targets of bridged calls get it too."""
    trunk: TrunkSection | None = None
    blocked_callers: tuple[str, ...] = ()
    """Numbers refused with 603; a star at the end stands for any rest."""


class _EngineSection(_Section):
    """A speech engine with its model."""

    engine: str = "vosk"
    model: Annotated[str, Field(min_length=1)] | None = None
    """Name of an installed model, or its folder (with a "/"); the embedded Dutch one when
    absent."""
    device: Literal["auto", "cpu", "cuda"] | None = None
    """For engines that can use a GPU; the engine's own choice when absent."""
    threads: Annotated[Whole, Field(ge=1, le=256)] | None = None
    """Of the engine for one transcription, where it has such a setting; its own choice when
    absent."""


class SecondSection(_EngineSection):
    """``[recognition.second]``: an engine for what the first is unsure of, and for labelling."""

    engine: str
    workers: Whole = Field(default=1, ge=1, le=64)
    """Threads for callers who wait; one more, of the lowest priority, hears recordings again."""
    unsure_below: Share = 0.6
    """Confidence of the first engine below which the caller waits for this one; 0: never."""
    deadline_seconds: Positive | None = None
    """From the end of a turn; the first engine's transcript counts when this one is later. As
    long as ``recognition.deadline_seconds`` when absent."""
    share_of_calls: Share = 1.0
    """Of the calls, those whose recordings it transcribes after the call; 0: none."""
    most_waiting: Whole = Field(default=200, ge=1, le=100_000)
    """Recordings that may wait for that; further ones are dropped."""


class BreakerSection(_Section):
    """``[recognition.breaker]``: when an engine that fails is left alone."""

    failures: Whole = Field(default=5, ge=1, le=1000)
    """Failures and missed deadlines within the window."""
    window_seconds: Positive = 30.0
    cooldown_seconds: Positive = 15.0
    """After this, one turn tries the engine again."""


class RecognitionSection(_EngineSection):
    """``[recognition]``: speech to text."""

    workers: Whole = Field(default=2, ge=1, le=256)
    """Threads; one core each when all are busy."""
    deadline_seconds: Positive = 1.0
    """From the end of a turn to its transcript; later means the last stable partial."""
    second: SecondSection | None = None
    breaker: BreakerSection = BreakerSection()


class CatalogueSection(_Section):
    """``[catalogue]``: themas, groups and products."""

    folder: Path | None = None
    """Folder with catalogue.toml and products; the embedded one when absent."""


class TargetTable(_Section):
    """A target with its own method or wait."""

    uri: SipUri
    method: TransferMethod = TransferMethod.REFER
    wait_seconds: Positive = 600.0
    """The longest wait, in the queue, for a voorlichter to answer."""


TargetLike = Annotated[
    TargetTable,
    BeforeValidator(lambda value: {"uri": value} if isinstance(value, str) else value),
]


class GroupSection(_Section):
    """``[groups.NAME]``: where a voorlichter group answers."""

    targets: tuple[TargetLike, ...] = Field(min_length=1)
    """First choice first; a plain SIP URI is reached by REFER."""

    def call_targets(self) -> tuple[Target, ...]:
        """The targets as the call machine takes them."""
        return tuple(Target(t.uri, t.method, t.wait_seconds) for t in self.targets)


class HoursSection(_Section):
    """``[lines.NUMBER.hours]``: for example ``ma = "9:00-19:00"``; a day left out is closed."""

    ma: str = ""
    di: str = ""
    wo: str = ""
    do: str = ""
    vr: str = ""
    za: str = ""
    zo: str = ""
    holidays: tuple[str, ...] = ()
    """Days on which we are closed, as ``2026-12-25``."""
    timezone: str = "Europe/Brussels"

    def weekly(self) -> dict[str, str]:
        """Ranges by day, Monday first; closed days left out."""
        days = ("ma", "di", "wo", "do", "vr", "za", "zo")
        return {day: getattr(self, day) for day in days if getattr(self, day)}


class LineSection(_Section):
    """``[lines.NUMBER]``: a called number; ``"*"`` stands for every other number."""

    mode: Mode = Mode.ROUTE
    barge_in: YesNo = True
    """Whether speech interrupts our question."""
    repeats: Whole = Field(default=1, ge=0, le=3)
    """How often the caller may be asked to say it again."""
    no_input_retries: Whole = Field(default=1, ge=0, le=3)
    menu_replays: Whole = Field(default=1, ge=0, le=3)
    callback: YesNo = False
    """Offer a callback when closed or unreachable."""
    keep_caller_number: YesNo = False
    """Store the number encrypted, not only its keyed hash, where the law allows."""
    keep_recordings: YesNo = True
    hours: HoursSection | None = None
    """Always open when absent."""


class PromptsSection(_Section):
    """``[prompts]``."""

    recordings: Path | None = None
    """Folder of recorded WAVs that replace ours by name."""


class ContactsSection(_Section):
    """``[contacts]``: the contact register."""

    database_url: str | None = None
    """SQLAlchemy URL; SQLite in the home folder when absent."""
    audio_days: Days = 30
    text_days: Days = 365
    features_days: Days = 1095


class Config(_Section):
    """The whole file."""

    service: ServiceSection = ServiceSection()
    sip: SipSection = SipSection()
    recognition: RecognitionSection = RecognitionSection()
    catalogue: CatalogueSection = CatalogueSection()
    lines: dict[str, LineSection] = Field(default_factory=lambda: {"*": LineSection()})
    groups: dict[str, GroupSection] = Field(default_factory=dict)
    general: str = "algemeen"
    """The group that takes whatever has no other place."""
    prompts: PromptsSection = PromptsSection()
    contacts: ContactsSection = ContactsSection()
    timers: TimersSection = Field(default_factory=TimersSection)
    costs: CostsSection = Field(default_factory=CostsSection)
    pauses: PausesSection = Field(default_factory=PausesSection)


def load_config(path: Path) -> Config:
    """Read and check a configuration file.

    Raises:
        ConfigErrors: Every mistake in the file, each with key, value and remedy.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, ValueError) as error:
        if isinstance(error, OSError):
            reason = error.strerror or type(error).__name__
        elif isinstance(error, UnicodeDecodeError):
            reason = "it is not UTF-8 text"
        else:
            reason = "no file can have this name"
        raise ConfigErrors(
            [
                ConfigError(
                    None,
                    str(path),
                    None,
                    f"cannot be read ({reason})",
                    remedy="give the path of a TOML file with --config; "
                    "sip_config/wegwijs.toml is an example",
                )
            ]
        ) from None
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigErrors(
            [ConfigError(path, "TOML", None, f"is malformed: {error}", remedy="mend that line")]
        ) from None
    except (RecursionError, ValueError):
        # tomllib recurses into nested brackets, and int() refuses numbers of 5000 digits.
        raise ConfigErrors(
            [
                ConfigError(
                    path,
                    "TOML",
                    None,
                    "has brackets nested too deeply, or a number of too many digits",
                    remedy="sip_config/wegwijs.toml shows every key that there is",
                )
            ]
        ) from None
    return parse_config(table, path)


def parse_config(table: Mapping[str, Any], path: Path | None) -> Config:
    """Check a configuration that was read; relative paths are made absolute.

    Raises:
        ConfigErrors: Every mistake.
    """
    errors = list(null_characters(table, path))
    told = {mistake.key for mistake in errors}
    errors += [e for e in impossible_numbers(table, path) if shown_key(e.key) not in told]
    try:
        config = Config.model_validate(table)
    except ValidationError as error:
        told |= {mistake.key for mistake in errors}
        others = [e for e in explain(error, Config, path) if shown_key(e.key) not in told]
        raise ConfigErrors([*others, *errors]) from None
    if errors:
        raise ConfigErrors(errors)
    return _absolute(config, path.parent if path is not None else Path.cwd())


def _absolute(config: Config, folder: Path) -> Config:
    """Make every relative path relative to the file's folder."""

    def walk(section: _Section) -> _Section:
        changed: dict[str, Any] = {}
        for name in type(section).model_fields:
            value = getattr(section, name)
            if isinstance(value, Path) and not value.is_absolute():
                changed[name] = folder / value
            elif isinstance(section, _EngineSection) and name == "model" and "/" in (value or ""):
                changed[name] = str(folder / value)
            elif isinstance(value, _Section):
                changed[name] = walk(value)
        return section.model_copy(update=changed)

    walked = walk(config)
    assert isinstance(walked, Config)
    return walked
