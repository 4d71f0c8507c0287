"""Reading a yes or a no out of what the recogniser heard.

Words of standard Dutch and of Flemish speech, as a recogniser spells them; a few of French and
English, because they slip in.
"""

from __future__ import annotations

import re
import unicodedata

from ivr.call.events import Answer

_YES = frozenset(
    """
    ja jaa jaaa jaja jawel jazeker jawadde joa joaw jow jep jup yep yes oui
    zeker zekers tuurlijk natuurlijk uiteraard vaneigens vanzelfsprekend absoluut
    inderdaad effectief precies exact juist juistem just klopt kloptem correct goed
    ok oké oke okee okay graag prima perfect akkoord voilà voila
    """.split()  # noqa: SIM905 - a list of sixty quoted words is hard to read and to extend
)
_NO = frozenset(
    """
    nee neen neeë neenee neeje neeneen nene nè nenee nieje nope no non
    niet nie nooit geenszins bijlange fout verkeerd mis anders ander andere
    """.split()  # noqa: SIM905 - as above
)
_YES_PHRASES = (
    "denk het wel",
    "denk van wel",
    "denk ik wel",
    "denk van ja",
    "peis het wel",
    "peis van wel",
    "peis van ja",
    "toch wel",
    "doe maar",
    "in orde",
    "van eigens",
    "dat is het",
    "da is het",
    "dat is t",
    "da's het",
    "dat is waar",
    "da is waar",
    "da's waar",
)
_UNSURE_PHRASES = (
    "weet niet",
    "weet nie",
    "weet het niet",
    "weet het nie",
    "weet t niet",
    "weet t nie",
    "weet ik niet",
    "weet ik nie",
    "niet zeker",
    "nie zeker",
    "geen idee",
    "niet verstaan",
    "nie verstaan",
    "niet begrepen",
    "niet gehoord",
)
_WORD = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)*")


def read_answer(text: str) -> Answer:
    """Return yes, no, or unclear when neither was said, or the caller does not know.

    "nee" wins over a polite "ja maar": sending a caller on against a no is the dearer mistake.
    """
    spelled = (
        unicodedata.normalize("NFC", text).lower().replace("\N{RIGHT SINGLE QUOTATION MARK}", "'")
    )
    heard = _WORD.findall(spelled)
    said = f" {' '.join(heard)} "
    for phrase in _UNSURE_PHRASES:
        said = said.replace(f" {phrase} ", " unsure ")
    words = set(said.split())
    if words & _NO:
        return Answer.NO
    if "unsure" in words:
        return Answer.UNCLEAR
    if words & _YES or any(f" {phrase} " in said for phrase in _YES_PHRASES):
        return Answer.YES
    return Answer.UNCLEAR
