"""Whole calls through the engine, from the first ring to the record of their end."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ivr.call.prompts import Prompt
from ivr.call.rules import Mode, Pauses
from ivr.ports import DigitPressed, PlayStarted
from ivr.ports.records import (
    CallAnswered,
    CallOpened,
    DecisionTaken,
    StageMeasured,
    TransferTried,
    UtteranceHeard,
)
from tests.fakes.speech import ranking
from tests.unit.engine.stage import ENERGY, RULES, TAXES, VAGUE, bridged, stage, uri

MENU = "keuzemenu-belastingen-energie-mobiliteit-onderwijs"


def test_clear_question_reaches_its_group() -> None:
    """
    Greeting, question, transfer: and the record says all of it.
    """
    with stage() as s:
        leg = s.incoming()
        assert "listening" == s.state()

        s.say(leg, ENERGY)

        assert ["notice", "question", "announce-energie"] == s.heard(leg)
        assert [uri("energie")] == s.targets(leg)
        assert ("routed", "energie", "energie") == (
            s.end().outcome,
            s.end().thema,
            s.end().group,
        )
        assert [("routed", "transferred")] == s.observer.outcomes
        assert [] == s.observer.failures
        assert 1 == len(s.records(CallOpened)) == len(s.records(CallAnswered))
        utterance = s.records(UtteranceHeard)[0]
        assert (ENERGY, 1, "fake") == (utterance.transcript, utterance.number, utterance.recogniser)
        assert utterance.audio_seconds == pytest.approx(2.0)
        assert utterance.recording is not None
        decision = s.records(DecisionTaken)[0]
        assert ("route", "policy", "energie", 0.97, 1) == (
            decision.action,
            decision.decided_by,
            decision.thema,
            decision.probability,
            decision.utterance_number,
        )
        tried = s.records(TransferTried)[0]
        assert ("succeeded", 200, uri("energie")) == (tried.result, tried.sip_status, tried.target)


def test_transfer_carries_thema_and_call_id() -> None:
    """
    The voorlichter's screen can show what the call is about.
    """
    with stage() as s:
        leg = s.incoming()
        s.say(leg, ENERGY)
        headers = leg.commands[leg.names().index("transfer")].arguments["headers"]

        assert isinstance(headers, dict)
        assert "energie" == headers["X-Wegwijs-Thema"] == headers["X-Wegwijs-Groep"]
        assert s.end().call_id == headers["X-Wegwijs-Call-Id"]


def test_likely_question_is_confirmed() -> None:
    """
    A yes, spoken, routes; the turn that holds it is short and ends after a short pause.
    """
    with stage() as s:
        leg = s.incoming()
        s.say(leg, TAXES)
        assert "confirming" == s.state()
        assert Pauses().answer_ms == s.ears.attending[leg.slot].pause_ms

        s.say(leg, "ja hoor", seconds=0.5)

        assert [uri("belastingen")] == s.targets(leg)
        assert ["policy", "confirmation"] == [r.decided_by for r in s.records(DecisionTaken)]
        assert ["confirm", "route"] == [r.action for r in s.records(DecisionTaken)]


def test_answer_is_not_classified() -> None:
    """
    A yes or no is no question about a thema.
    """
    with stage() as s:
        leg = s.incoming()
        s.say(leg, TAXES)
        s.say(leg, "nee", seconds=0.5, partials=("nee",))

        assert "nee" not in s.classifier.asked
        s.hang_up(leg)


def test_refused_proposal_is_not_made_again() -> None:
    """
    After a no, the thema is neither proposed nor in the menu.
    """
    with stage() as s:
        leg = s.incoming()
        s.say(leg, TAXES)
        s.say(leg, "nee nee", seconds=0.5)

        assert "menu" == s.state()
        assert "belastingen" not in s.heard(leg)[-1]
        s.hang_up(leg)


@pytest.mark.parametrize("confidence", [0.05, 0.95])
def test_asking_again_depends_on_the_recogniser(confidence: float) -> None:
    """
    A vague question is asked again when it was badly heard, and gets the menu when it was not.
    """
    with stage() as s:
        leg = s.incoming()
        s.say(leg, VAGUE, confidence=confidence)

        assert ("example" in s.heard(leg)) is (confidence < 0.5)
        s.hang_up(leg)


def test_silent_caller_reaches_a_human() -> None:
    """
    Asked once more, offered the menu once, then put through: nobody is kept for nothing.
    """
    with stage() as s:
        leg = s.incoming()
        s.loop.pass_seconds(60.0)

        assert ["notice", "question", "no_input", MENU, "announce_general"] == s.heard(leg)
        assert [uri("algemeen")] == s.targets(leg)
        assert "routed" == s.end().outcome


def test_mumbling_is_asked_again_then_gets_the_menu() -> None:
    """
    Empty transcripts are no failure of ours: an example first, the busiest groups then.
    """
    with stage() as s:
        leg = s.incoming()
        s.say(leg, "")
        s.say(leg, "")

        assert ["notice", "question", "example", MENU] == s.heard(leg)
        assert ["repeat", "choose"] == [r.action for r in s.records(DecisionTaken)]
        s.hang_up(leg)


def test_keys_walk_the_menu() -> None:
    """
    A key while we ask brings the menu; a key in the menu routes, and the record says so.
    """
    with stage() as s:
        leg = s.incoming()
        leg.emit(DigitPressed("5"))
        s.loop.pass_seconds(0.1)
        assert "menu" == s.state()

        leg.emit(DigitPressed("3"))
        s.loop.pass_seconds(0.1)

        assert [uri("mobiliteit")] == s.targets(leg)
        assert "menu_routed" == s.end().outcome
        assert [("keypad", "mobiliteit")] == [
            (r.decided_by, r.thema) for r in s.records(DecisionTaken)
        ]


def test_key_heard_in_the_audio_counts() -> None:
    """
    A phone that sends its keys as tones is understood too.
    """
    with stage() as s:
        leg = s.incoming()
        s.ears.press(leg.slot, "0")
        s.loop.pass_seconds(0.1)

        assert [uri("algemeen")] == s.targets(leg)


def test_speech_interrupts_the_question() -> None:
    """
    Barge-in: the prompt stops, and what was said is understood from its first word.
    """
    with stage() as s:
        leg = s.incoming(prompts_end=False)
        leg.finish_playing()
        s.loop.pass_seconds(1.0)
        assert "prompting" == s.state()
        assert s.ears.attending[leg.slot].playing

        s.say(leg, ENERGY)

        assert "stop_playing" in leg.names()
        assert 16000 == s.speech.opened[0].samples
        leg.finish_playing()
        s.loop.pass_seconds(1.0)
        assert "routed" == s.end().outcome


def test_recording_notice_is_not_interrupted() -> None:
    """
    The law asks for it: speech over the notice changes nothing.
    """
    with stage() as s:
        leg = s.incoming(prompts_end=False)

        assert "greeting" == s.state()
        assert {} == s.ears.attending
        leg.finish_playing()
        s.loop.pass_seconds(0.1)
        assert "prompting" == s.state()
        s.hang_up(leg)


def test_pause_follows_certainty() -> None:
    """
    Two partials that agree on a route end the turn sooner than the usual pause would.
    """
    pauses = Pauses(settled_ms=300, usual_ms=700, unsettled_ms=900)
    with stage(pauses=pauses) as s:
        leg = s.incoming()
        s.classifier.known["zonnepanelen"] = ranking("energie", 0.96)
        s.classifier.known["zonnepanelen vraag"] = ranking("energie", 0.97)
        s.say(leg, ENERGY, partials=("zonnepanelen", "zonnepanelen vraag"))

        assert 300 == s.ears.pauses[-1]
        endpoint = next(r for r in s.records(StageMeasured) if r.stage == "endpoint")
        assert 0.3 <= endpoint.seconds <= 0.35


def test_undecided_caller_gets_time() -> None:
    """
    While nothing said points anywhere, the pause that ends the turn is longer.
    """
    with stage() as s:
        leg = s.incoming()
        s.say(leg, ENERGY, partials=("euh ja", "euh ja kijk"))

        assert Pauses().unsettled_ms == s.ears.pauses[-1]
        assert "routed" == s.end().outcome


@pytest.mark.parametrize("mode", [Mode.COLLECT, Mode.SHADOW])
def test_menu_decides_while_the_model_is_on_trial(mode: Mode) -> None:
    """
    The model's decision is kept in shadow, not in collect; the words are kept in both.
    """
    with stage(replace(RULES, mode=mode)) as s:
        leg = s.incoming()
        s.say(leg, ENERGY)
        assert MENU == s.heard(leg)[-1]
        leg.emit(DigitPressed("1"))
        s.loop.pass_seconds(0.1)

        assert [uri("belastingen")] == s.targets(leg)
        kept = [(r.decided_by, r.action) for r in s.records(DecisionTaken)]
        on_paper = [("shadow", "route")] if mode is Mode.SHADOW else []
        assert [*on_paper, ("keypad", "route")] == kept
        assert ENERGY == s.records(UtteranceHeard)[0].transcript
        assert mode.value == s.records(CallOpened)[0].mode


def test_missing_prompt_is_silence_not_the_end() -> None:
    """
    A recording that is not there costs its words only.
    """
    with stage() as s:
        s.prompts.missing = set(Prompt)
        leg = s.incoming()
        s.say(leg, ENERGY)

        assert [] == s.heard(leg)
        assert "routed" == s.end().outcome
        assert {"prompt"} == set(s.observer.failures)


def test_line_without_recordings_keeps_none() -> None:
    """
    The transcript is recorded, the voice is not written anywhere.
    """
    with stage(keeps_recordings=False) as s:
        leg = s.incoming()
        s.say(leg, ENERGY)

        assert [] == s.sink.jobs
        assert s.records(UtteranceHeard)[0].recording is None
        assert s.records(UtteranceHeard)[0].audio_seconds == pytest.approx(2.0)


def test_full_disk_loses_the_recording_not_the_record() -> None:
    """
    When the writer takes no more disk work, the record says that there is no recording.
    """
    with stage() as s:
        s.sink.takes_jobs = False
        leg = s.incoming()
        s.say(leg, ENERGY)

        assert s.records(UtteranceHeard)[0].recording is None
        assert ENERGY == s.records(UtteranceHeard)[0].transcript


def test_dead_air_is_measured_on_the_audio_clock() -> None:
    """
    From the caller's last energy to the first sample of our next prompt, once a turn.
    """
    with stage() as s:
        leg = s.incoming()
        leg.finishes_playing = False
        s.say(leg, TAXES)
        last_energy = 0.1 + 1.9
        leg.emit(PlayStarted(4, at_seconds=last_energy + 0.9))
        leg.emit(PlayStarted(4, at_seconds=last_energy + 5.0))
        s.loop.pass_seconds(0.1)
        measured = [r.seconds for r in s.records(StageMeasured) if r.stage == "dead_air"]

        assert 1 == len(measured)
        s.hang_up(leg)


def test_stages_of_a_turn_are_measured() -> None:
    """
    Endpoint, recognition and classification, under the number of the turn.
    """
    with stage() as s:
        leg = s.incoming()
        s.say(leg, TAXES)
        s.say(leg, "ja", seconds=0.5)
        stages = {(r.turn, r.stage) for r in s.records(StageMeasured)}

        assert {(1, "endpoint"), (1, "recognition"), (1, "classification")} <= stages
        assert (2, "recognition") in stages
        assert (2, "classification") not in stages


def test_bridged_call_is_a_conversation_until_somebody_hangs_up() -> None:
    """
    A bridge that connects is not the end; the caller's hanging up is.
    """
    with stage(bridged(RULES)) as s:
        leg = s.incoming()
        s.say(leg, ENERGY)
        assert "bridged" == s.state()
        s.loop.pass_seconds(1000.0)
        assert "bridged" == s.state()

        s.hang_up(leg)

        assert ("routed", "energie") == (s.end().outcome, s.end().group)
