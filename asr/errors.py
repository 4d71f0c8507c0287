"""What can go wrong between audio and text.

AsrError
├── ModelMissingError        the folder is not there, or is not a model
├── ModelDamagedError        a file of the model is not what its checksum says
├── EngineUnavailableError   the engine's library is not installed
├── ManifestError            a list of models to install is not one
├── ModelInstallError        a model cannot be fetched, checked, unpacked or put in its place
│   └── ModelRefusedError    what was given or fetched can never be used
├── AudioUnreadableError     the file is not audio that we can read
└── RecogniserFailedError    the engine broke while it was listening

No message ever holds a caller's words.
"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar


class AsrError(Exception):
    """Base of every error of this package.

    Attributes:
        code: Stable and machine-readable; the metric label. Never rename one.
    """

    code: ClassVar[str] = "asr"


class ModelMissingError(AsrError):
    """The model folder, or a file that every model of its kind has, is not there.

    Another engine's model may be there instead; the reason says so.
    """

    code = "asr_model_missing"

    def __init__(self, path: Path, remedy: str, reason: str = "no speech model here") -> None:
        self.path = path
        self.reason = reason
        self.remedy = remedy
        super().__init__(f"{path}: {reason}; {remedy}")


class ModelDamagedError(AsrError):
    """A file of the model is unreadable or differs from its checksum."""

    code = "asr_model_damaged"

    def __init__(self, path: Path, reason: str, remedy: str) -> None:
        self.path = path
        self.reason = reason
        self.remedy = remedy
        super().__init__(f"{path}: {reason}; {remedy}")


class EngineUnavailableError(AsrError):
    """The engine is unknown, or its library is not installed."""

    code = "asr_engine_unavailable"

    def __init__(self, engine: str, reason: str, remedy: str) -> None:
        self.engine = engine
        self.reason = reason
        self.remedy = remedy
        super().__init__(f"speech engine {engine!r}: {reason}; {remedy}")


class ManifestError(AsrError):
    """A list of models that can be installed is unreadable, or not one."""

    code = "asr_manifest"

    def __init__(self, path: Path, reason: str, remedy: str) -> None:
        self.path = path
        self.reason = reason
        self.remedy = remedy
        super().__init__(f"{path}: {reason}; {remedy}")


class ModelInstallError(AsrError):
    """A model cannot be fetched, checked, unpacked or put in its place.

    ``what`` is the address (without user and password), the file or the model's name.
    """

    code = "asr_model_install"

    def __init__(self, what: str, reason: str, remedy: str) -> None:
        self.what = what
        self.reason = reason
        self.remedy = remedy
        super().__init__(f"{what}: {reason}; {remedy}")


class ModelRefusedError(ModelInstallError):
    """What was given or fetched is damaged, harmful or no such model: it can never be used."""

    code = "asr_model_refused"


class AudioUnreadableError(AsrError):
    """The file is absent, empty, cut short or not audio."""

    code = "asr_audio_unreadable"

    def __init__(self, file: Path, reason: str, remedy: str) -> None:
        self.file = file
        self.reason = reason
        self.remedy = remedy
        super().__init__(f"{file}: {reason}; {remedy}")


class RecogniserFailedError(AsrError):
    """The engine broke; the caller goes to the keuzemenu."""

    code = "asr_recogniser_failed"

    def __init__(self, engine: str, reason: str) -> None:
        self.engine = engine
        self.reason = reason
        super().__init__(f"speech engine {engine!r}: {reason}")
