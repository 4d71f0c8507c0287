"""From the first ring to the decision: refusals, greeting, question, policy."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ivr.call import actions as act
from ivr.call import events as ev
from ivr.call.prompts import Prompt, SpokenPrompt
from ivr.call.ranking import RankedThema
from ivr.call.rules import Mode
from ivr.call.states import CallState, Outcome
from tests.unit.call.machine import RULES, call_in, prompts, ranking, uri

TIMERS = RULES.timers


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
        act.Recognise(epoch=talk.epoch),
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
        RankedThema(t, p)
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
    ranked = (RankedThema(label, 0.95), RankedThema("energie", 0.05))
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


@pytest.mark.parametrize(("records", "prompt"), [(True, Prompt.NOTICE), (False, Prompt.WELCOME)])
def test_notice_says_what_the_line_does(records: bool, prompt: Prompt) -> None:
    """
    A line that keeps no recordings must not say that it does.
    """
    talk = call_in(CallState.ANSWERING, replace(RULES, records=records))

    actions = talk.send(ev.MediaReady())

    assert [prompt] == prompts(actions)
