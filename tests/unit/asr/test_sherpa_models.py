"""What lies in a model folder is recognised, and what is wrong with it is told."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from asr.engines.sherpa_models import Kind, read_model
from asr.errors import AsrError, ModelDamagedError, ModelMissingError
from tests.unit.asr.tiny_onnx import (
    write_model,
    write_nemo_transducer,
    write_streaming_transducer,
    write_tokens,
)

TOKENS = ("<blk>", "▁ja", "▁nee", "n")
WENET = {"vocab_size": 4, "subsampling_factor": 4}


@pytest.mark.parametrize(
    ("metadata", "kind"),
    [
        ({"model_type": "tdnn", "vocab_size": 4}, Kind.TDNN_CTC),
        ({"model_type": "EncDecCTCModelBPE", "vocab_size": 3}, Kind.NEMO_CTC),
        (
            {"model_type": "EncDecCTCModel", "window_size": 105, "chunk_shift": 56},
            Kind.STREAMING_NEMO_CTC,
        ),
        ({"model_type": "zipformer2_ctc"}, Kind.ZIPFORMER_CTC),
        (
            {"model_type": "zipformer2", "decode_chunk_len": 32, "T": 45},
            Kind.STREAMING_ZIPFORMER_CTC,
        ),
        ({"model_type": "wenet_ctc", **WENET}, Kind.WENET_CTC),
        ({"cnn_module_kernel": 15, "head": 4, **WENET}, Kind.STREAMING_WENET_CTC),
        (
            {"frame_length_ms": 300, "state_dim": 10, "sample_rate": 8000},
            Kind.STREAMING_T_ONE_CTC,
        ),
    ],
)
def test_one_file_models_are_known_by_their_metadata(
    tmp_path: Path, metadata: dict[str, object], kind: Kind
) -> None:
    """
    The model says of itself what it is.
    """
    write_model(tmp_path / "model.onnx", metadata)
    write_tokens(tmp_path / "tokens.txt", TOKENS)

    assert kind is read_model(tmp_path).kind


@pytest.mark.parametrize(
    ("metadata", "kind"),
    [
        ({"model_type": "zipformer2", "decode_chunk_len": 64, "T": 77}, Kind.STREAMING_TRANSDUCER),
        ({"model_type": "zipformer2"}, Kind.TRANSDUCER),
        ({"model_type": "EncDecRNNTBPEModel", "window_size": 65}, Kind.STREAMING_TRANSDUCER),
        ({"model_type": "EncDecRNNTBPEModel", "vocab_size": 3}, Kind.NEMO_TRANSDUCER),
        ({"model_type": "whisper-tiny"}, Kind.WHISPER),
    ],
)
def test_encoders_are_known_by_their_metadata(
    tmp_path: Path, metadata: dict[str, object], kind: Kind
) -> None:
    """
    A model of several files is what its encoder says it is.
    """
    write_model(tmp_path / "tiny-encoder.onnx", metadata, inputs=(1, 80, 0))
    for role in ("decoder", "joiner"):
        write_model(tmp_path / f"tiny-{role}.onnx", {})
    write_tokens(tmp_path / "tiny-tokens.txt", TOKENS)

    found = read_model(tmp_path)

    assert kind is found.kind
    assert (2 if kind is Kind.WHISPER else 3) == len(found.files)


def test_eight_bit_files_are_preferred(tmp_path: Path) -> None:
    """
    Where a file is there with 8, 16 and 32 bits, the one with 8 is loaded.
    """
    write_streaming_transducer(tmp_path)
    for role in ("encoder", "joiner"):
        octets = (tmp_path / f"{role}-epoch-9.onnx").read_bytes()
        for bits in ("int8", "fp16"):
            (tmp_path / f"{role}-epoch-9.{bits}.onnx").write_bytes(octets)

    names = [file.name for file in read_model(tmp_path).files]

    wanted = ["encoder-epoch-9.int8.onnx", "decoder-epoch-9.onnx", "joiner-epoch-9.int8.onnx"]
    assert wanted == names


def test_rate_and_bands_come_from_the_model(tmp_path: Path) -> None:
    """
    The audio is made as the model wants it, whatever the usual values are.
    """
    write_model(
        tmp_path / "model.onnx",
        {"model_type": "EncDecCTCModelBPE", "sample_rate": 8000},
        inputs=(1, 128, 0),
    )
    write_tokens(tmp_path / "tokens.txt", TOKENS)

    found = read_model(tmp_path)

    assert (8000, 128) == (found.sample_rate_hz, found.feature_dim)


def _remove(name: str) -> Callable[[Path], object]:
    return lambda folder: (folder / name).unlink()


def _write(name: str, octets: bytes) -> Callable[[Path], object]:
    return lambda folder: (folder / name).write_bytes(octets)


def _cut(name: str, octets: int) -> Callable[[Path], object]:
    return lambda folder: (folder / name).write_bytes((folder / name).read_bytes()[:-octets])


ENCODER = "encoder.int8.onnx"


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (_remove("joiner.int8.onnx"), "joiner"),
        (_remove("decoder.int8.onnx"), "decoder"),
        (_remove(ENCODER), "encoder"),
        (_remove("tokens.txt"), "tokens.txt"),
        (_write(ENCODER, b""), "empty"),
        (_cut(ENCODER, 40), "no whole ONNX model"),
        (_cut("joiner.int8.onnx", 3), "no whole ONNX model"),
        (_write(ENCODER, b"hello world " * 90), "no whole ONNX model"),
        (_write(ENCODER, b"\x00" * 5000), "no whole ONNX model"),
        (_write("tokens.txt", b""), "0, 1, 2"),
        (_write("tokens.txt", b"a b c\nd e\n"), "line 1"),
        (_write("tokens.txt", bytes(range(256)) * 9), "no list of tokens"),
        (_write("tokens.txt", "<unk> 0\n▁goe 1\n▁dag 3\n".encode()), "0, 1, 2"),
        (_write("tokens.txt", b"<unk> 0\n<blk> 1\n"), "has 2 tokens, the model has 4"),
        (_write("checksums.sha256", b"0" * 64 + b"  tokens.txt\n"), "differs from its checksum"),
    ],
)
def test_damage_is_told_with_its_remedy(
    tmp_path: Path, damage: Callable[[Path], object], told: str
) -> None:
    """
    Missing, empty, cut, foreign: the file, what is wrong with it, and the command that helps.
    """
    write_nemo_transducer(tmp_path)
    damage(tmp_path)

    with pytest.raises(ModelDamagedError) as raised:
        read_model(tmp_path)

    assert told in str(raised.value)
    assert str(tmp_path) in str(raised.value)
    if "checksum" not in told:
        assert "wegwijs models install" in str(raised.value)


@pytest.mark.parametrize("content", ["nothing", "folder missing", "another model"])
def test_folder_without_speech_model_is_told(tmp_path: Path, content: str) -> None:
    """
    No folder, nothing of ours in it, or an ONNX model that is no speech model.
    """
    folder = tmp_path / "absent" if content == "folder missing" else tmp_path
    if content == "another model":
        write_model(folder / "model.onnx", {"model_type": "resnet"})
        write_tokens(folder / "tokens.txt", TOKENS)

    with pytest.raises(ModelMissingError, match="wegwijs models install"):
        read_model(folder)


def test_tokens_must_be_as_many_as_outputs(tmp_path: Path) -> None:
    """
    tokens.txt of another model would end a call with a token that has no name.
    """
    write_model(tmp_path / "model.onnx", {"model_type": "zipformer2_ctc"}, outputs=5)
    write_tokens(tmp_path / "tokens.txt", TOKENS)

    with pytest.raises(ModelDamagedError, match="has 4 tokens, the model has 5"):
        read_model(tmp_path)


def test_ctc_without_blank_is_refused(tmp_path: Path) -> None:
    """
    A token list without CTC's blank is not the model's.
    """
    write_model(tmp_path / "model.onnx", {"model_type": "zipformer2_ctc"}, outputs=2)
    write_tokens(tmp_path / "tokens.txt", ("a", "b"))

    with pytest.raises(ModelDamagedError, match="<blk>"):
        read_model(tmp_path)


def test_rate_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    """
    The telephone's 8000 Hz are only multiplied by whole numbers.
    """
    write_model(tmp_path / "model.onnx", {"model_type": "tdnn", "sample_rate": 22050})
    write_tokens(tmp_path / "tokens.txt", TOKENS)

    with pytest.raises(ModelDamagedError, match="22050 Hz"):
        read_model(tmp_path)


def test_weights_in_another_file_must_be_there(tmp_path: Path) -> None:
    """
    Large models keep their weights beside the graph; that file is missed at once, and its length.
    """
    import onnx

    write_nemo_transducer(tmp_path)
    model = onnx.load(str(tmp_path / ENCODER))
    weight = model.graph.initializer[0]
    weight.ClearField("raw_data")
    weight.data_location = onnx.TensorProto.EXTERNAL
    for key, value in (("location", "encoder.weights"), ("offset", "0"), ("length", "800")):
        entry = weight.external_data.add()
        entry.key, entry.value = key, value
    onnx.save(model, str(tmp_path / ENCODER))

    with pytest.raises(ModelDamagedError, match="in another file, which is missing"):
        read_model(tmp_path)
    (tmp_path / "encoder.weights").write_bytes(bytes(100))
    with pytest.raises(ModelDamagedError, match="cut short"):
        read_model(tmp_path)
    (tmp_path / "encoder.weights").write_bytes(bytes(800))
    assert Kind.NEMO_TRANSDUCER is read_model(tmp_path).kind


def test_any_cut_of_a_model_is_an_error_of_ours(tmp_path: Path) -> None:
    """
    Wherever the graph ends too early, reading raises an error of this package and nothing else.
    """
    write_nemo_transducer(tmp_path)
    whole = (tmp_path / ENCODER).read_bytes()
    for length in range(0, whole.index(b"model_type") - 4, 7):
        (tmp_path / ENCODER).write_bytes(whole[:length])

        with pytest.raises(AsrError):
            read_model(tmp_path)
