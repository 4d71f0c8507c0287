"""How long callers are kept, by the recordings and the waits that they get by default."""

from __future__ import annotations

from pathlib import Path

import soundfile

from intent.catalogue import load_catalogue
from ivr.call import actions as act
from ivr.call import events as ev
from ivr.call.machine import CallMachine
from ivr.call.prompts import Prompt
from ivr.call.states import CallState
from ivr.config.lines import LineSection
from ivr.config.schema import Config
from ivr.files.embedded import embedded_dir
from ivr.lines.rules import call_rules
from ivr.prompts.book import PromptBook

SILENT_SECONDS = 60.0


def test_silent_caller_is_put_through_within_a_minute(tmp_path: Path) -> None:
    """
    Everything that is said and waited for, from the answer to the general group's announcement.
    """
    book = PromptBook(None, tmp_path)
    catalogue = load_catalogue(embedded_dir("training_data"))
    machine = CallMachine(call_rules(Config(), catalogue, LineSection()))
    machine.handle(ev.Offered(admission=ev.Admission.ADMITTED, open=True, can_call_back=False))
    actions, seconds, heard = machine.handle(ev.MediaReady()), 0.0, [Prompt.NOTICE]
    while Prompt.ANNOUNCE_GENERAL not in heard:
        assert machine.state is not CallState.ENDED
        spoken = [p for a in actions if isinstance(a, act.PlayPrompt) for p in a.prompts]
        if spoken:
            heard += [prompt.prompt for prompt in spoken]
            seconds += sum(soundfile.info(wav).duration for p in spoken for wav in book.wavs(p))
            actions = machine.handle(ev.PromptFinished(epoch=machine.epoch))
        else:
            waits = [action.seconds for action in actions if isinstance(action, act.StartTimer)]
            seconds += waits[-1]
            actions = machine.handle(ev.TimerExpired(epoch=machine.epoch))

    assert Prompt.KEUZEMENU in heard
    assert seconds <= SILENT_SECONDS
