"""The phone set: espeak-ng's Dutch phonemes, tidied."""

from __future__ import annotations

import re

BLANK = "<blk>"
GARBAGE = "<g>"
"""Speech that is not Dutch; the word ``[unk]`` is pronounced so."""

_DUTCH = (
    "@ r t n s l k d a: A i I E Q m v O p o: b e: x z EI N v# h f 8 u j I: Wy y VU O: Y: S E2 w Z g"
)
PHONES: tuple[str, ...] = (BLANK, GARBAGE, *_DUTCH.split())
PHONE_IDS = {phone: index for index, phone in enumerate(PHONES)}
"""Output of the network for each phone; 0 is the blank of CTC."""

# Sounds of loan words, told with what Dutch has; sounds not listed here are left out.
_TOLD_WITH: dict[str, tuple[str, ...]] = {
    "a": ("A",), "aI": ("A", "j"), "aU": ("VU",), "A~": ("A", "n"), "E~": ("E", "n"),
    "O~": ("O", "n"), "E:": ("E",), "e": ("E",), "eI": ("e:",), "eU": ("e:", "w"),
    "yU": ("y", "w"), "iU": ("i", "w"), "i:": ("i",), "u:": ("u",), "y:": ("y",), "U": ("u",),
    "V": ("8",), "o": ("O",), "oU": ("o:",), "OI": ("O", "j"), "0": ("O",), "3": ("@",),
    "3:": ("8", "r"), "I2": ("I",), "e@": ("E", "r"), "A:": ("A",), "A@": ("A", "r"), "@-": ("@",),
    "@r": ("@", "r"), "@L": ("@", "l"), "O@": ("O:", "r"), "i@": ("I:", "r"), "I#": ("I",),
    "tS": ("t", "S"), "dZ": ("d", "Z"), "n^": ("n", "j"), "D": ("d",), "T": ("t",), "C": ("x",),
    "R": ("r",), "r-": ("r",), "W": ("Wy",), "Y": ("8",), "Q^": ("Q",), "ts": ("t", "s"),
    "E#": ("E",), "a#": ("A",), "w#": ("w",), "2": ("8",), "pF": ("p", "f"), "X": ("x",),
}  # fmt: skip


def tidy(group: str) -> tuple[str, ...]:
    """Turn espeak-ng's phonemes of one word into our phones.

    Args:
        group: For example ``Q_r_'u_j_p_A_k_,E_t`` (option ``-x --sep=_``).

    Returns:
        Phones; stress, pauses, glottal onsets and language switches are dropped.
    """
    phones: list[str] = []
    for sound in re.sub(r"\(\w[\w-]*\)", "_", group).split("_"):
        name = re.sub(r"^[',%=|!;*]+|[',%=|;*]+$", "", sound)
        if name in PHONE_IDS:
            phones.append(name)
        else:
            phones.extend(_TOLD_WITH.get(name, ()))
    return tuple(phones)
