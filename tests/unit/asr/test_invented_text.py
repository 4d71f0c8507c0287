"""What a model invents on silence is thrown away; what callers say is not."""

from __future__ import annotations

import pytest

from asr.engines.invented_text import Figures, Gates, is_invented, is_subtitle_credit, without_loops

SURE = Figures(
    average_logprob=-0.2, no_speech_probability=0.05, compression_ratio=1.1, speech_seconds=3.0
)


@pytest.mark.parametrize(
    "text",
    [
        " Ondertitels ingediend door de Amara.org gemeenschap",
        "Ondertiteling door de Amara.org gemeenschap.",
        "Ondertiteld door de Amara.org gemeenschap",
        "TV GELDERLAND 2021",
        "Bedankt voor het kijken!",
        "Dankjewel voor het kijken en tot de volgende keer!",
        "Dank u wel voor het luisteren.",
        "Vergeet niet te abonneren op ons kanaal!",
        "[Muziek]",
        "*applaus*",
        "(zachte muziek)",
        "♪♪",
        "Thanks for watching!",
        "© BF-WATCH TV 2021",
    ],
)
def test_subtitle_credits_are_nobodys_words(text: str) -> None:
    """
    What subtitles say about themselves is not what a caller says.
    """
    assert is_subtitle_credit(text)
    assert is_invented(text, SURE, Gates())


@pytest.mark.parametrize(
    "text",
    [
        "Bedankt.",
        "Dank u wel.",
        "Ik heb een vraag over de ondertiteling van de VRT",
        "Wij wonen in Gelderland en verhuizen naar Vlaanderen.",
        "Mijn zoon volgt muziek aan de academie",
        "Wanneer kan ik komen kijken?",
        "Vertaling van mijn diploma.",
        "ja",
    ],
)
def test_what_callers_say_stays(text: str) -> None:
    """
    Thanks, and questions about such subjects, are no credits.
    """
    assert not is_invented(text, SURE, Gates())


@pytest.mark.parametrize(
    "figures",
    [
        Figures(
            average_logprob=-1.3, no_speech_probability=0.0, compression_ratio=1, speech_seconds=3
        ),
        Figures(
            average_logprob=-0.7, no_speech_probability=0.8, compression_ratio=1, speech_seconds=3
        ),
        Figures(
            average_logprob=-0.1, no_speech_probability=0.0, compression_ratio=3, speech_seconds=3
        ),
        Figures(
            average_logprob=-0.1, no_speech_probability=0.0, compression_ratio=1, speech_seconds=0.2
        ),
    ],
    ids=["improbable", "no speech", "repetitive", "too much text for the sound"],
)
def test_each_gate_closes_alone(figures: Figures) -> None:
    """
    An improbable, speechless, repetitive or impossibly fast segment is thrown away.
    """
    text = "Ik heb een vraag over mijn studietoelage."

    assert is_invented(text, figures, Gates())
    assert not is_invented(text, SURE, Gates())


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("nee nee nee dat is het niet", "nee nee nee dat is het niet"),
        ("ik bel over de over de over de premie", "ik bel over de over de over de premie"),
        ("ik heb een vraag ja ja ja ja ja ja", "ik heb een vraag ja"),
        (
            "ik wil graag mijn rijbewijs en dan en dan en dan en dan",
            "ik wil graag mijn rijbewijs en dan",
        ),
        ("dank u " * 20, ""),
        ("", ""),
    ],
)
def test_loops_are_cut(said: str, expected: str) -> None:
    """
    Callers repeat themselves a little; only a machine does so without end.
    """
    words = said.split()

    assert expected.split() == without_loops(words, words)
