"""Every configuration key says what it does: below its field, and in the example."""

from __future__ import annotations

import re

import pytest

from ivr.files.embedded import example_config
from tests.unit.config.key_sentences import key_sentences

SENTENCES = key_sentences()
NAMED = {'lines."*"': "lines.*", "groups.algemeen": "groups.*"}
"""Sections of the example that have a name of the operator's."""


def says_what_it_does(key: str, sentence: str) -> bool:
    """Whether it is a sentence, and more than the key's own words."""
    own = set(key.rpartition(".")[2].split("_"))
    words = re.findall(r"[a-z0-9]+", sentence.lower())
    more = [word for word in words if word.removesuffix("s") not in own and word not in own]
    return bool(re.fullmatch(r'[A-Z][^\n]*[\w"\')]\.', sentence)) and len(set(more)) >= 3


def test_every_key_has_a_sentence() -> None:
    """
    An engineer who meets a key learns what it does, without reading the code.
    """
    assert [] == [key for key, said in SENTENCES.items() if not says_what_it_does(key, said)]
    assert len(SENTENCES) > 90


@pytest.mark.parametrize(
    "sentence", ["", "Udp port.", "The UDP port", "port for SIP over UDP, or none.", "UDP ports."]
)
def test_what_is_no_sentence(sentence: str) -> None:
    """
    Nothing, the name once more, no full stop or no capital is not enough.
    """
    assert not says_what_it_does("sip.udp_port", sentence)


def shown_in(text: str) -> dict[str, str]:
    """Keys and sections of a TOML text to the comment above each, on one line."""
    found: dict[str, str] = {}
    section, comment = "", ""
    for line in text.splitlines():
        if header := re.fullmatch(r"(?:# )?\[([^\[\]]+)\]", line):
            name = header[1]
            for written, meant in NAMED.items():
                name = re.sub(rf"^{re.escape(written)}", meant, name)
            section = f"{name}."
            found[name.removesuffix(".*")], comment = comment, ""
        elif key := re.match(r"(?:# )?(\w+) = ", line):
            found[section + key[1]], comment = comment, ""
        elif line.startswith("# "):
            comment = f"{comment} {line.removeprefix('# ')}".strip()
        else:
            comment = ""
    return found


def test_example_says_the_same_of_every_key() -> None:
    """
    The comment above a key is its sentence, word for word; what a target's table may hold is said
    with the targets.
    """
    shown = shown_in(example_config().read_text(encoding="utf-8"))
    places = {key: re.sub(r"^(groups\.\*\.targets)\..*", r"\1", key) for key in SENTENCES}

    assert {} == {
        key: shown.get(place)
        for key, place in places.items()
        if SENTENCES[key] not in shown.get(place, "")
    }
