"""Spelling, numbers, phones and the lexicon of the recipe."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from asr.synthetic.phones import PHONE_IDS, PHONES, tidy
from asr.synthetic.sentences import foreign_texts, utterance_rows
from asr.text import normalise, number_in_words
from asr.training.domain_texts import domain_questions, domain_terms
from asr.training.graph import REDUCED, ctc_arcs, early_arcs, language_arcs, lexicon_arcs
from asr.training.language_model import Source, interpolate, perplexity, unigram_background
from asr.training.lexicon import LexiconError, choose_vocabulary, read_corrections, reductions


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0, "nul"),
        (8, "acht"),
        (14, "veertien"),
        (20, "twintig"),
        (22, "tweeëntwintig"),
        (31, "eenendertig"),
        (100, "honderd"),
        (365, "driehonderd vijfenzestig"),
        (1700, "zeventienhonderd"),
        (2026, "tweeduizend zesentwintig"),
        (12500, "twaalfduizend vijfhonderd"),
        (3_000_000, "drie miljoen"),
    ],
)
def test_numbers_are_spelt_as_said(value: int, expected: str) -> None:
    """
    Every figure becomes words of a small vocabulary.
    """
    assert expected == number_in_words(value)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("Hoe vraag ik dat aan?", "hoe vraag ik dat aan"),
        ("'k Heb één vraag over m’n zoon", "'k heb een vraag over m'n zoon"),
        ("Dat is 'gewoon' zo", "dat is gewoon zo"),
        ("€ 1.250 of 20%", "twaalfhonderd vijftig euro of twintig procent"),
        ("mijn e-mail, financiën", "mijn e mail financiën"),
        ("VDAB & kmo", "vdab en kmo"),
        ("", ""),
    ],
)
def test_sentences_are_written_as_the_recogniser_does(written: str, expected: str) -> None:
    """
    Lower case, words only, clitics kept, quotes dropped.
    """
    assert expected == normalise(written)


def test_normalising_twice_changes_nothing() -> None:
    """
    Text of the recogniser passes through as it is.
    """
    for text in domain_questions(200, seed=1):
        once = normalise(text)

        assert once == normalise(once)


def test_only_dutch_training_rows_reach_the_recogniser(tmp_path: Path) -> None:
    """
    The split ``test`` is kept for measuring, other languages for the classifier.
    """
    rows = "text\tthema\tfamily\tsplit\n" + "".join(
        f"{text}\t{thema}\tf\t{split}\n"
        for text, thema, split in [
            ("een premie", "energie", "train"),
            ("een geheim", "energie", "test"),
            ("hello there", "andere-taal", "train"),
        ]
    )
    (tmp_path / "rows.tsv").write_text(rows, encoding="utf-8")

    assert ["een premie"] == utterance_rows(tmp_path)


def test_phones_of_espeak_are_tidied() -> None:
    """
    Stress, pauses and glottal onsets go; loan sounds become Dutch ones.
    """
    assert ("Q", "r", "u", "j", "p", "A", "k", "E", "t") == tidy("Q_r_'u_j_p_A_k_,E_t")
    assert ("t", "S", "E", "k") == tidy("tS_'E_k")
    assert () == tidy("__:")
    assert ("a:", "n") == tidy("_|_a:_n__:__:")


def test_corrections_name_only_phones_that_exist(tmp_path: Path) -> None:
    """
    Our own file is right; a wrong one is told by line, word and phone.
    """
    assert ("I", "t", "s", "m", "i") in read_corrections()["itsme"]
    path = tmp_path / "lexicon.tsv"
    path.write_text("# note\nja\tj a:\nnee\tn ee\n", encoding="utf-8")

    with pytest.raises(LexiconError, match=r"lexicon\.tsv:3: 'nee'.*'ee'"):
        read_corrections(path)


def test_domain_words_come_first_into_the_vocabulary() -> None:
    """
    A rare word of ours precedes a common one of elsewhere; names of subtitles come last.
    """
    chosen = choose_vocabulary(
        Counter({"kadastraal": 1}),
        Counter({"huis": 50}),
        {"huis": 1000, "danny": 900, "zeilboot": 90},
        {"zeilboot"},
        3,
    )

    assert ["huis", "kadastraal", "zeilboot"] == chosen


def test_domain_questions_repeat_with_their_seed() -> None:
    """
    The recipe composes the same texts each time, and uses every phrase.
    """
    count = len(domain_terms())

    questions = domain_questions(count, seed=5)

    assert questions == domain_questions(count, seed=5)
    assert questions != domain_questions(count, seed=6)
    assert all("{" not in question for question in questions)
    assert all(len(sentences) >= 3 for sentences in foreign_texts().values())


@pytest.mark.parametrize(
    ("said", "less"),
    [
        ("l o: p @ n", ["l o: p @"]),
        ("h Y: r @ n", ["h Y: r @", "Y: r @ n", "Y: r @"]),
        ("h @ t", ["@ t"]),
        ("@ n", []),
        ("p @ n", []),
        ("d E n", []),
        ("h Y:", []),
    ],
)
def test_people_say_less_than_the_lexicon(said: str, less: list[str]) -> None:
    """
    The n of *lopen* and the h of *huren* may be missing; short words stay themselves.
    """
    assert [tuple(way.split()) for way in less] == reductions(tuple(said.split()))


def test_lexicon_graph_spells_every_word() -> None:
    """
    Each way of saying a word is a path from the root to the root; homophones differ by a mark.
    """
    lexicon: dict[str, list[tuple[str, ...]]] = {
        "ja": [("j", "a:")],
        "jaa": [("j", "a:")],
        "jas": [("j", "A", "s")],
    }
    ids = {"ja": 1, "jaa": 2, "jas": 3}
    arcs = list(lexicon_arcs(lexicon, ids))
    paths = []
    for start, to, label, word in arcs:
        if start == 0:
            path = [label]
            while to:
                to, label = next((t, i) for s, t, i, _ in arcs if s == to)
                path.append(label)
            paths.append((word, tuple(path)))

    j, aa, a, s = (PHONE_IDS[phone] + 1 for phone in ("j", "a:", "A", "s"))
    marks = len(PHONES) + 1
    assert {(1, (j, aa, marks)), (2, (j, aa, marks + 1)), (3, (j, a, s))} == set(paths)


def test_what_people_leave_out_costs() -> None:
    """
    *Hoor* without its h is no free *oor*: it ends in a mark that has a cost, which *oor* has not.
    """
    ids = {"hoor": 1, "oor": 2}
    arcs = list(lexicon_arcs({"hoor": [("h", "o:", "r")], "oor": [("o:", "r")]}, ids))
    spelled = ctc_arcs(arcs, 9, phone_cost=2.0, unknown_cost=3.0, reduced_cost=1.5)

    assert 1 == sum(label == REDUCED for _, _, label, _ in arcs)
    assert [1.5] == [cost for _, _, label, word, cost in spelled if cost and not label and not word]


def test_early_words_are_told_with_their_first_phone() -> None:
    """
    Each way of saying one has states of its own, numbered on from the others, and ends at the root.
    """
    j, aa, a, k = (PHONE_IDS[phone] + 1 for phone in ("j", "a:", "A", "k"))
    arcs = list(early_arcs({"ja": [("j", "a:"), ("j", "A")], "k": [("k",)]}, {"ja": 4, "k": 5}, 7))

    assert [(0, 7, j, 4), (7, 0, aa, 0), (0, 8, j, 4), (8, 0, a, 0), (0, 0, k, 5)] == arcs


def test_every_ctc_state_may_wait_in_blank_and_phones_may_repeat() -> None:
    """
    Blank is transition 1; after a phone's first frame its self-loop follows.
    """
    j, a = PHONE_IDS["j"] + 1, PHONE_IDS["a:"] + 1
    arcs = ctc_arcs([(0, 1, j, 7), (1, 0, a, 0)], 9, phone_cost=2.0, unknown_cost=3.0)
    states = {state for arc in arcs for state in arc[:2]}

    assert {0, 1} <= {start for start, to, label, _, _ in arcs if start == to and label == 1}
    assert (0, 1, 2 * j, 7, 0.0) in arcs
    assert (1, 1, 2 * j - 1, 0, 0.0) in arcs
    (after,) = {to for start, to, label, _, _ in arcs if start == 1 and label == 2 * a}
    assert (after, after, 2 * a - 1, 0, 0.0) in arcs
    assert (after, 0, 0, 0, 0.0) in arcs
    assert states == set(range(len(states)))
    assert 5.0 in {cost for _, _, _, word, cost in arcs if word == 9}


def test_language_model_sums_to_one_and_prefers_what_it_read() -> None:
    """
    In every context the probabilities of all words sum to one, pruned or not.
    """
    words = {"een", "premie", "dak", "voor", "het", "[unk]"}
    background = unigram_background([(1.0, {"een": 5, "premie": 2})], words)
    texts = ["een premie voor het dak", "premie voor het dak", "een dak", "iets voor het dak"]
    source = Source(texts, words, "[unk]", background)
    model = interpolate([(1.0, source)], words, bigrams=6, trigrams=3)

    for context in [(), *model.backoffs]:
        total = sum(model.probability(context, word) for word in {*words, "</s>"})
        assert 1.0 == pytest.approx(total, abs=1e-3)
    good = perplexity(model, ["een premie voor het dak"], words)
    assert good < perplexity(model, ["dak het voor premie een"], words)


def test_language_graph_backs_off_without_a_word() -> None:
    """
    Each context has one way down, label 0, and words keep their ids on both sides.
    """
    words = {"een", "dak", "[unk]"}
    background = unigram_background([], words)
    source = Source(["een dak", "een dak"], words, "[unk]", background)
    model = interpolate([(1.0, source)], words, bigrams=4, trigrams=2)
    lines = language_arcs(model, {"een": 1, "dak": 2, "[unk]": 3}, 0.7, 0.0).splitlines()
    arcs = [line.split() for line in lines if len(line.split()) == 5]

    assert all(arc[2] == arc[3] for arc in arcs)
    downward = [arc[0] for arc in arcs if arc[2] == "0"]
    assert len(downward) == len(set(downward))
    assert "1" not in downward
    assert "0" == arcs[0][0]
