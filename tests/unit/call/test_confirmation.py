"""Yes and no, as they are said in Flanders."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr.call.confirmation import read_answer
from ivr.call.events import Answer

YES = """
ja
ja hoor
ja ja
jaja
ja zeker
ja dat klopt
da klopt
dat klopt
klopt
't klopt
tis juist
't is juist
ja 't is juist
da's juist
juistem
zeker
zekers
zeker weten
jazeker
jawel
inderdaad
ja inderdaad mevrouw
natuurlijk
tuurlijk
vaneigens
van eigens
uiteraard
absoluut
oké
oke
ok
okee
ja oké
voilà
voila
precies
exact
dat is het
da's het
dat is waar
in orde
doe maar
ja graag
graag
ik denk het wel
'k peis van wel
ja ik denk van wel
euh ja
awel ja
toch wel
yes
oui
Ja.
JA!
ja, hoor
"""
NO = """
nee
neen
nee nee
neenee
nee hoor
neen neen
nene
neeje
nee dank u
nee bedankt
bijlange niet
bijlange nie
nee bijlange niet
helemaal niet
absoluut niet
toch niet
zeker niet
nee da klopt niet
dat klopt niet
da klopt nie
't is niet juist
tis nie juist
dat is fout
verkeerd
nee mis
ja maar nee
ja nee
nee ja
iets anders
nee over iets anders
het gaat over een ander onderwerp
nope
no
non
geenszins
ik denk het niet
Nee.
neeë
"""
UNCLEAR = """
euh
hm
misschien
weet ik niet
ik weet het niet
'k weet het nie
ik weet niet
ik ben niet zeker
geen idee
wablieft
wat zegt u
ik heb u niet verstaan
kunt u dat herhalen
over mijn rijbewijs
het gaat over de belasting
jan
janee
neem
nietje
12
...
"""


def spoken(lines: str) -> list[str]:
    return [line for line in lines.splitlines() if line]


@pytest.mark.parametrize("text", spoken(YES))
def test_yes(text: str) -> None:
    """
    Standard Dutch and Flemish, with and without politeness.
    """
    assert Answer.YES is read_answer(text)


@pytest.mark.parametrize("text", spoken(NO))
def test_no(text: str) -> None:
    """
    A no wins over a polite ja: sending on against a no is the dearer mistake.
    """
    assert Answer.NO is read_answer(text)


@pytest.mark.parametrize("text", ["", *spoken(UNCLEAR)])
def test_unclear(text: str) -> None:
    """
    Neither, or the caller does not know; a word that only begins like one is none.
    """
    assert Answer.UNCLEAR is read_answer(text)


@pytest.mark.parametrize("text", ["’t is juist", "da’s juist", "oke\u0301", "voila\u0300"])
def test_spelling_of_signs_does_not_matter(text: str) -> None:
    """
    Typographic apostrophes and decomposed accents.
    """
    assert Answer.YES is read_answer(text)


@given(st.text(max_size=200))
def test_any_text_has_an_answer(text: str) -> None:
    """
    And a no in it is never a yes.
    """
    assert read_answer(text) in Answer
    assert Answer.YES is not read_answer(f"{text} nee")
    assert Answer.NO is read_answer(f"nee {text}") or "nee" not in f"nee {text}".split()


@given(st.lists(st.sampled_from(spoken(YES)), min_size=1, max_size=4))
def test_yes_said_several_times_is_a_yes(said: list[str]) -> None:
    """
    "Ja, ja, dat klopt, inderdaad."
    """
    assert Answer.YES is read_answer(" ".join(said))
