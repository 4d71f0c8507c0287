"""The two decoding graphs, by OpenFst's command-line tools.

``HCLr.fst`` spells words in phones with the topology of CTC; ``Gr.fst`` is the language model. vosk
composes them while it decodes, which takes a fifth of the room of one composed graph. OpenFst runs
in processes of its own: a process must never load it beside vosk.
"""

from __future__ import annotations

import os
import subprocess
from collections import defaultdict
from collections.abc import Iterable
from ctypes.util import find_library
from math import log
from pathlib import Path

from asr.synthetic.phones import BLANK, PHONE_IDS, PHONES
from asr.training.language_model import END, START, BackoffModel, Context
from asr.training.lexicon import UNKNOWN_WORD, Pronunciation, reductions

_TIMEOUT_SECONDS = 600
_PLUGINS = {"olabel_lookahead-fst.so": "fstlookahead", "ngram-fst.so": "fstngram"}


REDUCED = len(PHONES) + 1000
"""Mark that ends a way of saying a word that is less than the lexicon's; it has a cost."""


class GraphError(RuntimeError):
    """OpenFst's tools are missing or failed."""


def loop_id(phone: str) -> int:
    """Return the transition id that stays in a phone; Kaldi counts phones from 1."""
    return 2 * (PHONE_IDS[phone] + 1) - 1


def _run(tools: Path, *commands: list[str]) -> None:
    """Run a pipeline of OpenFst tools; ``tools`` holds the plugins for the special types."""
    environment = {**os.environ, "LD_LIBRARY_PATH": str(tools)}
    previous = None
    processes: list[subprocess.Popen[bytes]] = []
    try:
        for index, command in enumerate(commands):
            last = index == len(commands) - 1
            process = subprocess.Popen(
                command,
                stdin=previous,
                stdout=None if last else subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=environment,
            )
            if previous is not None:
                previous.close()
            previous = process.stdout
            processes.append(process)
        for command, process in zip(reversed(commands), reversed(processes), strict=True):
            _, errors = process.communicate(timeout=_TIMEOUT_SECONDS)
            if process.returncode:
                raise GraphError(f"{command[0]}: {errors.decode(errors='replace').strip()}")
    except FileNotFoundError as error:
        raise GraphError(f"{error.filename} is missing; install OpenFst's tools") from None
    finally:
        for process in processes:
            if process.poll() is None:
                process.kill()
            process.wait(_TIMEOUT_SECONDS)
            for stream in (process.stdout, process.stderr):
                if stream is not None:
                    stream.close()


def _link_plugins(folder: Path) -> None:
    """Give OpenFst its special graph types under the file names that it looks for."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, library in _PLUGINS.items():
        found = find_library(library)
        candidates = sorted(Path("/usr/lib").glob(f"**/lib{library}.so.*"))
        if not candidates:
            raise GraphError(f"lib{library} is missing ({found}); install OpenFst's tools")
        link = folder / name
        link.unlink(missing_ok=True)
        link.symlink_to(candidates[0])


def _labelled(ways: list[Pronunciation]) -> list[tuple[int, ...]]:
    """Return the labels of a word's ways, and of what is left of them when people say less."""
    less = {reduced for way in ways for reduced in reductions(way)} - set(ways)
    plain = [tuple(PHONE_IDS[phone] + 1 for phone in way) for way in ways]
    reduced = [(*(PHONE_IDS[phone] + 1 for phone in way), REDUCED) for way in sorted(less)]
    return [*plain, *reduced]


def lexicon_arcs(
    lexicon: dict[str, list[Pronunciation]], word_ids: dict[str, int]
) -> Iterable[tuple[int, int, int, int]]:
    """Yield arcs (from, to, phone, word) of the closed lexicon; state 0 begins and ends.

    Homophones and words that begin another word end in a mark, numbered from ``len(PHONES) + 1``,
    without which the graph could not be made deterministic.
    """
    same: defaultdict[tuple[int, ...], list[str]] = defaultdict(list)
    for word in sorted(lexicon):
        for way in _labelled(lexicon[word]):
            same[way].append(word)
    beginnings = {way[:length] for way in same for length in range(1, len(way))}
    state = 1
    for way in sorted(same):
        for rank, word in enumerate(same[way]):
            labels = list(way)
            if len(same[way]) > 1 or way in beginnings:
                labels.append(len(PHONES) + 1 + rank)
            at = 0
            for place, label in enumerate(labels):
                following = 0 if place == len(labels) - 1 else state
                state += following != 0
                yield at, following, label, word_ids[word] if not place else 0
                at = following


