"""Writes one call's contact record, fact by fact, so that nothing waits for the call's end."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from asr.recogniser import Transcript
from ivr.audio import recording
from ivr.call.actions import End, RecordChoice
from ivr.call.policy import Decision, DecisionAction
from ivr.call.routing import Attempt
from ivr.engine.turn import Heard
from ivr.ports import CallerNumbers, EngineReading, Pcm, RecordingFolder, RecordSink, records


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """A turn of which there is a recording."""

    call_id: str
    number: int
    at: datetime.datetime
    path: Path


@dataclass(frozen=True, slots=True)
class _Turn:
    path: Path | None
    """None when there is no recording."""
    audio_seconds: float
    at: datetime.datetime


@dataclass(slots=True)
class _Open:
    attempt: Attempt
    started_at: datetime.datetime
    status: int | None = None


class CallRegister:
    """The contact record of one call. Not thread-safe; the call's thread only.

    Args:
        call_id: Our own random id.
        sink: The contact writer.
        folder: For recordings.
        numbers: Keeps callers' numbers.
        now: Aware wall-clock time.
        keeps_number: Whether the line stores the caller's number encrypted.
    """

    def __init__(
        self,
        call_id: str,
        sink: RecordSink,
        folder: RecordingFolder,
        numbers: CallerNumbers,
        now: Callable[[], datetime.datetime],
        *,
        keeps_number: bool,
    ) -> None:
        self.call_id = call_id
        self._sink = sink
        self._folder = folder
        self._numbers = numbers
        self._now = now
        self._keeps_number = keeps_number
        self._turns: dict[int, _Turn] = {}
        """Utterances of which nothing is known yet but their sound."""
        self._decisions = 0
        self._language = ""
        self._model = ""
        self._stages: set[tuple[int, str]] = set()
        self._open: dict[int, _Open] = {}
        self._status: int | None = None
        self._callback_number: bytes | None = None

    def opened(self, line: str, mode: str, *, number: str, sip_call_id: str) -> None:
        """The call rings."""
        try:
            caller_hash = self._numbers.hash(number)
            encrypted = self._numbers.encrypt(number) if self._keeps_number else None
        except ValueError:
            # Octets that are no text in any encoding: as good as withheld.
            caller_hash, encrypted = "", None
        self._sink.submit(
            records.CallOpened(
                call_id=self.call_id,
                started_at=self._now(),
                line=line,
                mode=mode,
                sip_call_id=sip_call_id,
                caller_hash=caller_hash,
                caller_encrypted=encrypted,
            )
        )

    def sip_ended(self, status: int) -> None:
        """The leg ends, or is refused, with this SIP status."""
        self._status = status

    def answered(self) -> None:
        """Audio flows."""
        self._sink.submit(records.CallAnswered(call_id=self.call_id, answered_at=self._now()))

    def stage(self, turn: int, stage: str, seconds: float) -> None:
        """A stage of a turn took so long.

        Raises:
            ValueError: The stage of this turn was told before.
        """
        if (turn, stage) in self._stages:
            raise ValueError(f"stage {stage} of turn {turn} was told before")
        self._stages.add((turn, stage))
        self._sink.submit(
            records.StageMeasured(call_id=self.call_id, turn=turn, stage=stage, seconds=seconds)
        )

    def utterance_recorded(self, number: int, pcm: Pcm | None, audio_seconds: float) -> None:
        """Write the sound of a turn.

        Args:
            number: Of the turn.
            pcm: Shape ``(n,)``, 8000 Hz mono; None when the line keeps no recordings.
            audio_seconds: Its length, kept or not.
        """
        at = self._now()
        kept: Path | None = None
        if pcm is not None and len(pcm):
            path = self._folder.recording_path(self.call_id, number, at)
            audio = pcm
            if self._sink.submit_job(lambda: _write(path, audio)):
                kept = path
        self._turns[number] = _Turn(kept, audio_seconds, at)
        # At once, so that a process that ends before it is understood leaves the caller's turn.
        self._sink.submit(
            records.UtteranceRecorded(
                call_id=self.call_id,
                number=number,
                at=at,
                audio_seconds=audio_seconds,
                recording=None if kept is None else self._folder.recording_reference(kept),
            )
        )

    def recording_of(self, number: int) -> Recorded | None:
        """The recording of an utterance that is not heard yet; None when there is none."""
        turn = self._turns[number]
        if turn.path is None:
            return None
        return Recorded(call_id=self.call_id, number=number, at=turn.at, path=turn.path)

    def once_written(self, work: Callable[[], object]) -> None:
        """Do this when the recordings so far are on the disk; not at all when too much waits."""
        self._sink.submit_job(work)

    def utterance_heard(self, heard: Heard) -> None:
        """What came of a turn whose sound was recorded."""
        number = heard.number
        turn = self._turns.pop(number)
        transcript = heard.transcript
        if heard.classification is not None:
            self._language = heard.classification.language
            self._model = heard.classification.model
        spoken = {} if transcript is None else _spoken(transcript)
        reference = None if turn.path is None else self._folder.recording_reference(turn.path)
        self._sink.submit(
            records.UtteranceHeard(
                call_id=self.call_id,
                number=number,
                at=turn.at,
                audio_seconds=turn.audio_seconds,
                recording=reference,
                failure=heard.failure,
                **spoken,
            )
        )
        if heard.other is not None:
            self._sink.submit(other_reading(self.call_id, number, turn.at, heard.other))

    def decided(self, decision: Decision, *, applied: bool, turn: int | None) -> None:
        """The policy decided on a turn, on paper or for real."""
        self._decisions += 1
        proposes = decision.action in (DecisionAction.ROUTE, DecisionAction.CONFIRM)
        thema = decision.thema or (decision.ranking[0].thema if decision.ranking else None)
        probability = next((r.probability for r in decision.ranking if r.thema == thema), None)
        self._sink.submit(
            records.DecisionTaken(
                call_id=self.call_id,
                number=self._decisions,
                at=self._now(),
                action=decision.action.value,
                decided_by="policy" if applied else "shadow",
                utterance_number=turn,
                thema=thema,
                group=None,
                probability=probability,
                ranking=tuple((r.thema, r.probability) for r in decision.ranking),
                costs=dict(decision.costs),
                policy_version="cost-1",
                model_version=self._model,
                language=self._language if proposes or decision.ranking else "",
            )
        )

    def chosen(self, choice: RecordChoice) -> None:
        """The caller, or a rule, decided."""
        self._decisions += 1
        self._sink.submit(
            records.DecisionTaken(
                call_id=self.call_id,
                number=self._decisions,
                at=self._now(),
                action=choice.action.value,
                decided_by=choice.decided_by,
                utterance_number=choice.turn,
                thema=choice.thema,
                group=choice.group,
            )
        )

    def transfer_started(self, attempt: Attempt) -> None:
        """An attempt begins."""
        self._open[attempt.number] = _Open(attempt, self._now())

    def transfer_status(self, number: int, status: int) -> None:
        """A SIP status was heard about an attempt."""
        if number in self._open:
            self._open[number].status = status

    def transfers_open(self) -> tuple[int, ...]:
        """Attempts without a result."""
        return tuple(self._open)

    def transfer_ended(self, number: int, result: str) -> records.TransferTried | None:
        """An attempt is over; None when it already was."""
        ended = self._open.pop(number, None)
        if ended is None:
            return None
        record = records.TransferTried(
            call_id=self.call_id,
            number=number,
            started_at=ended.started_at,
            group=ended.attempt.group,
            target=ended.attempt.target.uri,
            method=ended.attempt.target.method.value,
            result=result,
            sip_status=ended.status,
            seconds=max(0.0, (self._now() - ended.started_at).total_seconds()),
        )
        self._sink.submit(record)
        return record

    def callback_asked(self, number: str) -> None:
        """The caller asked to be called back; that needs the number."""
        self._callback_number = self._numbers.encrypt(number)

    def ended(self, end: End) -> None:
        """The call is over."""
        self._sink.submit(
            records.CallEnded(
                call_id=self.call_id,
                ended_at=self._now(),
                outcome=end.outcome,
                thema=end.thema,
                group=end.group,
                sip_status=self._status,
                caller_encrypted=self._callback_number,
            )
        )


def other_reading(
    call_id: str, number: int, at: datetime.datetime, reading: EngineReading
) -> records.OtherReadingHeard:
    """The record of what another engine heard in an utterance.

    Args:
        call_id: Of the call.
        number: Of the utterance.
        at: Of the utterance: the reading expires with the recording, whenever it was made.
        reading: What was heard.
    """
    spoken = {} if reading.transcript is None else _spoken(reading.transcript)
    return records.OtherReadingHeard(
        **{
            "call_id": call_id,
            "number": number,
            "heard_in": reading.heard_in,
            "at": at,
            "recogniser": reading.engine,
            "recogniser_version": reading.model,
            "seconds": reading.seconds,
            "failure": reading.failure,
            **spoken,
        }
    )


def _spoken(transcript: Transcript) -> dict[str, Any]:
    """The fields that every record of a transcript has."""
    return {
        "transcript": transcript.text,
        "confidence": transcript.confidence,
        "words": tuple(
            records.WordHeard(
                text=word.text,
                confidence=word.confidence,
                start_seconds=word.start_seconds,
                end_seconds=word.end_seconds,
            )
            for word in transcript.words
        ),
        "alternatives": tuple(reading.text for reading in transcript.alternatives),
        "recogniser": transcript.engine,
        "recogniser_version": transcript.model,
    }


def _write(path: Path, pcm: Pcm) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    recording.write(path, pcm)
