"""Which kind of speech model lies in a folder made for sherpa-onnx, and whether it is whole.

Everything is read from the files themselves, before any native library sees them: sherpa-onnx ends
the process when a model is not what it expects.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum, unique
from pathlib import Path

from asr.engines.onnx_files import OnnxFacts, read_onnx
from asr.errors import ModelDamagedError, ModelMissingError
from asr.model_files.files import verify_model

REMEDY = "install it again with: wegwijs models install NAME (parakeet-v3 for example)"
_LONGEST_TOKENS_OCTETS = 20_000_000
_BLANKS = ("<blk>", "<eps>", "<blank>")
_CHUNK_SECONDS = 0.01
"""One frame of every kind but T-one's."""


@unique
class Kind(StrEnum):
    """The kinds of model that the engine runs; the values name them in messages."""

    TRANSDUCER = "transducer"
    NEMO_TRANSDUCER = "nemo transducer"
    NEMO_CTC = "nemo ctc"
    ZIPFORMER_CTC = "zipformer ctc"
    WENET_CTC = "wenet ctc"
    TDNN_CTC = "tdnn ctc"
    WHISPER = "whisper"
    STREAMING_TRANSDUCER = "streaming transducer"
    STREAMING_ZIPFORMER_CTC = "streaming zipformer ctc"
    STREAMING_NEMO_CTC = "streaming nemo ctc"
    STREAMING_WENET_CTC = "streaming wenet ctc"
    STREAMING_T_ONE_CTC = "streaming t-one ctc"

    @property
    def is_streaming(self) -> bool:
        """It reads while the caller speaks."""
        return self.value.startswith("streaming")

    @property
    def is_ctc(self) -> bool:
        """It has a blank among its tokens and no confidences."""
        return self.value.endswith("ctc")


@dataclass(frozen=True, slots=True)
class SherpaModel:
    """A model folder, understood.

    Attributes:
        folder: The folder.
        checksum: Short checksum of the folder.
        kind: What it is.
        files: Encoder, decoder and joiner, or the one model.
        tokens: ``tokens.txt`` or the like.
        facts: Of the first of ``files``.
        sample_rate_hz: Of the audio it wants; a multiple of 8000.
        feature_dim: Bands of the features; 0 when the model computes its own.
        languages: Languages that its tokens name; 0 when they name none.
    """

    folder: Path
    checksum: str
    kind: Kind
    files: tuple[Path, ...]
    tokens: Path
    facts: OnnxFacts
    sample_rate_hz: int
    feature_dim: int
    languages: int

    @property
    def tail_seconds(self) -> float:
        """Quiet that must follow the last sample before a streaming model has read it."""
        if self.kind is Kind.STREAMING_T_ONE_CTC:
            # sherpa-onnx reads a piece of audio only when there is another one after it.
            return (self.delay_ms + 2 * self.facts.number("frame_length_ms", 300)) / 1000
        chunk = self.facts.number("T") or self.facts.number("window_size") or 67
        return chunk * _CHUNK_SECONDS + 0.2

    @property
    def time_factor(self) -> int:
        """What times of tokens are multiplied by: of a TDNN, sherpa-onnx counts 10 ms an output."""
        return self.facts.number("subsampling_factor", 1) if self.kind is Kind.TDNN_CTC else 1

    @property
    def delay_ms(self) -> int:
        """How much later than said a token's time is; a key of our own export."""
        return self.facts.number("delay_ms")


def read_model(folder: Path) -> SherpaModel:
    """Find out what is in a folder, and check it.

    Raises:
        ModelMissingError: There is no folder, or no speech model of a known kind in it.
        ModelDamagedError: A file is missing, cut short, foreign, or differs from its checksum.
    """
    if not folder.is_dir():
        raise ModelMissingError(folder, f"check the path, or {REMEDY}")
    roles = {role: _chosen(folder, role) for role in ("encoder", "decoder", "joiner", "")}
    first = roles["encoder"] or roles[""]
    if first is None:
        named = roles["decoder"] or roles["joiner"]
        if named is not None:
            raise ModelDamagedError(folder, "the file encoder*.onnx is missing", REMEDY)
        raise ModelMissingError(folder, f"it holds no .onnx file; {REMEDY}")
    checksum = verify_model(folder, (first.name,))
    tokens = _tokens_file(folder)
    facts = read_onnx(first, REMEDY)
    files: tuple[Path, ...] = (first,)
    if roles["encoder"] is None:
        kind = _one_file_kind(first, facts)
    else:
        kind, files = _encoder_kind(folder, facts, roles)
        for file in files[1:]:
            read_onnx(file, REMEDY)
    names = _read_tokens(tokens, kind)
    _check_size(tokens, kind, facts, len(names))
    return SherpaModel(
        folder=folder,
        checksum=checksum,
        kind=kind,
        files=files,
        tokens=tokens,
        facts=facts,
        sample_rate_hz=_sample_rate_hz(first, kind, facts),
        feature_dim=_feature_dim(kind, facts),
        languages=sum(1 for name in names if len(name) == 6 and name[:2] + name[-2:] == "<||>"),
    )


def _chosen(folder: Path, role: str) -> Path | None:
    """Return the file of a role, the 8-bit one before others; "" is for one-file models."""
    others = ("encoder", "decoder", "joiner")
    found = [
        path
        for path in folder.glob("*.onnx")
        if path.is_file()
        and (role in path.name if role else not any(other in path.name for other in others))
    ]
    return min(
        found,
        key=lambda path: ("int8" not in path.name, "fp16" in path.name, path.name),
        default=None,
    )