def early_arcs(
    lexicon: dict[str, list[Pronunciation]], word_ids: dict[str, int], first_state: int
) -> Iterable[tuple[int, int, int, int]]:
    """Yield arcs that tell the word with its first phone, each way of saying it on its own.

    In the deterministic part a word is told where no other word fits any more, often after its last
    phone. Words that callers begin with are kept out of it, so that a partial shows them earlier.
    """
    state = first_state
    for word in sorted(lexicon):
        for way in _labelled(lexicon[word]):
            at = 0
            for place, label in enumerate(way):
                following = 0 if place == len(way) - 1 else state
                state += following != 0
                yield at, following, label, word_ids[word] if not place else 0
                at = following


def ctc_arcs(
    arcs: list[tuple[int, int, int, int]],
    unknown_id: int,
    phone_cost: float,
    unknown_cost: float,
    reduced_cost: float = 0.0,
) -> list[tuple[int, int, int, int, float]]:
    """Turn a lexicon over phones into one over transition ids with the topology of CTC.

    Every state may wait in blank. A phone may be repeated: on the state itself where all ways in
    end with that phone, else on a state of its own before it. Beside the words there is a loop over
    all phones, at a cost, that stands for words the lexicon does not know.

    Args:
        arcs: From, to, phone (or mark), word; state 0 begins and ends.
        unknown_id: Word id of the unknown word.
        phone_cost: Cost of each phone of an unknown word.
        unknown_cost: Cost of an unknown word.
        reduced_cost: Cost of a word of which less is said.

    Returns:
        From, to, transition id, word, cost.
    """
    count = len(PHONES)
    entered: defaultdict[int, set[int]] = defaultdict(set)
    for _, to, label, _ in arcs:
        entered[to].add(label if label <= count else 0)
    blank = loop_id(BLANK)
    states = 1 + max(max(a, b) for a, b, _, _ in arcs)
    result = [(state, state, blank, 0, 0.0) for state in range(states)]
    between: dict[tuple[int, int], int] = {}

    def enter(to: int, label: int) -> int:
        nonlocal states
        if to and entered[to] == {label}:
            if (to, label) not in between:
                between[to, label] = to
                result.append((to, to, 2 * label - 1, 0, 0.0))
        elif (to, label) not in between:
            between[to, label] = states
            result.append((states, states, 2 * label - 1, 0, 0.0))
            result.append((states, to, 0, 0, 0.0))
            states += 1
        return between[to, label]

    for start, to, label, word in arcs:
        if label > count:
            result.append((start, to, 0, word, reduced_cost if label == REDUCED else 0.0))
        else:
            result.append((start, enter(to, label), 2 * label, word, 0.0))
    unknown = states
    states += 1
    result.append((unknown, unknown, blank, 0, 0.0))
    result.append((unknown, 0, 0, 0, 0.0))
    for label in range(3, count + 1):  # after blank and garbage
        result.append((0, enter(unknown, label), 2 * label, unknown_id, unknown_cost + phone_cost))
        result.append((unknown, enter(unknown, label), 2 * label, 0, phone_cost))
    return result


