"""More ways to say the same: wrappers, slots and recognition errors.

Everything is drawn from the generator passed in, so that a seed gives the same training set.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Final

from intent.text import number_words

OPENINGS: Final = (
    "goeiedag", "goeiemorgen", "goedemiddag mevrouw", "dag meneer", "hallo", "ja hallo", "euh",
    "euh ja", "ja euh goeiedag", "ja", "sorry", "excuseer", "'t is voor een vraagske",
    "ik had een vraag", "ik heb een vraagje", "ik wou iets vragen", "ik zou willen weten",
    "zeg", "kijk", "awel", "allez", "ik bel u omdat", "ik bel voor iets", "dag met de bakker",
    "mevrouw luister", "het zit zo", "ge moet weten", "ja dag ik had graag geweten",
    "ik weet niet of ik hier juist ben maar", "ik ben al drie keer doorverbonden", "ja allo",
    "goeiemiddag ik zou graag wat informatie hebben", "vraagje", "hallo hoort u mij",
    "dag mijn naam is peeters", "ik heb al op de website gekeken maar", "euhm even denken",
    "mijn vrouw zegt dat ik moet bellen", "ik heb dat in de gazet gelezen", "sorry dat ik stoor",
)  # fmt: skip
CLOSINGS: Final = (
    "alstublieft", "dank u", "graag", "kunt u mij helpen", "hoe zit dat", "hoe moet dat",
    "wat moet ik doen", "bij wie moet ik zijn", "kan dat", "mag dat", "hè", "ja", "euh",
    "ik weet het niet goed", "ik snap er niks van", "ziet ge", "versta je", "of zo", "bedankt",
    "waar moet ik daarvoor zijn", "hoe lang duurt dat", "is dat juist", "wie kan mij helpen",
    "weet u daar iets van", "zou dat gaan", "en liefst zo rap mogelijk", "ik wacht al weken",
    "kunt u dat eens nakijken", "amai", "als 't kan",
)  # fmt: skip
FILLERS: Final = (
    "euh", "euhm", "ja", "dus", "zo", "eigenlijk", "allez", "gewoon", "nu", "ook", "zeg maar",
    "eens", "toch", "wel", "hè", "ah", "enfin", "bon", "ge weet wel", "hoe heet dat", "nog",
)  # fmt: skip
FRAMES: Final = (
    "ik heb een vraag over {}", "het gaat over {}", "ik bel voor {}", "{}", "info over {}",
    "hoe zit dat met {}", "ik wou iets weten over {}", "vraagje in verband met {}",
    "ik heb een probleem met {}", "kunt u mij helpen met {}", "het is voor {}",
    "waar kan ik terecht voor {}", "ik zou graag meer weten over {}", "{} hoe werkt dat",
    "{} waar moet ik dan zijn", "ik had graag inlichtingen over {}", "mijn vraag gaat over {}",
    "iets over {}", "'t is over {}", "ik bel in verband met {}", "wat weet u over {}",
    "ik heb een brief gekregen over {}", "ik zit met {}", "{} graag", "voor {}",
    "ik begrijp niets van {}",
)  # fmt: skip
TOWNS: Final = (  # noqa: SIM905
    "aalst aarschot antwerpen beringen beveren bilzen blankenberge boom brasschaat bree brugge "
    "brussel deinze dendermonde diest diksmuide dilbeek eeklo evergem geel genk gent "
    "geraardsbergen grimbergen halle harelbeke hasselt heist herentals heusden ieper izegem "
    "knokke kortrijk kontich leuven lier lokeren lommel maaseik maasmechelen mechelen meise "
    "menen merksem mol mortsel ninove oostende oudenaarde overijse peer poperinge roeselare "
    "ronse schilde schoten temse tervuren tielt tienen tongeren torhout turnhout veurne "
    "vilvoorde waregem wetteren wervik zaventem zelzate zottegem zwevegem"
).split()

_HEARD_SHARE: Final = 0.5
"""How often a word that a recogniser misheard becomes that again and not any sound-alike."""

_NUMBER: Final = re.compile(
    r"\b(?:twee|drie|vier|vijf|zes|zeven|acht|negen|tien|elf|twaalf|dertien|veertien|vijftien|"
    r"zestien|zeventien|achttien|negentien|[a-z]{0,12}(?:twintig|dertig|veertig|vijftig|zestig|"
    r"zeventig|tachtig|negentig|honderd|duizend))\b"
)


@dataclass(frozen=True)
class Augmenter:
    """Draws variants of normalised utterances.

    Args:
        confusions: Sound-alikes of a word, most alike first.
        heard: What a recogniser made of a word, zero or more words in one string, with how often.
    """

    confusions: Mapping[str, Sequence[str]]
    heard: Mapping[str, Sequence[tuple[str, int]]] = field(default_factory=dict)

    def frame(self, phrase: str, rng: Random) -> str:
        """Put a noun phrase in a sentence."""
        return rng.choice(FRAMES).format(phrase)

    def wrap(self, text: str, rng: Random) -> str:
        """Add politeness, hesitation and fillers around and inside ``text``."""
        words = text.split()
        for _ in range(rng.choice((0, 0, 1, 1, 2, 3))):
            words.insert(rng.randint(0, len(words)), rng.choice(FILLERS))
        if rng.random() < 0.6:
            words.insert(0, rng.choice(OPENINGS))
        if rng.random() < 0.4:
            words.append(rng.choice(CLOSINGS))
        return " ".join(words)

    def fill_slots(self, text: str, rng: Random) -> str:
        """Change municipalities, amounts and ages for others."""
        words = [rng.choice(TOWNS) if word in _TOWN_SET else word for word in text.split()]
        return _NUMBER.sub(lambda _: number_words(_number(rng)), " ".join(words))

    def corrupt(self, text: str, rate: float, rng: Random) -> str:
        """Make recognition errors in about ``rate`` of the words.

        Of the errors 70 % replace a word by a sound-alike, 18 % drop it, 12 % add one: the
        proportions of a recogniser that prefers to say something. Joined or cut compounds count
        as replacements.
        """
        words = text.split()
        heard: list[str] = []
        for position, word in enumerate(words):
            if rng.random() >= rate:
                heard.append(word)
                continue
            kind = rng.random()
            if kind < 0.70:
                heard.extend(self._mishear(word, rng))
            elif kind < 0.88 and len(words) > 1:
                if position and rng.random() < 0.15 and heard:
                    heard[-1] += word
            else:
                heard += [word, rng.choice((*FILLERS, "de", "en", "het", "een", "is", "in", "van"))]
        return " ".join(heard) if heard else text

    def _mishear(self, word: str, rng: Random) -> list[str]:
        heard = self.heard.get(word)
        if heard and rng.random() < _HEARD_SHARE:
            return rng.choices([w for w, _ in heard], [n for _, n in heard])[0].split()
        alike = self.confusions.get(word, ())
        if alike and rng.random() < 0.85:
            # The first neighbours sound most alike.
            return [alike[min(int(rng.expovariate(0.6)), len(alike) - 1)]]
        if len(word) > 9 and rng.random() < 0.5:
            cut = rng.randint(4, len(word) - 4)
            return [word[:cut], word[cut:]]
        if len(word) > 3:
            position = rng.randrange(len(word))
            return [word[:position] + rng.choice("aeioutnrsldk") + word[position + 1 :]]
        return [rng.choice(("de", "en", "het", "een", "is", "in", "van", "dat", "die", "ik"))]


_TOWN_SET: Final = frozenset(TOWNS)


def _number(rng: Random) -> int:
    """Draw an age, an amount or a small count."""
    return rng.choice((rng.randint(2, 12), rng.randint(13, 95), 10 * rng.randint(10, 90)))
