"""Everything that decides what the recipe makes: sizes, seeds and folders."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
SHARED_DATA = REPOSITORY.parent / "shared" / "data"
"""Where our own checkout keeps texts, recordings and noise; any folder of that form will do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """One run of the recipe.

    Attributes:
        data_dir: Folder with ``text``, ``speech`` and ``noise``.
        work_dir: Where intermediate files go; may be deleted afterwards.
        model_dir: The vosk folder to write.
        seed: Of every random choice.
        caller_utterances: Utterances spoken by espeak-ng.
        held_out_utterances: Further ones, with voices and sentences kept from training.
        foreign_utterances: Utterances in other languages, for the garbage phone.
        noise_utterances: Utterances without speech.
        vocoder_copies: Times that each human utterance passes the WORLD vocoder.
        width: Channels of the network.
        caller_epochs: Passes over the callers alone.
        epochs: Passes over callers and people, after those.
        settling_epochs: Passes over ordinary lines and diverse speakers at the end.
        unseen_epochs: Instead of ``epochs``, when a speaker is left out to be measured.
        caller_share: How often each of these passes hears a caller's utterance.
        human_share: Likewise a recording; 2 for twice, over two lines.
        voice_share: Likewise a vocoder copy.
        settling_human_share: Of a recording, in the passes at the end.
        settling_voice_share: Of a vocoder copy, in those.
        calibration_utterances: Of each kind, to calibrate confidences with; 0 leaves that out.
        measured_utterances: Callers of each condition on the card; 0 leaves measuring out.
        vocabulary: Words in the recogniser, most useful first.
        threads: CPU threads of the training; as many processes prepare sound beside it.
    """

    data_dir: Path = SHARED_DATA
    work_dir: Path = REPOSITORY / "build" / "asr-training"
    model_dir: Path = REPOSITORY / "models" / "asr-nl-8k"
    seed: int = 1700
    caller_utterances: int = 10000
    held_out_utterances: int = 300
    foreign_utterances: int = 500
    noise_utterances: int = 300
    vocoder_copies: int = 6
    width: int = 352
    caller_epochs: int = 8
    epochs: int = 32
    settling_epochs: int = 6
    unseen_epochs: int = 16
    caller_share: float = 0.35
    human_share: float = 1.5
    voice_share: float = 0.45
    settling_human_share: float = 2.0
    settling_voice_share: float = 0.45
    calibration_utterances: int = 60
    measured_utterances: int = 150
    vocabulary: int = 26000
    threads: int = 1
