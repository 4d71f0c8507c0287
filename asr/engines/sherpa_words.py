"""From the tokens that sherpa-onnx recognised to words with times and confidences. Pure."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from asr.confidence import UNKNOWN_WORD
from asr.recogniser import Word
from asr.text import normalise

UNMEASURED_CONFIDENCE = 0.5
"""Of a word whose model tells no probability: neither believed nor doubted."""
_BYTE = re.compile(r"<0x([0-9A-Fa-f]{2})>")
_MARK = re.compile(r"<[^<> ]*>")
_LONGEST_TOKEN_SECONDS = 0.2
"""A last token without duration is taken to last so long."""


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """What a model gave for one stretch of audio.

    Attributes:
        text: As the model spells it.
        tokens: Its pieces; one that begins a word begins with a space.
        starts: Seconds from the begin of the stretch, one for each token, or none.
        log_probabilities: One for each token, or none.
    """

    text: str = field(repr=False)
    tokens: tuple[str, ...] = field(repr=False)
    starts: tuple[float, ...] = field(repr=False)
    log_probabilities: tuple[float, ...] = field(repr=False)


@dataclass(slots=True)
class _Piece:
    """A word that is being put together."""

    octets: bytearray = field(default_factory=bytearray)
    places: list[int] = field(default_factory=list)


def words_of(hypothesis: Hypothesis, begin_seconds: float, end_seconds: float) -> list[Word]:
    """Return the words, spelled as the port wants them.

    A word lasts until the next one begins. Where the tokens do not spell the text, or have no
    times, the words share the time by their length. Speech that the model marks as no known word
    becomes ``[unk]``.

    Args:
        hypothesis: What the model gave.
        begin_seconds: When the stretch begins.
        end_seconds: When it ends.
    """
    words = _from_tokens(hypothesis, begin_seconds, end_seconds)
    spelled = " ".join(word.text for word in words if word.text != UNKNOWN_WORD)
    text = normalise(_MARK.sub(" ", hypothesis.text))
    if spelled == text or spelled.replace(" ", "") == text.replace(" ", ""):
        return words
    return _shared(text, _confidence(hypothesis.log_probabilities), begin_seconds, end_seconds)


def _from_tokens(hypothesis: Hypothesis, begin: float, end: float) -> list[Word]:
    if len(hypothesis.starts) != len(hypothesis.tokens):
        return []
    pieces: list[_Piece] = []
    for place, token in enumerate(hypothesis.tokens):
        byte = _BYTE.fullmatch(token.strip())
        is_mark = byte is None and _MARK.fullmatch(token.strip()) is not None
        if not pieces or token.startswith((" ", "▁")) or is_mark:
            pieces.append(_Piece())
        pieces[-1].places.append(place)
        if byte is not None:
            pieces[-1].octets.append(int(byte[1], 16))
        elif is_mark:
            pieces[-1].octets.extend(UNKNOWN_WORD.encode() if "unk" in token else b"")
            pieces.append(_Piece())
        else:
            pieces[-1].octets.extend(token.strip(" ▁").encode())
    words: list[Word] = []
    earliest = begin
    starts = [
        begin + max(0.0, hypothesis.starts[piece.places[0]]) for piece in pieces if piece.places
    ]
    pieces = [piece for piece in pieces if piece.places]
    for index, piece in enumerate(pieces):
        start = min(end, max(earliest, starts[index]))
        last = begin + hypothesis.starts[piece.places[-1]] + _LONGEST_TOKEN_SECONDS
        following = starts[index + 1] if index + 1 < len(starts) else end
        until = min(end, max(start, min(last, following)))
        earliest = start
        spelled = piece.octets.decode("utf-8", errors="ignore")
        sure = _confidence(
            [hypothesis.log_probabilities[at] for at in piece.places]
            if len(hypothesis.log_probabilities) == len(hypothesis.tokens)
            else []
        )
        if spelled == UNKNOWN_WORD:
            words.append(Word(UNKNOWN_WORD, start, until, sure))
        else:
            words.extend(_shared(normalise(spelled), sure, start, until))
    return words


def _confidence(log_probabilities: Sequence[float]) -> float:
    """Return the probability of the least likely token, 0..1."""
    if not log_probabilities:
        return UNMEASURED_CONFIDENCE
    return math.exp(min(0.0, *log_probabilities))


def _shared(text: str, confidence: float, begin: float, end: float) -> list[Word]:
    """Let the words of a text share a stretch of time by their length."""
    texts = text.split()
    letters = sum(len(word) for word in texts)
    words: list[Word] = []
    at = begin
    for word in texts:
        until = min(end, at + (end - begin) * len(word) / letters)
        words.append(Word(word, at, until, confidence))
        at = until
    return words
