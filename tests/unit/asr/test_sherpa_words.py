"""Tokens become words with times and confidences."""

from __future__ import annotations

from math import log

import pytest

from asr.engines.sherpa_words import UNMEASURED_CONFIDENCE, Hypothesis, words_of
from asr.recogniser import Word


def _heard(
    text: str, tokens: str, *, starts: bool = True, probabilities: tuple[float, ...] = ()
) -> Hypothesis:
    pieces = tuple(token.replace("_", " ") for token in tokens.split())
    return Hypothesis(
        text,
        pieces,
        tuple(0.5 * place for place in range(len(pieces))) if starts else (),
        tuple(log(probability) for probability in probabilities),
    )


def _texts(words: list[Word]) -> list[str]:
    return [word.text for word in words]


def test_tokens_without_space_belong_to_the_word_before() -> None:
    """
    Each word begins with its first token; it is as sure as its least likely one.
    """
    heard = _heard("ik wil rijbewijs", "_ik _wil _rij bewijs", probabilities=(0.9, 0.8, 0.7, 0.4))

    words = words_of(heard, 0.0, 3.0)

    assert ["ik", "wil", "rijbewijs"] == _texts(words)
    assert [0.0, 0.5, 1.0] == [word.start_seconds for word in words]
    assert [0.9, 0.8, 0.4] == pytest.approx([word.confidence for word in words])
    assert words[2].end_seconds == pytest.approx(1.7)


def test_spelling_is_that_of_the_port() -> None:
    """
    Capitals and punctuation go; numbers are written in words.
    """
    words = words_of(_heard("Ik heb, 25 euro.", "_Ik _heb , _25 _euro ."), 0.0, 4.0)

    assert ["ik", "heb", "vijfentwintig", "euro"] == _texts(words)


def test_bytes_of_one_letter_are_put_together() -> None:
    """
    A letter that the model spells in bytes is one letter.
    """
    words = words_of(_heard("financiën", "_financi <0xC3> <0xAB> n"), 0.0, 3.0)

    assert ["financiën"] == _texts(words)


def test_unknown_speech_is_kept_apart_and_marks_are_dropped() -> None:
    """
    ``<unk>`` lowers the confidence of the whole; marks such as language tags say nothing.
    """
    words = words_of(_heard("<|nl|> ik <unk>", "<|nl|> _ik <unk>"), 0.0, 2.0)

    assert ["ik", "[unk]"] == _texts(words)


def test_without_times_words_share_the_time() -> None:
    """
    Words are in order and within the stretch although the model tells no times.
    """
    words = words_of(_heard("ik wil rijbewijs", "_ik _wil _rij bewijs", starts=False), 2.0, 5.0)

    assert ["ik", "wil", "rijbewijs"] == _texts(words)
    assert 2.0 == words[0].start_seconds
    assert words[-1].end_seconds == pytest.approx(5.0)
    assert UNMEASURED_CONFIDENCE == words[0].confidence


def test_text_is_believed_where_tokens_spell_something_else() -> None:
    """
    A model whose pieces are no readable text still gives its words.
    """
    words = words_of(_heard("goeden dag", "ƍĩĴĩ ģƌĥ"), 0.0, 2.0)

    assert ["goeden", "dag"] == _texts(words)


def test_times_outside_the_audio_are_brought_inside() -> None:
    """
    A token that a model places after the end of the audio ends with it.
    """
    heard = Hypothesis("ik wil", (" ik", " wil"), (0.5, 9.0), ())

    words = words_of(heard, 0.0, 2.0)

    assert [(0.5, 0.7), (2.0, 2.0)] == [(w.start_seconds, w.end_seconds) for w in words]


def test_nothing_gives_no_words() -> None:
    """
    No tokens, and tokens that are only punctuation, are no words.
    """
    assert [] == words_of(_heard("", ""), 0.0, 1.0)
    assert [] == words_of(_heard(" .", "_."), 0.0, 1.0)