def write_word_graph(
    lexicon: dict[str, list[Pronunciation]],
    folder: Path,
    graph_dir: Path,
    *,
    early_words: frozenset[str] = frozenset(),
    unknown_phone_cost: float,
    unknown_cost: float,
    reduced_cost: float,
) -> dict[str, int]:
    """Write ``HCLr.fst`` and return the word ids that it uses.

    Args:
        lexicon: Words and ways of saying them.
        folder: For intermediate files.
        graph_dir: The model's ``graph`` folder.
        early_words: To be told with their first phone, see :func:`early_arcs`.
        unknown_phone_cost: Cost of each phone of an unknown word.
        unknown_cost: Cost of an unknown word.
        reduced_cost: Cost of a word of which less is said.

    Raises:
        GraphError: OpenFst's tools are missing or failed.
    """
    tools = folder / "openfst"
    _link_plugins(tools)
    first_ids = {word: index for index, word in enumerate(sorted(lexicon), 1)}
    arcs = folder / "lexicon.txt"
    early = {word: ways for word, ways in lexicon.items() if word in early_words}
    late = {word: ways for word, ways in lexicon.items() if word not in early_words}
    text = "".join(f"{a} {b} {i} {o}\n" for a, b, i, o in lexicon_arcs(late, first_ids))
    arcs.write_text(text + "0\n", encoding="ascii")
    raw, plain, key = (str(folder / name) for name in ("lexicon.fst", "small.fst", "labels.key"))
    printed = str(folder / "small.txt")
    _run(tools, ["fstcompile", str(arcs), raw])
    _run(
        tools,
        ["fstdeterminize", raw],
        ["fstencode", "--encode_labels", "-", key],
        ["fstminimize"],
        ["fstencode", "--decode", "-", key, plain],
    )
    _run(tools, ["fstprint", plain, printed])
    small: list[tuple[int, int, int, int]] = []
    for line in Path(printed).read_text(encoding="ascii").splitlines():
        fields = line.split("\t")
        if len(fields) >= 4:
            small.append((int(fields[0]), int(fields[1]), int(fields[2]), int(fields[3])))
    states = 1 + max(max(arc[:2]) for arc in small)
    small.extend(early_arcs(early, first_ids, states))
    spelled = ctc_arcs(
        small, first_ids[UNKNOWN_WORD], unknown_phone_cost, unknown_cost, reduced_cost
    )
    ctc = folder / "ctc.txt"
    lines = (f"{a} {b} {i} {o} {cost:g}\n" for a, b, i, o, cost in sorted(spelled))
    ctc.write_text("".join(lines) + "0\n", encoding="ascii")
    pairs = folder / "relabel.txt"
    _run(
        tools,
        ["fstcompile", str(ctc)],
        ["fstconnect"],
        ["fstarcsort", "--sort_type=olabel"],
        [
            "fstconvert",
            "--fst_type=olabel_lookahead",
            f"--save_relabel_opairs={pairs}",
            "-",
            str(graph_dir / "HCLr.fst"),
        ],
    )
    lines_of_pairs = pairs.read_text(encoding="ascii").splitlines()
    renamed = {int(old): int(new) for old, new in (line.split() for line in lines_of_pairs)}
    return {word: renamed[index] for word, index in first_ids.items() if index in renamed}


def language_arcs(
    model: BackoffModel, word_ids: dict[str, int], scale: float, word_cost: float
) -> str:
    """Return the language model as OpenFst text; the start context comes first.

    Args:
        model: The pruned model.
        word_ids: Words of the graph.
        scale: Weight of the language model against the network.
        word_cost: Added for each word; positive values make words fewer.
    """
    states: dict[Context, int] = {(START,): 0, (): 1}
    for context in sorted(model.probabilities, key=lambda c: (len(c), c)):
        if context and all(word in word_ids or word == START for word in context):
            states.setdefault(context, len(states))
    lines: list[str] = []
    finals: list[str] = []
    for context, state in states.items():
        for word, p in sorted(model.probabilities.get(context, {}).items()):
            cost = -log(p) * scale
            if word == END:
                finals.append(f"{state} {cost:.4f}\n")
            elif word in word_ids:
                following = (*context, word)[-2:]
                while following not in states:
                    following = following[1:]
                label = word_ids[word]
                lines.append(
                    f"{state} {states[following]} {label} {label} {cost + word_cost:.4f}\n"
                )
        if context:
            shorter = context[1:]
            while shorter not in states:
                shorter = shorter[1:]
            cost = -log(model.backoffs.get(context, 1.0)) * scale
            lines.append(f"{state} {states[shorter]} 0 0 {cost:.4f}\n")
    return "".join(lines) + "".join(finals)


def write_language_graph(
    model: BackoffModel,
    word_ids: dict[str, int],
    folder: Path,
    graph_dir: Path,
    *,
    scale: float,
    word_cost: float,
) -> None:
    """Write ``Gr.fst``.

    Raises:
        GraphError: OpenFst's tools are missing or failed.
    """
    tools = folder / "openfst"
    _link_plugins(tools)
    text = folder / "language.txt"
    text.write_text(language_arcs(model, word_ids, scale, word_cost), encoding="ascii")
    _run(
        tools,
        ["fstcompile", str(text)],
        ["fstarcsort", "--sort_type=ilabel"],
        ["fstconvert", "--fst_type=ngram", "-", str(graph_dir / "Gr.fst")],
    )
