"""Dialogues through every group of rows of the machine's table."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ivr.call import actions as act
from ivr.call import events as ev
from ivr.call.prompts import Prompt, SpokenPrompt
from ivr.call.rules import CallRules, Method, Mode, Target
from ivr.call.states import CallState, Outcome
from ivr.call.table import TABLE, rows_for
from tests.unit.call.machine import BRIDGES, RULES, Talk, call_in, ranking, uri

TIMERS = RULES.timers
ASKING = (
    CallState.GREETING,
    CallState.PROMPTING,
    CallState.LISTENING,
    CallState.DECIDING,
    CallState.CONFIRMING,
    CallState.MENU,
)


def prompts(actions: list[act.Action]) -> list[Prompt]:
    return [p.prompt for a in actions if isinstance(a, act.PlayPrompt) for p in a.prompts]


# --- offered -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("admission", "status", "retry_after"),
    [
        (ev.Admission.FULL, 503, 30),
        (ev.Admission.DRAINING, 503, 30),
        (ev.Admission.NOT_READY, 503, 30),
        (ev.Admission.NO_CODEC, 488, None),
        (ev.Admission.BLOCKED, 603, None),
        (ev.Admission.UNKNOWN_LINE, 404, None),
    ],
)
def test_refusal_has_the_status_of_its_reason(
    admission: ev.Admission, status: int, retry_after: int | None
) -> None:
    """
    Only what passes by itself comes with a Retry-After.
    """
    talk = call_in(CallState.OFFERED)
    actions = talk.send(ev.Offered(admission=admission))

    assert [
        act.Refuse(status=status, retry_after_seconds=retry_after),
        act.End(outcome=Outcome.REFUSED, reason=admission.value, thema=None, group=None),
    ] == actions


def test_component_that_fails_while_ringing_refuses() -> None:
    """
    As if we had not been ready.
    """
    talk = call_in(CallState.OFFERED)

    assert act.Refuse(status=503, retry_after_seconds=30) in talk.send(ev.ComponentFailed())
    assert (Outcome.REFUSED, "not_ready") == (talk.end().outcome, talk.end().reason)


def test_caller_who_hangs_up_while_ringing_is_abandoned() -> None:
    """
    Nothing is sent to a leg that is gone.
    """
    talk = call_in(CallState.OFFERED)
    actions = talk.send(ev.CallerHungUp())

    assert [Outcome.ABANDONED] == [a.outcome for a in actions if isinstance(a, act.End)]
    assert 1 == len(actions)


def test_admitted_call_is_answered_with_a_bound_on_audio() -> None:
    """
    200, and a timer for the audio.
    """
    talk = call_in(CallState.ANSWERING)

    assert [act.AnswerCall(), act.StartTimer(seconds=10.0, epoch=1)] == talk.actions


# --- answering and greeting ----------------------------------------------------------------------


@pytest.mark.parametrize("event", ["timer", "lost"])
def test_audio_that_never_comes_ends_the_call(event: str) -> None:
    """
    Counted as ours, not as abandoned.
    """
    talk = call_in(CallState.ANSWERING)
    actions = talk.timeout() if event == "timer" else talk.send(ev.MediaLost())

    assert act.HangUp() in actions
    assert Outcome.MEDIA_FAILED is talk.end().outcome


def test_greeting_says_the_notice_first() -> None:
    """
    Nobody is listened to before the recording notice was said.
    """
    talk = call_in(CallState.GREETING)

    assert [SpokenPrompt(prompt=Prompt.NOTICE)] == talk.said()
    assert [] == [a for a in talk.actions if isinstance(a, act.Attend)]
    assert [] == talk.send(ev.SpeechStarted())
    assert [] == talk.send(ev.UtteranceEnded())
    assert CallState.GREETING is talk.state


@pytest.mark.parametrize("finished", [True, False])
def test_question_follows_the_notice_even_when_the_player_broke(finished: bool) -> None:
    """
    The guard of a prompt goes on where its end does.
    """
    talk = call_in(CallState.GREETING)
    actions = talk.prompt_finished() if finished else talk.timeout()

    assert CallState.PROMPTING is talk.state
    assert [Prompt.QUESTION] == prompts(actions)


def test_component_that_fails_before_audio_is_remembered() -> None:
    """
    There is nothing to say and nobody to transfer before audio flows.
    """
    talk = call_in(CallState.ANSWERING)

    assert [] == talk.send(ev.ComponentFailed())
    assert "answering" == talk.where
    actions = talk.send(ev.MediaReady())
    assert "announcing" == talk.where
    assert [Prompt.ANNOUNCE_GENERAL] == prompts(actions)
    choice = next(a for a in actions if isinstance(a, act.RecordChoice))
    assert "component_failed" == choice.decided_by


# --- prompting and listening ---------------------------------------------------------------------


def test_speech_interrupts_the_question() -> None:
    """
    The turn goes on across the change of state: no Ignore, and the turn's own bound.
    """
    talk = call_in(CallState.PROMPTING)
    actions = talk.send(ev.SpeechStarted())

    assert CallState.LISTENING is talk.state
    assert [
        act.CancelTimer(),
        act.StopPrompt(),
        act.Attend(playing=False),
        act.StartTimer(seconds=TIMERS.utterance_seconds, epoch=talk.epoch),
    ] == actions


def test_line_without_barge_in_is_not_interrupted() -> None:
    """
    Nobody listens while the question is asked.
    """
    talk = call_in(CallState.PROMPTING, replace(RULES, barge_in=False))

    assert [] == talk.send(ev.SpeechStarted())
    assert CallState.PROMPTING is talk.state
    assert [] == [a for a in talk.actions if isinstance(a, act.Attend)]
    assert act.Attend(playing=False) in talk.prompt_finished()


def test_turn_gets_its_own_bound_once() -> None:
    """
    Silence is bounded by one timer, the turn by another, and no noise prolongs it again.
    """
    talk = call_in(CallState.LISTENING)
    assert act.StartTimer(seconds=TIMERS.no_input_seconds, epoch=talk.epoch) in talk.actions

    longer = act.StartTimer(seconds=TIMERS.utterance_seconds, epoch=talk.epoch)
    assert [longer] == talk.send(ev.SpeechStarted())
    assert [] == talk.send(ev.SpeechStarted())


def test_end_of_the_turn_is_recognised_within_a_deadline() -> None:
    """
    The audio is taken before the ears are told to ignore it.
    """
    talk = call_in(CallState.LISTENING)
    actions = talk.send(ev.SpeechStarted(), ev.UtteranceEnded())

    assert [
        act.CancelTimer(),
        act.Recognise(epoch=talk.epoch, purpose=act.Purpose.QUESTION),
        act.Ignore(),
        act.StartTimer(seconds=TIMERS.deciding_seconds, epoch=talk.epoch),
    ] == actions


def test_endless_talker_is_recognised() -> None:
    """
    The timer that runs out while somebody speaks is no silence.
    """
    talk = call_in(CallState.LISTENING)
    talk.send(ev.SpeechStarted())
    talk.timeout()

    assert CallState.DECIDING is talk.state


@pytest.mark.parametrize("retries", [0, 1, 2])
def test_silence_is_asked_about_so_often_and_then_gets_the_menu(retries: int) -> None:
    """
    The busiest groups: there is nothing to go by.
    """
    talk = call_in(CallState.LISTENING, replace(RULES, no_input_most=retries))
    for _ in range(retries):
        assert [Prompt.NO_INPUT] == prompts(talk.timeout())
        talk.prompt_finished()
    talk.timeout()

    assert CallState.MENU is talk.state
    menu = SpokenPrompt(prompt=Prompt.KEUZEMENU, options=RULES.busiest[:4])
    assert menu == talk.said()[-1]


# --- deciding ------------------------------------------------------------------------------------


def test_sure_thema_is_routed() -> None:
    """
    The decision is kept, the group announced, the transfer follows the announcement.
    """
    talk = call_in(CallState.DECIDING)
    actions = talk.ranked("energie", 0.97)
    decision = next(a for a in actions if isinstance(a, act.RecordDecision))

    assert CallState.ANNOUNCING is talk.state
    assert ("route", "energie", True) == (
        decision.decision.action,
        decision.decision.thema,
        decision.applied,
    )
    assert SpokenPrompt(prompt=Prompt.ANNOUNCE, group="energie") == talk.said()[-1]
    assert [] == talk.tried()
    talk.prompt_finished()
    assert [uri("energie")] == [t.attempt.target.uri for t in talk.tried()]


def test_likely_thema_is_proposed() -> None:
    """
    "Gaat uw vraag over energie?"
    """
    talk = call_in(CallState.DECIDING)
    talk.ranked("energie", 0.6)

    assert CallState.CONFIRMING is talk.state
    assert SpokenPrompt(prompt=Prompt.CONFIRM, thema="energie") == talk.said()[-1]


def test_several_likely_themas_are_offered() -> None:
    """
    Likeliest first, and no more than four.
    """
    talk = call_in(CallState.DECIDING)
    ranked = tuple(
        ev.Ranked(t, p)
        for t, p in zip(
            ("onderwijs", "mobiliteit", "energie", "belastingen", "welzijn-zorg"),
            (0.26, 0.25, 0.24, 0.24, 0.01),
            strict=True,
        )
    )
    talk.send(ev.ThemaRanked(epoch=talk.epoch, ranking=ranked))

    assert CallState.MENU is talk.state
    assert ("onderwijs", "mobiliteit", "energie", "belastingen") == talk.said()[-1].options


def test_nothing_understood_is_asked_again_with_an_example() -> None:
    """
    Once; after that the busiest groups.
    """
    talk = call_in(CallState.DECIDING)
    talk.send(ev.ThemaRanked(epoch=talk.epoch, ranking=()))
    assert "prompting" == talk.where
    assert SpokenPrompt(prompt=Prompt.EXAMPLE) == talk.said()[-1]

    talk.prompt_finished()
    talk.send(ev.SpeechStarted(), ev.UtteranceEnded())
    talk.send(ev.ThemaRanked(epoch=talk.epoch, ranking=()))
    assert "menu" == talk.where
    assert RULES.busiest[:4] == talk.said()[-1].options


@pytest.mark.parametrize("label", ["mens", "buiten-bereik", "andere-taal"])
def test_who_is_not_served_by_a_thema_gets_a_human(label: str) -> None:
    """
    Asked for one, not ours, or not Dutch: the general group, without more questions.
    """
    talk = call_in(CallState.DECIDING)
    ranked = (ev.Ranked(label, 0.95), ev.Ranked("energie", 0.05))
    talk.send(ev.ThemaRanked(epoch=talk.epoch, ranking=ranked))

    assert CallState.ANNOUNCING is talk.state
    assert SpokenPrompt(prompt=Prompt.ANNOUNCE_GENERAL) == talk.said()[-1]


def test_broken_recogniser_opens_keuzemenu_at_once() -> None:
    """
    The fault is ours, so the caller is not asked to repeat.
    """
    talk = call_in(CallState.DECIDING)
    actions = talk.send(ev.RecognitionFailed(epoch=talk.epoch))

    assert CallState.MENU is talk.state
    assert [Prompt.KEUZEMENU] == prompts(actions)


def test_late_recogniser_opens_keuzemenu_at_once() -> None:
    """
    And what it says later changes nothing.
    """
    talk = call_in(CallState.DECIDING)
    asked = talk.epoch
    talk.timeout()
    late = talk.send(ev.ThemaRanked(epoch=asked, ranking=ranking("energie", 0.99)))

    assert CallState.MENU is talk.state
    assert [] == late
    assert 1 == talk.machine.stale_replies


@pytest.mark.parametrize("mode", [Mode.COLLECT, Mode.SHADOW])
@pytest.mark.parametrize("probability", [0.99, 0.6])
def test_menu_decides_where_the_model_is_on_trial(mode: Mode, probability: float) -> None:
    """
    The busiest groups, not the ranking's: else the menu would tell nothing about the model.
    """
    talk = call_in(CallState.DECIDING, replace(RULES, mode=mode))
    actions = talk.ranked("welzijn-zorg", probability)
    kept = [a.applied for a in actions if isinstance(a, act.RecordDecision)]

    assert CallState.MENU is talk.state
    assert RULES.busiest[:4] == talk.said()[-1].options
    assert ([False] if mode is Mode.SHADOW else []) == kept


# --- confirming ----------------------------------------------------------------------------------


@pytest.mark.parametrize("by_key", [True, False])
def test_yes_routes(by_key: bool) -> None:
    """
    Spoken or key 1; the record says that the caller decided.
    """
    talk = call_in(CallState.CONFIRMING)
    actions = talk.send(ev.Digit("1")) if by_key else talk.answered(ev.Answer.YES)
    choice = next(a for a in actions if isinstance(a, act.RecordChoice))

    assert CallState.ANNOUNCING is talk.state
    assert ("keypad" if by_key else "confirmation", "energie") == (choice.decided_by, choice.thema)
    talk.prompt_finished()
    talk.send(ev.TransferSucceeded(attempt=1))
    assert Outcome.ROUTED is talk.end().outcome


@pytest.mark.parametrize("by_key", [True, False])
def test_no_offers_the_others(by_key: bool) -> None:
    """
    Spoken or key 2; the refused thema is not among them.
    """
    talk = call_in(CallState.CONFIRMING)
    talk.send(ev.Digit("2")) if by_key else talk.answered(ev.Answer.NO)

    assert CallState.MENU is talk.state
    assert "energie" not in talk.said()[-1].options
    assert talk.said()[-1].options


def test_refused_thema_is_never_proposed_again() -> None:
    """
    Even when the second question points at it again.
    """
    talk = call_in(CallState.DECIDING)
    talk.ranked("energie", 0.6, confidence=0.35)
    talk.answered(ev.Answer.NO)
    assert "prompting" == talk.where
    talk.prompt_finished()
    talk.send(ev.SpeechStarted(), ev.UtteranceEnded())
    talk.ranked("energie", 0.97)

    assert "confirming" != talk.where
    assert SpokenPrompt(prompt=Prompt.ANNOUNCE, group="energie") != talk.said()[-1]
    assert "energie" not in talk.said()[-1].options


@pytest.mark.parametrize("how", ["unclear", "failed", "timeout", "key"])
def test_answer_that_is_no_answer_gets_the_menu(how: str) -> None:
    """
    With the proposed thema first: it was not refused.
    """
    talk = call_in(CallState.CONFIRMING)
    if how == "unclear":
        talk.answered(ev.Answer.UNCLEAR)
    elif how == "failed":
        talk.send(ev.RecognitionFailed(epoch=talk.epoch))
    elif how == "timeout":
        talk.timeout()
    else:
        talk.send(ev.Digit("7"))

    assert CallState.MENU is talk.state
    assert "energie" == talk.said()[-1].options[0]


def test_answer_may_interrupt_the_proposal() -> None:
    """
    We fall silent, hear it out, and understand it as an answer; a second turn waits.
    """
    talk = call_in(CallState.CONFIRMING)
    confirm = act.StartTimer(seconds=TIMERS.confirm_seconds, epoch=talk.epoch)

    assert [act.StopPrompt(), confirm] == talk.send(ev.SpeechStarted())
    recognise = act.Recognise(epoch=talk.epoch, purpose=act.Purpose.ANSWER)
    assert [recognise] == talk.send(ev.UtteranceEnded())
    assert [] == talk.send(ev.UtteranceEnded())


def test_waiting_for_the_answer_begins_after_the_proposal() -> None:
    """
    The bound of the prompt gives way to the bound of the answer, once.
    """
    talk = call_in(CallState.CONFIRMING)

    assert [
        act.Attend(playing=False),
        act.StartTimer(seconds=TIMERS.confirm_seconds, epoch=talk.epoch),
    ] == talk.prompt_finished()
    assert [] == talk.send(ev.SpeechStarted())


# --- menu ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("digit", "thema"), list(zip("1234", RULES.busiest, strict=False)))
def test_key_in_the_menu_routes(digit: str, thema: str) -> None:
    """
    The record and the outcome say that the caller chose.
    """
    talk = call_in(CallState.MENU)
    talk.send(ev.Digit(digit))
    talk.prompt_finished()
    talk.send(ev.TransferSucceeded(attempt=1))

    assert (Outcome.MENU_ROUTED, thema, thema) == (
        talk.end().outcome,
        talk.end().thema,
        talk.end().group,
    )


@pytest.mark.parametrize("digit", "56789*#ABCD")
def test_key_that_is_not_in_the_menu_replays_it_then_gets_a_human(digit: str) -> None:
    """
    "Die keuze is er niet", with the same options.
    """
    talk = call_in(CallState.MENU)
    options = talk.said()[-1].options
    talk.send(ev.Digit(digit))
    assert SpokenPrompt(prompt=Prompt.INVALID_CHOICE, options=options) == talk.said()[-1]

    talk.send(ev.Digit(digit))
    assert CallState.ANNOUNCING is talk.state
    assert SpokenPrompt(prompt=Prompt.ANNOUNCE_GENERAL) == talk.said()[-1]


def test_silence_in_the_menu_replays_it_then_gets_a_human() -> None:
    """
    The wait for a key begins after the last option was said.
    """
    talk = call_in(CallState.MENU)
    options = talk.said()[-1].options
    waiting = act.StartTimer(seconds=TIMERS.menu_seconds, epoch=talk.epoch)
    assert [waiting] == talk.prompt_finished()
    talk.timeout()
    assert SpokenPrompt(prompt=Prompt.KEUZEMENU, options=options) == talk.said()[-1]

    talk.prompt_finished()
    talk.timeout()
    assert SpokenPrompt(prompt=Prompt.ANNOUNCE_GENERAL) == talk.said()[-1]


def test_speech_in_the_menu_changes_nothing() -> None:
    """
    The menu is for the keypad.
    """
    talk = call_in(CallState.MENU)

    assert [] == talk.send(ev.SpeechStarted(), ev.UtteranceEnded())


def test_human_instead_of_the_chosen_group() -> None:
    """
    Key 0 while we announce the group: the choice is withdrawn, also in the outcome.
    """
    talk = call_in(CallState.MENU)
    talk.send(ev.Digit("1"))
    talk.send(ev.Digit("0"))
    assert SpokenPrompt(prompt=Prompt.ANNOUNCE_GENERAL) == talk.said()[-1]
    assert [] == talk.send(ev.Digit("0"))
    talk.prompt_finished()
    talk.send(ev.TransferSucceeded(attempt=1))

    assert (Outcome.ROUTED, None, "algemeen") == (
        talk.end().outcome,
        talk.end().thema,
        talk.end().group,
    )


@pytest.mark.parametrize("state", ASKING)
@pytest.mark.parametrize("event", [ev.Digit("0"), ev.CallLimitReached(), ev.ComponentFailed()])
def test_way_to_a_human_is_open_wherever_we_ask(state: CallState, event: ev.Event) -> None:
    """
    By key, by the call's limit, and when something of ours broke.
    """
    talk = call_in(state)
    talk.send(event)

    assert CallState.ANNOUNCING is talk.state
    assert SpokenPrompt(prompt=Prompt.ANNOUNCE_GENERAL) == talk.said()[-1]


@pytest.mark.parametrize("state", ASKING[:4])
def test_any_other_key_asks_for_the_menu(state: CallState) -> None:
    """
    Callers who know the way, or who do not hear.
    """
    talk = call_in(state)
    talk.send(ev.Digit("5"))

    assert CallState.MENU is talk.state


# --- transferring --------------------------------------------------------------------------------

THREE = replace(
    RULES,
    targets={
        "energie": (Target(uri("energie", 1)), Target(uri("energie", 2))),
        "algemeen": (Target(uri("algemeen", 1)),),
    },
)


def give_up(talk: Talk) -> None:
    """Let every wait run out until nothing is left to try."""
    for _ in range(40):
        if talk.state not in (CallState.ANNOUNCING, CallState.TRANSFERRING):
            return
        talk.timeout()
    raise AssertionError("never gives up")


def test_everything_is_tried_in_order_and_then_closed() -> None:
    """
    The group's targets, the general group, a bridge to it, the closing message.
    """
    talk = call_in(CallState.ANNOUNCING, THREE)
    give_up(talk)
    tried = [
        (t.attempt.number, t.attempt.target.uri, t.attempt.target.method) for t in talk.tried()
    ]

    assert [
        (1, uri("energie", 1), Method.REFER),
        (2, uri("energie", 2), Method.REFER),
        (3, uri("algemeen"), Method.REFER),
        (4, uri("algemeen"), Method.BRIDGE),
    ] == tried
    assert [1, 2, 3, 4] == [a.attempt for a in talk.actions if isinstance(a, act.AbandonTransfer)]
    assert [Prompt.NEXT_GROUP, Prompt.CLOSING, Prompt.GOODBYE] == [
        p.prompt for p in talk.said()[-3:]
    ]
    talk.prompt_finished()
    assert (Outcome.UNROUTED, "nobody_reachable") == (talk.end().outcome, talk.end().reason)


def test_refused_transfer_is_not_abandoned_too() -> None:
    """
    It is over; the next one follows without a word within the same group.
    """
    talk = call_in(CallState.TRANSFERRING, THREE)
    before = len(talk.said())
    actions = talk.send(ev.TransferFailed(attempt=1))

    assert [] == [a for a in actions if isinstance(a, act.AbandonTransfer)]
    assert [2] == [a.attempt.number for a in actions if isinstance(a, act.Transfer)]
    assert before == len(talk.said())


def test_acceptance_prolongs_the_wait_once() -> None:
    """
    To the longest time in the queue; ringing again prolongs nothing.
    """
    talk = call_in(CallState.TRANSFERRING)
    assert act.StartTimer(seconds=10.0, epoch=talk.epoch) in talk.actions

    assert [act.StartTimer(seconds=600.0, epoch=talk.epoch)] == talk.send(
        ev.TransferAccepted(attempt=1)
    )
    assert [] == talk.send(ev.TransferAccepted(attempt=1))
    assert [] == talk.send(ev.TransferAccepted(attempt=99))


@pytest.mark.parametrize("accepted", [True, False])
def test_hang_up_during_a_transfer(accepted: bool) -> None:
    """
    After the 202 nobody knows; before it the caller gave up.
    """
    talk = call_in(CallState.TRANSFERRING)
    if accepted:
        talk.send(ev.TransferAccepted(attempt=1))
    talk.send(ev.CallerHungUp())
    expected = Outcome.TRANSFER_UNCONFIRMED if accepted else Outcome.ABANDONED

    assert expected is talk.end().outcome


def test_accepted_and_failed_is_not_unconfirmed() -> None:
    """
    NOTIFY 404 after 202: the caller is still ours, and his hanging up is his own.
    """
    talk = call_in(CallState.TRANSFERRING, THREE)
    talk.send(ev.TransferAccepted(attempt=1), ev.TransferFailed(attempt=1), ev.CallerHungUp())

    assert Outcome.ABANDONED is talk.end().outcome


def test_ringing_bridge_that_was_cancelled_leaves_nothing_unconfirmed() -> None:
    """
    It cannot reach the caller behind our back.
    """
    talk = call_in(CallState.TRANSFERRING, BRIDGES)
    talk.send(ev.TransferAccepted(attempt=1), ev.CallerHungUp())

    assert Outcome.ABANDONED is talk.end().outcome


def test_failure_of_an_older_attempt_is_no_news() -> None:
    """
    The current one goes on.
    """
    talk = call_in(CallState.TRANSFERRING, THREE)
    talk.send(ev.TransferAccepted(attempt=1))
    talk.timeout()

    assert [] == talk.send(ev.TransferFailed(attempt=1))
    assert CallState.TRANSFERRING is talk.state
    talk.send(ev.CallerHungUp())
    assert Outcome.ABANDONED is talk.end().outcome


@pytest.mark.parametrize(
    "state", [CallState.TRANSFERRING, CallState.ANNOUNCING, CallState.CLOSING, CallState.CALLBACK]
)
def test_late_success_wins(state: CallState) -> None:
    """
    The first target took the caller after all, whatever we are doing since.
    """
    talk = call_in(CallState.TRANSFERRING, THREE, can_call_back=True)
    talk.send(ev.TransferAccepted(attempt=1))
    while talk.state is not state or not talk.tried()[1:]:
        if talk.state is CallState.CLOSING:
            talk.send(ev.Digit("1"))
        else:
            talk.timeout()
    actions = talk.send(ev.TransferSucceeded(attempt=1))

    assert act.HangUp() in actions
    assert (Outcome.ROUTED, "energie") == (talk.end().outcome, talk.end().group)


def test_bridge_connects_and_lasts_until_somebody_hangs_up() -> None:
    """
    The conversation has a bound of hours.
    """
    talk = call_in(CallState.BRIDGED, BRIDGES)
    bound = act.StartTimer(seconds=TIMERS.bridged_seconds, epoch=talk.epoch)

    assert bound in talk.actions
    assert [] == talk.send(ev.Digit("0"), ev.MediaLost(), ev.CallLimitReached())
    assert [] == talk.send(ev.TargetHungUp(attempt=9))
    assert act.HangUp() in talk.send(ev.TargetHungUp(attempt=1))
    assert (Outcome.ROUTED, "bridge_ended") == (talk.end().outcome, talk.end().reason)


def test_caller_ends_the_conversation() -> None:
    """
    Nothing is sent to a leg that is gone.
    """
    talk = call_in(CallState.BRIDGED, BRIDGES)

    assert act.HangUp() not in talk.send(ev.CallerHungUp())
    assert Outcome.ROUTED is talk.end().outcome


@pytest.mark.parametrize("state", [CallState.ANNOUNCING, CallState.CLOSING])
def test_bridge_that_connects_too_late_is_a_conversation(state: CallState) -> None:
    """
    The audio is joined already.
    """
    talk = call_in(CallState.TRANSFERRING, BRIDGES)
    while talk.state is not state:
        talk.timeout()
    number = len(talk.tried())
    actions = talk.send(ev.TransferSucceeded(attempt=number))

    assert CallState.BRIDGED is talk.state
    assert act.StopPrompt() in actions
    talk.send(ev.TargetHungUp(attempt=number))
    expected = "energie" if state is CallState.ANNOUNCING else "algemeen"
    assert expected == talk.end().group


def test_group_without_any_target_closes() -> None:
    """
    A configuration without targets strands nobody.
    """
    talk = call_in(CallState.ANNOUNCING, replace(RULES, targets={}))
    talk.prompt_finished()

    assert CallState.CLOSING is talk.state


def test_success_of_an_unknown_attempt_is_no_success() -> None:
    """
    A number that we never gave out.
    """
    talk = call_in(CallState.TRANSFERRING)

    assert [] == talk.send(ev.TransferSucceeded(attempt=42))
    assert CallState.TRANSFERRING is talk.state


# --- closed, closing, callback -------------------------------------------------------------------


@pytest.mark.parametrize("state", [CallState.CLOSED, CallState.CLOSING])
def test_callback_is_offered_only_when_possible(state: CallState) -> None:
    """
    Otherwise key 1 means nothing, and the message ends the call.
    """
    without = call_in(state)
    assert Prompt.CALLBACK_OFFER not in [p.prompt for p in without.said()]
    assert [] == without.send(ev.Digit("1"))
    without.prompt_finished()
    assert Outcome.UNROUTED is without.end().outcome

    with_offer = call_in(state, can_call_back=True)
    assert Prompt.CALLBACK_OFFER is with_offer.said()[-1].prompt
    waiting = act.StartTimer(seconds=TIMERS.menu_seconds, epoch=with_offer.epoch)
    assert [waiting] == with_offer.prompt_finished()
    actions = with_offer.send(ev.Digit("1"))
    assert act.NoteCallback() in actions
    with_offer.prompt_finished()
    assert Outcome.CALLBACK is with_offer.end().outcome


@pytest.mark.parametrize("event", [ev.CallerHungUp(), ev.MediaLost(), ev.CallerHungUp(by_us=True)])
def test_callback_that_was_asked_for_is_kept(event: ev.Event) -> None:
    """
    However the call ends then.
    """
    talk = call_in(CallState.CALLBACK, can_call_back=True)
    talk.send(event)

    assert Outcome.CALLBACK is talk.end().outcome


def test_closed_line_says_why() -> None:
    """
    "closed", not "nobody reachable".
    """
    talk = call_in(CallState.CLOSED)
    talk.prompt_finished()

    assert (Outcome.UNROUTED, "closed") == (talk.end().outcome, talk.end().reason)
    assert [] == talk.tried()


# --- every state ---------------------------------------------------------------------------------


@pytest.mark.parametrize("state", list(CallState))
def test_every_state_can_be_reached_and_left_by_hanging_up(state: CallState) -> None:
    """
    One end, no transfer after it, no timer left.
    """
    rules = BRIDGES if state is CallState.BRIDGED else RULES
    talk = call_in(state, rules, can_call_back=True)
    assert state is talk.state
    tried = len(talk.tried())
    talk.send(ev.CallerHungUp())

    assert CallState.ENDED is talk.state
    assert tried == len(talk.tried())
    assert isinstance(talk.actions[-1], act.End)
    timers = [a for a in talk.actions if isinstance(a, act.StartTimer | act.CancelTimer)]
    assert not timers or isinstance(timers[-1], act.CancelTimer)


@pytest.mark.parametrize("state", [s for s in CallState if s is not CallState.OFFERED])
def test_end_by_our_own_side_is_told_apart(state: CallState) -> None:
    """
    "leg_failed" wherever it would have been "abandoned".
    """
    rules = BRIDGES if state is CallState.BRIDGED else RULES
    talk = call_in(state, rules)
    if state is CallState.ENDED:
        return
    talk.send(ev.CallerHungUp(by_us=True))

    assert talk.end().outcome is not Outcome.ABANDONED
    if state not in (CallState.BRIDGED,):
        assert "leg_failed" == talk.end().reason


def test_states_and_events_of_the_table_exist() -> None:
    """
    Each row is found through its own pair.
    """
    assert all(row in rows_for(row.state, row.event) for row in TABLE)
    assert set(CallState) == {row.state for row in TABLE}


def test_every_row_says_what_it_does() -> None:
    """
    The diagram and the table in the documents are made of these words.
    """
    nameless = [
        (row.state.value, row.event.__name__)
        for row in TABLE
        if not row.do.__doc__ or (row.when is not None and not row.when.__doc__)
    ]

    assert [] == nameless


def test_digit_is_not_shown() -> None:
    """
    Neither in a repr nor in the error about a wrong one.
    """
    assert "7" not in repr(ev.Digit("7"))
    with pytest.raises(ValueError, match="a digit must be one of") as raised:
        ev.Digit("77")
    assert "77" not in str(raised.value)


@pytest.mark.parametrize(
    "ranked",
    [
        (ev.Ranked("energie", 0.7), ev.Ranked("onderwijs", 0.7)),
        (ev.Ranked("energie", 0.2), ev.Ranked("onderwijs", 0.7)),
    ],
)
def test_ranking_that_is_none_is_refused(ranked: tuple[ev.Ranked, ...]) -> None:
    """
    More than everything, or out of order.
    """
    with pytest.raises(ValueError, match="ranking"):
        ev.ThemaRanked(epoch=1, ranking=ranked)


@pytest.mark.parametrize("probability", [-0.1, 1.1, float("nan")])
def test_probability_that_is_none_is_refused(probability: float) -> None:
    """
    NaN too: it compares with nothing, and no cost would be right.
    """
    with pytest.raises(ValueError, match="energie"):
        ev.Ranked("energie", probability)


def test_rules_without_themas_lead_to_a_human() -> None:
    """
    An empty menu is replayed no more often than any other.
    """
    talk = call_in(CallState.MENU, CallRules(groups={}, targets={}))
    for _ in range(2):
        talk.prompt_finished()
        talk.timeout()

    assert CallState.ANNOUNCING is talk.state
