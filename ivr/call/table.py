"""The table of the call machine, as data: which event does what in which state.

Rows are tried in order; the first whose ``when`` holds is taken. ``next`` is ``None`` where the
state is not left. Functions are named for what they do; the diagram shows their docstrings.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from ivr.call import events as ev
from ivr.call.events import Event
from ivr.call.policy import DecisionAction
from ivr.call.states import CallState
from ivr.call.states import CallState as S
from ivr.call.steps import asking, choosing, ending, entries
from ivr.call.steps.common import Consider, Entry, Guard, Step, nothing


@dataclass(frozen=True, slots=True)
class Row:
    """In ``state``, on ``event``, when it fits: ``do``, then go to ``next``."""

    state: CallState
    event: type[Event]
    when: Guard | None
    do: Step
    next: CallState | None
    action: DecisionAction | None = None
    """Only where the event is among :data:`CONSIDERED`; None fits whatever the policy says."""


CONSIDERED: Mapping[tuple[CallState, type[Event]], Consider] = MappingProxyType(
    {
        (S.DECIDING, ev.ThemaRanked): asking.consider,
        (S.CONFIRMING, ev.Digit): choosing.reconsider,
        (S.CONFIRMING, ev.AnswerHeard): choosing.reconsider,
    }
)
"""Where the policy is asked, once an event, before a row is chosen."""


ENTRY: Mapping[CallState, Entry] = MappingProxyType(
    {
        S.OFFERED: entries.enter_nothing,
        S.ANSWERING: entries.enter_answering,
        S.GREETING: entries.enter_greeting,
        S.PROMPTING: entries.enter_prompting,
        S.LISTENING: entries.enter_listening,
        S.DECIDING: entries.enter_deciding,
        S.CONFIRMING: entries.enter_confirming,
        S.MENU: entries.enter_menu,
        S.ANNOUNCING: entries.enter_announcing,
        S.TRANSFERRING: entries.enter_transferring,
        S.BRIDGED: entries.enter_bridged,
        S.CLOSED: entries.enter_closed,
        S.CLOSING: entries.enter_closing,
        S.CALLBACK: entries.enter_callback,
        S.ENDED: entries.enter_nothing,
    }
)

_ASKING = (S.GREETING, S.PROMPTING, S.LISTENING, S.DECIDING)
_BEFORE_TRANSFER = (*_ASKING, S.CONFIRMING, S.MENU)
_MAY_LOSE_AUDIO = (*_BEFORE_TRANSFER, S.ANNOUNCING, S.CLOSED, S.CLOSING)
_WITH_AUDIO = (*_MAY_LOSE_AUDIO, S.CALLBACK)
_AFTER_A_PLAN = (S.ANNOUNCING, S.TRANSFERRING, S.CLOSING, S.CALLBACK, S.BRIDGED)


def _each(
    states: tuple[CallState, ...],
    event: type[Event],
    when: Guard | None,
    do: Step,
    to: CallState | None,
) -> tuple[Row, ...]:
    return tuple(Row(state, event, when, do, to) for state in states)


def _ignored(states: tuple[CallState, ...], *events: type[Event]) -> tuple[Row, ...]:
    return tuple(Row(state, event, None, nothing, None) for state in states for event in events)


TABLE: tuple[Row, ...] = (
    # offered
    Row(S.OFFERED, ev.Offered, asking.admitted, asking.answer, S.ANSWERING),
    Row(S.OFFERED, ev.Offered, None, asking.refuse, S.ENDED),
    Row(S.OFFERED, ev.CallerHungUp, None, ending.end_unanswered, S.ENDED),
    Row(S.OFFERED, ev.ComponentFailed, None, asking.refuse, S.ENDED),
    *_ignored((S.OFFERED,), ev.Digit, ev.MediaLost, ev.CallLimitReached),
    # answering
    Row(S.ANSWERING, ev.MediaReady, asking.is_open_and_broken, choosing.to_human, S.ANNOUNCING),
    Row(S.ANSWERING, ev.MediaReady, asking.is_open, nothing, S.GREETING),
    Row(S.ANSWERING, ev.MediaReady, None, nothing, S.CLOSED),
    Row(S.ANSWERING, ev.TimerExpired, None, asking.end_media_failed, S.ENDED),
    Row(S.ANSWERING, ev.MediaLost, None, asking.end_media_failed, S.ENDED),
    Row(S.ANSWERING, ev.CallerHungUp, None, ending.end_unanswered, S.ENDED),
    Row(S.ANSWERING, ev.ComponentFailed, None, asking.note_broken, None),
    *_ignored((S.ANSWERING,), ev.Digit, ev.CallLimitReached),
    # greeting
    Row(S.GREETING, ev.PromptFinished, None, asking.ask_question, S.PROMPTING),
    Row(S.GREETING, ev.TimerExpired, None, asking.ask_question, S.PROMPTING),
    *_ignored((S.GREETING,), ev.SpeechStarted, ev.UtteranceEnded),
    # prompting
    Row(S.PROMPTING, ev.PromptFinished, None, nothing, S.LISTENING),
    Row(S.PROMPTING, ev.TimerExpired, None, nothing, S.LISTENING),
    Row(S.PROMPTING, ev.SpeechStarted, asking.may_interrupt, asking.note_speaking, S.LISTENING),
    Row(S.PROMPTING, ev.SpeechStarted, None, nothing, None),
    *_ignored((S.PROMPTING,), ev.UtteranceEnded),
    # listening
    Row(S.LISTENING, ev.SpeechStarted, None, asking.speech_in_turn, None),
    Row(S.LISTENING, ev.UtteranceEnded, None, nothing, S.DECIDING),
    Row(S.LISTENING, ev.TimerExpired, asking.is_speaking, nothing, S.DECIDING),
    Row(
        S.LISTENING,
        ev.TimerExpired,
        asking.may_ask_again_after_silence,
        asking.ask_again_after_silence,
        S.PROMPTING,
    ),
    Row(S.LISTENING, ev.TimerExpired, None, asking.offer_menu_after_silence, S.MENU),
    # deciding
    Row(S.DECIDING, ev.ThemaRanked, asking.menu_decides, asking.decide_on_paper, S.MENU),
    *(
        Row(S.DECIDING, ev.ThemaRanked, None, do, to, action)
        for action, do, to in (
            (DecisionAction.ROUTE, asking.decide_route, S.ANNOUNCING),
            (DecisionAction.CONFIRM, asking.decide_confirm, S.CONFIRMING),
            (DecisionAction.CHOOSE, asking.decide_choose, S.MENU),
            (DecisionAction.REPEAT, asking.decide_repeat, S.PROMPTING),
            (DecisionAction.HUMAN, asking.decide_human, S.ANNOUNCING),
        )
    ),
    Row(S.DECIDING, ev.RecognitionFailed, None, asking.forget_ranking, S.MENU),
    Row(S.DECIDING, ev.TimerExpired, None, asking.forget_ranking, S.MENU),
    *_ignored((S.DECIDING,), ev.SpeechStarted, ev.UtteranceEnded),
    # confirming
    Row(S.CONFIRMING, ev.PromptFinished, None, choosing.wait_for_answer, None),
    Row(S.CONFIRMING, ev.SpeechStarted, None, choosing.speech_in_confirmation, None),
    Row(
        S.CONFIRMING,
        ev.UtteranceEnded,
        choosing.not_recognising,
        choosing.recognise_answer,
        None,
    ),
    Row(S.CONFIRMING, ev.UtteranceEnded, None, nothing, None),
    *(
        row
        for event in (ev.Digit, ev.AnswerHeard)
        for row in (
            Row(S.CONFIRMING, event, choosing.says_yes, choosing.take_proposal, S.ANNOUNCING),
            Row(
                S.CONFIRMING,
                event,
                choosing.says_no,
                choosing.drop_proposal_and_ask_again,
                S.PROMPTING,
                DecisionAction.REPEAT,
            ),
            Row(S.CONFIRMING, event, choosing.says_no, choosing.drop_proposal, S.MENU),
        )
    ),
    Row(S.CONFIRMING, ev.Digit, choosing.wants_human, choosing.to_human, S.ANNOUNCING),
    Row(S.CONFIRMING, ev.Digit, None, choosing.keep_ranking, S.MENU),
    Row(S.CONFIRMING, ev.AnswerHeard, None, choosing.keep_ranking, S.MENU),
    Row(S.CONFIRMING, ev.RecognitionFailed, None, choosing.keep_ranking, S.MENU),
    Row(S.CONFIRMING, ev.TimerExpired, None, choosing.keep_ranking, S.MENU),
    # keys while asking: a human at once; any other key asks for the menu
    *_each(_ASKING, ev.Digit, choosing.wants_human, choosing.to_human, S.ANNOUNCING),
    *_each(_ASKING, ev.Digit, None, asking.forget_ranking, S.MENU),
    # menu
    Row(S.MENU, ev.Digit, choosing.wants_human, choosing.to_human, S.ANNOUNCING),
    Row(S.MENU, ev.Digit, choosing.in_menu, choosing.take_choice, S.ANNOUNCING),
    Row(S.MENU, ev.Digit, choosing.may_replay, choosing.replay_menu, S.MENU),
    Row(S.MENU, ev.Digit, None, choosing.to_human, S.ANNOUNCING),
    Row(S.MENU, ev.PromptFinished, None, choosing.wait_for_key, None),
    Row(S.MENU, ev.TimerExpired, choosing.may_replay_after_silence, choosing.replay_menu, S.MENU),
    Row(S.MENU, ev.TimerExpired, None, choosing.to_human, S.ANNOUNCING),
    *_ignored((S.MENU,), ev.SpeechStarted, ev.UtteranceEnded),
    # whatever happens before a transfer
    *_each(_BEFORE_TRANSFER, ev.CallLimitReached, None, choosing.to_human, S.ANNOUNCING),
    *_each(_BEFORE_TRANSFER, ev.ComponentFailed, None, choosing.to_human, S.ANNOUNCING),
    *_each(_BEFORE_TRANSFER, ev.CallerHungUp, None, ending.end_abandoned, S.ENDED),
    *_each(_MAY_LOSE_AUDIO, ev.MediaLost, None, asking.end_media_failed, S.ENDED),
    # announcing
    Row(S.ANNOUNCING, ev.PromptFinished, ending.has_attempt, nothing, S.TRANSFERRING),
    Row(S.ANNOUNCING, ev.PromptFinished, None, nothing, S.CLOSING),
    Row(S.ANNOUNCING, ev.TimerExpired, ending.has_attempt, nothing, S.TRANSFERRING),
    Row(S.ANNOUNCING, ev.TimerExpired, None, nothing, S.CLOSING),
    Row(S.ANNOUNCING, ev.ComponentFailed, ending.has_attempt, nothing, S.TRANSFERRING),
    Row(S.ANNOUNCING, ev.ComponentFailed, None, nothing, S.CLOSING),
    Row(S.ANNOUNCING, ev.Digit, ending.heading_elsewhere, choosing.to_human, S.ANNOUNCING),
    *_ignored((S.ANNOUNCING,), ev.Digit, ev.SpeechStarted, ev.UtteranceEnded, ev.CallLimitReached),
    # transferring
    Row(S.TRANSFERRING, ev.TransferAccepted, ending.is_current, ending.keep_waiting, None),
    Row(S.TRANSFERRING, ev.TransferSucceeded, ending.bridge_connected, ending.connect, S.BRIDGED),
    *(
        row
        for event in (ev.TransferFailed, ev.TimerExpired)
        for row in (
            Row(
                S.TRANSFERRING,
                event,
                ending.failed_and_same_group_left,
                ending.next_attempt,
                S.TRANSFERRING,
            ),
            Row(
                S.TRANSFERRING,
                event,
                ending.failed_and_other_group_left,
                ending.next_attempt,
                S.ANNOUNCING,
            ),
            Row(S.TRANSFERRING, event, ending.failed_for_good, ending.next_attempt, S.CLOSING),
        )
    ),
    *_ignored(
        (S.TRANSFERRING,),
        ev.Digit,
        ev.SpeechStarted,
        ev.UtteranceEnded,
        ev.MediaLost,
        ev.CallLimitReached,
        ev.ComponentFailed,
    ),
    # news of transfers, however late
    *_each(
        (S.ANNOUNCING, S.TRANSFERRING, S.CLOSING, S.CALLBACK),
        ev.TransferSucceeded,
        ending.reached_by_refer,
        ending.end_routed,
        S.ENDED,
    ),
    *_each(
        (S.ANNOUNCING, S.CLOSING, S.CALLBACK),
        ev.TransferSucceeded,
        ending.connected_late,
        ending.connect,
        S.BRIDGED,
    ),
    *_each(_AFTER_A_PLAN, ev.TransferFailed, None, ending.forget_failed, None),
    *_ignored(_AFTER_A_PLAN, ev.TransferAccepted, ev.TransferSucceeded),
    *_ignored((S.ANNOUNCING, S.TRANSFERRING, S.CLOSING, S.CALLBACK), ev.TargetHungUp),
    *_each(
        (S.ANNOUNCING, S.TRANSFERRING, S.CLOSING),
        ev.CallerHungUp,
        ending.transfer_accepted_before,
        ending.end_unconfirmed,
        S.ENDED,
    ),
    *_each((S.ANNOUNCING, S.TRANSFERRING), ev.CallerHungUp, None, ending.end_abandoned, S.ENDED),
    # bridged
    Row(S.BRIDGED, ev.CallerHungUp, None, ending.end_talked, S.ENDED),
    Row(S.BRIDGED, ev.TimerExpired, None, ending.end_talked, S.ENDED),
    Row(S.BRIDGED, ev.TargetHungUp, ending.of_the_bridge, ending.end_talked, S.ENDED),
    *_ignored(
        (S.BRIDGED,),
        ev.TargetHungUp,
        ev.Digit,
        ev.SpeechStarted,
        ev.UtteranceEnded,
        ev.MediaLost,
        ev.CallLimitReached,
        ev.ComponentFailed,
    ),
    # closed, closing, callback
    *_each((S.CLOSED, S.CLOSING), ev.Digit, ending.wants_callback, nothing, S.CALLBACK),
    *_each(
        (S.CLOSED, S.CLOSING), ev.PromptFinished, ending.can_call_back, choosing.wait_for_key, None
    ),
    *_each((S.CLOSED, S.CLOSING), ev.PromptFinished, None, ending.end_unrouted, S.ENDED),
    *_each((S.CLOSED, S.CLOSING), ev.TimerExpired, None, ending.end_unrouted, S.ENDED),
    *_each((S.CLOSED, S.CLOSING), ev.CallerHungUp, None, ending.end_left_closed, S.ENDED),
    Row(S.CALLBACK, ev.PromptFinished, None, ending.end_callback, S.ENDED),
    Row(S.CALLBACK, ev.TimerExpired, None, ending.end_callback, S.ENDED),
    Row(S.CALLBACK, ev.MediaLost, None, ending.end_callback, S.ENDED),
    Row(S.CALLBACK, ev.CallerHungUp, None, ending.end_callback_noted, S.ENDED),
    *_ignored(
        (S.CLOSED, S.CLOSING, S.CALLBACK),
        ev.Digit,
        ev.SpeechStarted,
        ev.UtteranceEnded,
        ev.CallLimitReached,
        ev.ComponentFailed,
    ),
    # ended: late news of a call that is over
    *_ignored(
        (S.ENDED,),
        ev.MediaReady,
        ev.Digit,
        ev.SpeechStarted,
        ev.UtteranceEnded,
        ev.CallerHungUp,
        ev.MediaLost,
        ev.CallLimitReached,
        ev.ComponentFailed,
        ev.TransferAccepted,
        ev.TransferSucceeded,
        ev.TransferFailed,
        ev.TargetHungUp,
    ),
    # a leg may report its audio again after a re-INVITE
    *_ignored((*_WITH_AUDIO, S.TRANSFERRING, S.BRIDGED), ev.MediaReady),
    # speech before we listen says nothing yet
    *_ignored((S.ANSWERING,), ev.SpeechStarted, ev.UtteranceEnded),
)


def _index() -> Mapping[tuple[CallState, type[Event]], tuple[Row, ...]]:
    found: dict[tuple[CallState, type[Event]], list[Row]] = {}
    for row in TABLE:
        found.setdefault((row.state, row.event), []).append(row)
    return MappingProxyType({key: tuple(rows) for key, rows in found.items()})


_INDEX = _index()


def rows_for(state: CallState, event: type[Event]) -> tuple[Row, ...]:
    """Return the rows of this pair, in the order in which they are tried; may be empty."""
    return _INDEX.get((state, event), ())