def _tokens_file(folder: Path) -> Path:
    found = sorted(folder.glob("*tokens.txt"), key=lambda path: (len(path.name), path.name))
    if not found:
        raise ModelDamagedError(folder / "tokens.txt", "the file is missing", REMEDY)
    return found[0]


def _encoder_kind(
    folder: Path, facts: OnnxFacts, roles: dict[str, Path | None]
) -> tuple[Kind, tuple[Path, ...]]:
    is_whisper = facts.metadata.get("model_type", "").startswith("whisper")
    wanted = ("encoder", "decoder") if is_whisper else ("encoder", "decoder", "joiner")
    files = tuple(file for file in (roles[role] for role in wanted) if file is not None)
    if len(files) < len(wanted):
        missing = next(role for role in wanted if roles[role] is None)
        raise ModelDamagedError(folder, f"the file {missing}*.onnx is missing", REMEDY)
    if is_whisper:
        return Kind.WHISPER, files
    if _streams(facts):
        return Kind.STREAMING_TRANSDUCER, files
    is_nemo = facts.metadata.get("model_type", "").startswith("EncDec")
    return (Kind.NEMO_TRANSDUCER if is_nemo else Kind.TRANSDUCER), files


def _streams(facts: OnnxFacts) -> bool:
    """Whether the encoder takes a piece of audio and its own memory."""
    return any(key in facts.metadata for key in ("decode_chunk_len", "window_size"))


def _one_file_kind(path: Path, facts: OnnxFacts) -> Kind:
    made = facts.metadata.get("model_type", "")
    if "state_dim" in facts.metadata and "frame_length_ms" in facts.metadata:
        return Kind.STREAMING_T_ONE_CTC
    if made.startswith("EncDec"):
        return Kind.STREAMING_NEMO_CTC if _streams(facts) else Kind.NEMO_CTC
    if made.startswith("zipformer2"):
        return Kind.STREAMING_ZIPFORMER_CTC if _streams(facts) else Kind.ZIPFORMER_CTC
    if made == "wenet_ctc" or "cnn_module_kernel" in facts.metadata:
        streaming = "cnn_module_kernel" in facts.metadata
        return Kind.STREAMING_WENET_CTC if streaming else Kind.WENET_CTC
    if made == "tdnn":
        return Kind.TDNN_CTC
    known = ", ".join(kind.value for kind in Kind)
    raise ModelMissingError(
        path,
        f"it is an ONNX model, but none of: {known}; choose another folder, or {REMEDY}",
    )


def _read_tokens(path: Path, kind: Kind) -> list[str]:
    """Return the names of the tokens; their numbers must be 0, 1, 2 and so on.

    Raises:
        ModelDamagedError: The file is not that.
    """
    try:
        if path.stat().st_size > _LONGEST_TOKENS_OCTETS:
            raise ModelDamagedError(path, "is too long for a list of tokens", REMEDY)
        lines = path.read_text(encoding="utf-8").split("\n")
    except UnicodeDecodeError:
        raise ModelDamagedError(path, "is no list of tokens", REMEDY) from None
    names: dict[int, str] = {}
    for place, line in enumerate(_filled(lines), 1):
        # A line with a number only is the token of the space.
        name, _, number = line.rstrip().rpartition(" ")
        if not number.isascii() or not number.isdigit() or " " in name.strip():
            raise ModelDamagedError(path, f"line {place} is not 'token number'", REMEDY)
        names[int(number)] = name
    if not names or sorted(names) != list(range(len(names))):
        raise ModelDamagedError(path, "its numbers are not 0, 1, 2 and so on", REMEDY)
    if kind.is_ctc and not any(blank in names.values() for blank in _BLANKS):
        raise ModelDamagedError(path, f"has none of {', '.join(_BLANKS)}", REMEDY)
    return [names[number] for number in range(len(names))]


def _filled(lines: list[str]) -> Iterator[str]:
    return (line for line in lines if line.strip())


def _check_size(tokens: Path, kind: Kind, facts: OnnxFacts, count: int) -> None:
    """Compare the tokens with the outputs of the model: a token without name would end a call."""
    shape = next(iter(facts.outputs.values()))
    outputs = shape[-1] if kind.is_ctc and shape else 0
    least = 0 if kind is Kind.WHISPER else facts.number("vocab_size")
    if (outputs and count != outputs) or count < least:
        raise ModelDamagedError(
            tokens, f"has {count} tokens, the model has {outputs or least}", REMEDY
        )


def _sample_rate_hz(path: Path, kind: Kind, facts: OnnxFacts) -> int:
    rate_hz = facts.number("sample_rate", 8000 if kind is Kind.TDNN_CTC else 16000)
    if rate_hz not in (8000, 16000, 24000, 48000):
        raise ModelDamagedError(
            path, f"its sample rate, {rate_hz} Hz, cannot be made from 8000 Hz", REMEDY
        )
    return rate_hz


def _feature_dim(kind: Kind, facts: OnnxFacts) -> int:
    """Read the number of bands from the shape of the first input."""
    if kind in (Kind.STREAMING_T_ONE_CTC, Kind.WHISPER):
        return 0
    shape = next(iter(facts.inputs.values()), ())
    is_bands_first = kind in (Kind.NEMO_TRANSDUCER, Kind.NEMO_CTC, Kind.STREAMING_NEMO_CTC) or (
        kind is Kind.STREAMING_TRANSDUCER and "window_size" in facts.metadata
    )
    bands = shape[1 if is_bands_first else 2] if len(shape) == 3 else 0
    return bands or facts.number("feat_dim") or facts.number("feature_dim", 80)
