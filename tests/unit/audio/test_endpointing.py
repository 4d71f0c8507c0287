"""When a turn begins and ends; frames in, no clock."""

from __future__ import annotations

import numpy as np

from ivr.audio.endpointing import TurnEnd, TurnLogic, TurnStart


class Turns:
    """One slot fed with a word: V voiced, l likely, a active, . nothing."""

    def __init__(self, *, needed: int = 5, pause: int = 10, limit: int = 500) -> None:
        self.logic = TurnLogic(2)
        self.position = 0
        self.starts: list[TurnStart] = []
        self.ends: list[TurnEnd] = []
        self.attend(needed=needed, pause=pause, limit=limit)

    def attend(self, *, needed: int = 5, pause: int = 10, limit: int = 500) -> None:
        self.logic.attend(1, needed_frames=needed, pause_frames=pause, limit_frames=limit)

    def hear(self, word: str) -> None:
        for letter in word:
            starts, ends = self.logic.advance(
                np.array([1]),
                np.array([self.position]),
                np.array([letter == "V"]),
                np.array([letter in "Vl"]),
                np.array([letter in "Vla"]),
            )
            self.starts += starts
            self.ends += ends
            self.position += 1


def test_speech_counts_after_its_minimum() -> None:
    """
    Four voiced frames are not yet speech, five are; the turn began with the first.
    """
    turns = Turns()

    turns.hear("...VVVV")

    assert [] == turns.starts
    turns.hear("V")
    assert [TurnStart(slot=1, start=3)] == turns.starts


def test_two_likely_frames_are_worth_a_voiced_one() -> None:
    """
    A creaky "ja" has few clearly voiced frames; it counts all the same, only later.
    """
    turns = Turns()

    turns.hear("..VllVll")
    assert [] == turns.starts
    turns.hear("ll")

    assert [TurnStart(slot=1, start=2)] == turns.starts


def test_unvoiced_onset_belongs_to_the_word() -> None:
    """
    The s of "studietoelage" comes before its first voiced frame.
    """
    turns = Turns()

    turns.hear("..aaaVVVVV")

    assert [TurnStart(slot=1, start=2)] == turns.starts


def test_scattered_voiced_frames_are_not_speech() -> None:
    """
    One periodic frame now and then never adds up.
    """
    turns = Turns()

    turns.hear("V..." * 200)

    assert [] == turns.starts


def test_pause_ends_the_turn_once() -> None:
    """
    The end tells when the caller last spoke, and the slot is idle after it.
    """
    turns = Turns(pause=10)

    turns.hear("VVVVVV" + "." * 30 + "VVVVVVVV" + "." * 30)

    assert [
        TurnEnd(slot=1, start=0, end=16, last_voiced_end=6, voiced_frames=6, too_long=False)
    ] == turns.ends
    assert 1 == len(turns.starts)


def test_shorter_pause_counts_for_the_pause_already_running() -> None:
    """
    The classifier became certain during the pause: the turn ends with the next frame.
    """
    turns = Turns(pause=50)
    turns.hear("VVVVVV" + "." * 20)

    turns.logic.set_pause(1, 15)
    turns.hear(".")

    (end,) = turns.ends
    assert (27, 6) == (end.end, end.last_voiced_end)


def test_longer_pause_gives_the_caller_more_time() -> None:
    """
    The ranking is unsettled: the pause that would have ended the turn does not.
    """
    turns = Turns(pause=10)
    turns.hear("VVVVVV" + "." * 9)

    turns.logic.set_pause(1, 40)
    turns.hear("." * 20 + "VVVV" + "." * 39)

    assert [] == turns.ends
    turns.hear(".")
    (end,) = turns.ends
    assert 39 == end.last_voiced_end


def test_endless_speech_ends_at_the_limit() -> None:
    """
    A television next to the phone does not hold a turn open.
    """
    turns = Turns(limit=100)

    turns.hear("V" * 300)

    assert [
        TurnEnd(slot=1, start=0, end=100, last_voiced_end=100, voiced_frames=100, too_long=True)
    ] == turns.ends


def test_noise_after_speech_does_not_hold_the_turn_open() -> None:
    """
    Unvoiced energy joins the last word for 200 ms at most.
    """
    turns = Turns(pause=10)

    turns.hear("VVVVVV" + "a" * 40)

    (end,) = turns.ends
    assert (16, 26) == (end.last_voiced_end, end.end)


def test_lone_voiced_frame_does_not_prolong_a_pause() -> None:
    """
    One periodic frame of noise is an accident.
    """
    turns = Turns(pause=10)

    turns.hear("VVVVVV....V....V.....")

    (end,) = turns.ends
    assert (6, 16) == (end.last_voiced_end, end.end)


def test_attending_again_changes_the_turn_but_does_not_restart_it() -> None:
    """
    The prompt was stopped by the barge-in and the machine now listens: same turn.
    """
    turns = Turns(needed=13, pause=10)
    turns.hear("V" * 20)

    turns.attend(needed=5, pause=20)
    turns.hear("V" * 5 + "." * 30)

    assert 1 == len(turns.starts)
    (end,) = turns.ends
    assert (0, 25, 45, 25) == (end.start, end.last_voiced_end, end.end, end.voiced_frames)


def test_ignored_turn_neither_ends_nor_begins() -> None:
    """
    After ignore nothing comes until the next attend, which starts afresh.
    """
    turns = Turns()
    turns.hear("VVVVVVVV")
    turns.logic.ignore(1)

    turns.hear("VVVVVVVV" + "." * 30)
    assert [] == turns.ends

    turns.attend()
    turns.hear("VVVV.......")
    assert 1 == len(turns.starts)
    turns.hear("VVVVV")
    assert 2 == len(turns.starts)


def test_lost_frames_are_not_a_pause() -> None:
    """
    The core fell behind: what it did not hear is not silence, but it is time.
    """
    turns = Turns(pause=10, limit=60)
    turns.hear("VVVVVV..")
    turns.logic.skip(1, 30)
    turns.position += 30

    turns.hear("....")
    assert [] == turns.ends

    turns.hear("V" * 40)
    (end,) = turns.ends
    assert (60, True) == (end.end, end.too_long)
