"""Which words a recogniser may hear for another: a table of sound-alikes, made offline.

The recipe transcribes a word list with espeak-ng's Dutch voice and keeps, for every word, the
words whose phonemes resemble it most. Only the table is needed to train.

    python -m intent.confusions --words FILE... --out training_data/confusions.tsv
"""

from __future__ import annotations

import argparse
import subprocess
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np
import scipy.sparse as sp

from intent.catalogue import OTHER_LANGUAGE, load_catalogue
from intent.errors import TrainingDataError
from intent.text import tokens

NEIGHBOURS: Final = 6
_CANDIDATES: Final = 25
_BLOCK: Final = 512


def load_confusions(file: Path) -> dict[str, tuple[str, ...]]:
    """Read ``word<TAB>other other …`` lines.

    Returns:
        Sound-alikes of each word, most alike first; empty when the file is absent, so that a
        catalogue without the table still trains.

    Raises:
        TrainingDataError: It cannot be read, or a line has no tab.
    """
    if not file.exists():
        return {}
    remedy = "make it again with intent.confusions"
    try:
        text = file.read_text(encoding="utf-8")
    except OSError as error:
        raise TrainingDataError(
            file, 0, f"cannot be read ({error.strerror})", remedy=remedy
        ) from None
    except UnicodeDecodeError as error:
        line_number = error.object[: error.start].count(b"\n") + 1
        raise TrainingDataError(file, line_number, "is not UTF-8", remedy=remedy) from None
    table: dict[str, tuple[str, ...]] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        word, tab, others = line.partition("\t")
        if not tab:
            raise TrainingDataError(file, number, "has no tab", remedy=remedy)
        table[word] = tuple(others.split())
    return table


def phonemes(words: Sequence[str], *, voice: str = "nl") -> list[tuple[str, ...]]:
    """Transcribe words with espeak-ng, without stress marks.

    Args:
        words: Normalised words.
        voice: An espeak-ng voice.

    Returns:
        The phonemes of each word, in the order of ``words``.

    Raises:
        CalledProcessError: espeak-ng failed.
        ValueError: It gave more or fewer words than it was asked for.
    """
    result = subprocess.run(
        ["espeak-ng", "-v", voice, "-q", "-x", "--sep=_"],
        input="\n\n".join(word + "." for word in words),
        capture_output=True, text=True, check=True, timeout=600,
    )  # fmt: skip
    lines = [line.strip() for line in result.stdout.splitlines() if line.strip()]
    if len(lines) != len(words):
        raise ValueError(f"espeak-ng gave {len(lines)} lines for {len(words)} words")
    cleaned = (line.replace("'", "").replace(",", "").replace(" ", "_") for line in lines)
    return [tuple(p for p in line.split("_") if p) for line in cleaned]


def sound_alikes(
    sounds: Sequence[tuple[str, ...]], words: Sequence[str], wanted: Sequence[int]
) -> dict[str, tuple[str, ...]]:
    """Find for each wanted word the words that sound most like it.

    Args:
        sounds: Phonemes of each word.
        words: The words, likeliest first; of equals the earlier is preferred.
        wanted: Indices of the words that need neighbours.
    """
    vocabulary: dict[str, int] = {}
    data: list[float] = []
    rows: list[int] = []
    columns: list[int] = []
    for row, sound in enumerate(sounds):
        padded = ("<", *sound, ">")
        grams = Counter(
            "_".join(padded[i : i + n]) for n in (1, 2, 3) for i in range(len(padded) - n + 1)
        )
        for gram, count in grams.items():
            rows.append(row)
            columns.append(vocabulary.setdefault(gram, len(vocabulary)))
            data.append(float(count) * (1.0 + gram.count("_")))
    matrix = sp.csr_matrix((data, (rows, columns)), shape=(len(words), len(vocabulary)))
    idf = np.log((1 + len(words)) / (1 + np.asarray((matrix > 0).sum(axis=0)).ravel())) + 1
    matrix = matrix @ sp.diags(idf)
    norms = np.sqrt(np.asarray(matrix.multiply(matrix).sum(axis=1)).ravel())
    matrix = sp.csr_matrix(sp.diags(1.0 / np.maximum(norms, 1e-9)) @ matrix)
    table: dict[str, tuple[str, ...]] = {}
    for start in range(0, len(wanted), _BLOCK):
        block = list(wanted[start : start + _BLOCK])
        similar = (matrix[block] @ matrix.T).toarray()
        for i, row in enumerate(block):
            similar[i, row] = -1.0
            best = np.argpartition(-similar[i], _CANDIDATES)[:_CANDIDATES]
            scored = sorted(
                (_distance(sounds[row], sounds[j]) / max(len(sounds[row]), len(sounds[j])), int(j))
                for j in best
            )
            near = [words[j] for distance, j in scored if distance <= 0.6][:NEIGHBOURS]
            if near:
                table[words[row]] = tuple(near)
    return table


def _distance(one: Sequence[str], other: Sequence[str]) -> int:
    """Levenshtein distance between two phoneme sequences."""
    previous = list(range(len(other) + 1))
    for i, a in enumerate(one, start=1):
        current = [i]
        for j, b in enumerate(other, start=1):
            current.append(min(previous[j] + 1, current[j - 1] + 1, previous[j - 1] + (a != b)))
        previous = current
    return previous[-1]


def build(
    data_dir: Path, texts: Sequence[Path], *, general_words: int
) -> Mapping[str, Sequence[str]]:
    """Build the table for the domain's words against them and general Dutch.

    Args:
        data_dir: ``training_data``: utterances and products give the domain's words.
        texts: Plain text files; their most frequent words are what a recogniser may output.
        general_words: How many of those.
    """
    domain: Counter[str] = Counter()
    for file in sorted((data_dir / "utterances").glob("*.tsv")):
        if file.stem == OTHER_LANGUAGE:
            continue
        for line in file.read_text(encoding="utf-8").splitlines()[1:]:
            domain.update(tokens(line.split("\t")[0]))
    for product in load_catalogue(data_dir).products:
        for name in product.names:
            domain.update(tokens(name))
    general: Counter[str] = Counter()
    for file in texts:
        for line in file.read_text(encoding="utf-8").splitlines():
            general.update(tokens(line))
    common = [w for w, n in general.most_common(general_words) if n > 1]
    words = list(dict.fromkeys([*(w for w, _ in domain.most_common()), *common]))
    words = [w for w in words if w.isascii() and w.isalpha() and len(w) > 1]
    return sound_alikes(phonemes(words), words, [i for i, w in enumerate(words) if w in domain])


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the table; needs espeak-ng."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--data", type=Path, default=Path("training_data"))
    parser.add_argument("--words", type=Path, nargs="*", default=[])
    parser.add_argument("--general", type=int, default=12_000)
    parser.add_argument("--out", type=Path, required=True)
    chosen = parser.parse_args(arguments)
    table = build(chosen.data, chosen.words, general_words=chosen.general)
    lines = [f"{word}\t{' '.join(others)}\n" for word, others in sorted(table.items())]
    chosen.out.write_text("".join(lines), encoding="utf-8")


if __name__ == "__main__":
    main()
