"""What the configuration means to the catalogue, the SIP stack and the prompts. Loads no phone."""

from __future__ import annotations

import datetime
from collections.abc import Iterable

from intent.catalogue import Catalogue, load_catalogue
from intent.errors import IntentError
from ivr.config.schema import Config
from ivr.errors import PromptError, WegwijsError
from ivr.files.embedded import embedded_dir
from ivr.files.home import Home
from ivr.lines.line import Line
from ivr.prompts.book import PromptBook
from ivr.prompts.tts import EspeakNg
from ivr.sip.settings import SipSettings, Srtp, TlsFiles, Trunk


class ModelUnusableError(WegwijsError):
    """The catalogue cannot be used; the message says why."""

    code = "model_unusable"


def catalogue_of(config: Config) -> Catalogue:
    """Load the catalogue, less the themas that have expired.

    Raises:
        ModelUnusableError: It cannot be used.
    """
    folder = config.catalogue.folder or embedded_dir("training_data")
    try:
        return load_catalogue(folder).valid_on(datetime.datetime.now(datetime.UTC).date())
    except IntentError as error:
        raise ModelUnusableError(str(error)) from None


def sip_settings(config: Config) -> SipSettings:
    """What ``[sip]`` and ``service.max_calls`` mean to the SIP stack."""
    sip = config.sip
    first, _, last = sip.rtp_ports.partition("-")
    return SipSettings(
        bind_address=sip.bind_address,
        udp_port=sip.udp_port,
        tcp_port=sip.tcp_port,
        tls_port=sip.tls_port,
        tls=None if sip.tls is None else TlsFiles(**sip.tls.model_dump()),
        srtp=Srtp(sip.srtp),
        public_address=sip.public_address,
        rtp_first_port=int(first),
        rtp_last_port=int(last),
        codecs=sip.codecs,
        max_calls=config.service.max_calls,
        media_lost_seconds=sip.media_lost_seconds,
        session_timers=sip.session_timers,
        session_expires_seconds=sip.session_expires_seconds,
        name_servers=sip.name_servers,
        trust_asserted_identity=sip.trust_asserted_identity,
        trunk=None if sip.trunk is None else Trunk(**sip.trunk.model_dump()),
    )


def prompt_book(config: Config, catalogue: Catalogue, home: Home, hours_text: str) -> PromptBook:
    """The prompts of a line with these hours.

    Args:
        config: Checked.
        catalogue: Names the themas and groups.
        home: Keeps the prepared recordings.
        hours_text: Opening hours as a phrase; empty when they are not said.

    Raises:
        PromptError: They cannot be prepared.
    """
    return PromptBook(
        config.prompts.recordings,
        home.cache,
        {t.slug: t.spoken for t in catalogue.themas if not t.non_thema},
        hours_text,
        EspeakNg(),
        group_names={group.slug: group.spoken for group in catalogue.groups},
        audio_days=config.contacts.audio_days,
    )


def refuse_missing_prompts(lines: Iterable[Line]) -> None:
    """Refuse to start with a prompt that is not what the operator wants.

    Raises:
        PromptError: A recording cannot be used, or a prompt cannot be said at all.
    """
    books = {id(line.prompts): line.prompts for line in lines}.values()
    told = [str(p) for book in books if isinstance(book, PromptBook) for p in book.check()]
    if told:
        more = len(dict.fromkeys(told)) - 1
        also = f" (and {more} more: run 'wegwijs check')" if more else ""
        raise PromptError(told[0] + also)
