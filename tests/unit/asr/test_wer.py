"""Word error rate against cases counted by hand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr.wer import WordErrors, word_error_rate, word_errors

_words = st.lists(st.sampled_from(["de", "het", "premie", "dak"]), max_size=8).map(" ".join)


@pytest.mark.parametrize(
    ("said", "heard", "expected"),
    [
        ("de premie", "de premie", WordErrors(0, 0, 0, 2)),
        ("de premie", "", WordErrors(0, 2, 0, 2)),
        ("", "de premie", WordErrors(0, 0, 2, 0)),
        ("de premie voor", "het premie voor", WordErrors(1, 0, 0, 3)),
        ("de premie voor", "de voor", WordErrors(0, 1, 0, 3)),
        ("de premie", "de de premie", WordErrors(0, 0, 1, 2)),
        ("a b c d", "b c d e", WordErrors(0, 1, 1, 4)),
    ],
)
def test_errors_are_counted_as_by_hand(said: str, heard: str, expected: WordErrors) -> None:
    """
    Each kind of error is told apart, with the fewest errors in all.
    """
    assert expected == word_errors(said, heard)


@given(_words, _words)
def test_errors_obey_the_bounds_of_an_edit_distance(said: str, heard: str) -> None:
    """
    At least the difference in length, at most the longer text; nil only when equal.
    """
    errors = word_errors(said, heard)
    longest = max(len(said.split()), len(heard.split()))

    assert abs(len(said.split()) - len(heard.split())) <= errors.errors <= longest
    assert (said == heard) == (errors.errors == 0)


def test_rate_lies_in_its_interval_and_repeats() -> None:
    """
    The same utterances give the same interval, which holds the rate.
    """
    counted = [WordErrors(1, 0, 0, 10)] * 20 + [WordErrors(0, 0, 0, 10)] * 20

    rate = word_error_rate(counted)

    assert 0.05 == pytest.approx(rate.rate)
    assert rate.low < rate.rate < rate.high
    assert rate == word_error_rate(counted)


def test_more_utterances_narrow_the_interval() -> None:
    """
    A hundred times the utterances: an interval a tenth as wide, about.
    """
    few = word_error_rate([WordErrors(1, 0, 0, 5), WordErrors(0, 0, 0, 5)] * 10)
    many = word_error_rate([WordErrors(1, 0, 0, 5), WordErrors(0, 0, 0, 5)] * 1000)

    assert 5 * (many.high - many.low) < few.high - few.low


def test_rate_of_nothing_is_refused() -> None:
    """
    Without a word said there is no rate.
    """
    with pytest.raises(ValueError, match="at least one word"):
        word_error_rate([WordErrors(0, 0, 2, 0)])
