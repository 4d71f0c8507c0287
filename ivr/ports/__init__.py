"""What the engine needs from the outside, as Protocols, and what it is told, as plain data.

One file a neighbour: telephony, audio, recognition, prompts, the register, and whoever counts.
The engine and the adapters know this room and not each other, but that the engine writes and reads
recordings itself, by ``ivr.audio.recording``. Three rooms above know pieces of adapters: ``lines``
how numbers are written and hours are spoken, ``monitoring`` what the audio core and the contact
writer count, ``demo`` the SIP library, the register and the sound for its own caller and contact
centre.

Threads: a leg's listener, and who is told of a new call, are called on the asyncio loop's thread;
a sink of :meth:`Ears.attend` and audio events come on the audio thread, what a
:class:`TurnListener` is told on any. A leg's commands are called from the loop's thread only;
:meth:`TurnRecogniser.feed` from the audio thread; what else may be called from any thread says so
itself. Every command returns at once and never blocks on the network, but for the start and the
stop of telephony.
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
