"""What the engine needs from the outside, as Protocols, and what it is told, as plain data.

One file a neighbour: telephony, audio, recognition, prompts, the register, and whoever counts.
The engine and the adapters know this room and not each other.

Threads: every listener is called on the asyncio loop's thread; every command may be called from
that thread only, returns at once and never blocks on the network. Exceptions say so themselves.
"""

from ivr.ports.audio import (
    AudioEvent,
    Ears,
    FramesDropped,
    InbandDigit,
    Pcm,
    SpeechStarted,
    UtteranceEnded,
)
from ivr.ports.observer import Observer
from ivr.ports.prompts import Prompts
from ivr.ports.recognition import (
    EngineReading,
    Recognised,
    Recognition,
    TurnListener,
    TurnRecogniser,
)
from ivr.ports.register import CallerNumbers, RecordingFolder, RecordSink
from ivr.ports.telephony import (
    DigitPressed,
    HungUp,
    Leg,
    LegEvent,
    MediaLost,
    MediaReady,
    PlayFinished,
    PlayStarted,
    TargetHungUp,
    Telephony,
    TransferMethod,
    TransferProgress,
)

__all__ = [
    "AudioEvent",
    "CallerNumbers",
    "DigitPressed",
    "Ears",
    "EngineReading",
    "FramesDropped",
    "HungUp",
    "InbandDigit",
    "Leg",
    "LegEvent",
    "MediaLost",
    "MediaReady",
    "Observer",
    "Pcm",
    "PlayFinished",
    "PlayStarted",
    "Prompts",
    "Recognised",
    "Recognition",
    "RecordSink",
    "RecordingFolder",
    "SpeechStarted",
    "TargetHungUp",
    "Telephony",
    "TransferMethod",
    "TransferProgress",
    "TurnListener",
    "TurnRecogniser",
    "UtteranceEnded",
]
