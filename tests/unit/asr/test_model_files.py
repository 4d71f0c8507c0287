"""A model folder is whole, or the error says which file is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from asr.engines import load_engine
from asr.errors import EngineUnavailableError, ModelDamagedError, ModelMissingError
from asr.model_files.files import CHECKSUMS_FILE, verify_model, write_checksums


@pytest.fixture
def model(tmp_path: Path) -> Path:
    folder = tmp_path / "asr-test"
    (folder / "am").mkdir(parents=True)
    (folder / "am" / "final.mdl").write_bytes(b"weights")
    (folder / "words.txt").write_text("ja 1\n", encoding="utf-8")
    write_checksums(folder)
    return folder


def test_whole_model_has_a_short_name_of_its_own(model: Path) -> None:
    """
    The short checksum is the same each time and changes with the model.
    """
    before = verify_model(model, ("am/final.mdl",))

    assert before == verify_model(model, ("am/final.mdl",))
    (model / "words.txt").write_text("nee 1\n", encoding="utf-8")
    write_checksums(model)
    assert before != verify_model(model, ("am/final.mdl",))


def test_damaged_file_is_named_with_a_remedy(model: Path) -> None:
    """
    One octet that differs is found.
    """
    (model / "am" / "final.mdl").write_bytes(b"weightz")

    with pytest.raises(ModelDamagedError, match=r"final\.mdl: the file differs.*restore"):
        verify_model(model, ("am/final.mdl",))


def test_missing_file_is_named(model: Path) -> None:
    """
    A listed file that is gone is damage.
    """
    (model / "words.txt").unlink()

    with pytest.raises(ModelDamagedError, match=r"words\.txt: the file is missing"):
        verify_model(model, ("am/final.mdl",))


@pytest.mark.parametrize("line", ["nonsense", "0" * 64 + "  ../../secret", "0" * 64 + "  /secret"])
def test_strange_checksum_lines_are_refused(model: Path, line: str) -> None:
    """
    The list cannot make us read outside the folder.
    """
    (model / CHECKSUMS_FILE).write_text(line + "\n", encoding="utf-8")

    with pytest.raises(ModelDamagedError, match="line 1"):
        verify_model(model, ("am/final.mdl",))


def test_folder_that_is_no_model_says_so(tmp_path: Path) -> None:
    """
    Neither an absent folder nor an empty one is taken for a model.
    """
    with pytest.raises(ModelMissingError, match="the embedded model is used"):
        verify_model(tmp_path / "none", ("am/final.mdl",))
    with pytest.raises(ModelMissingError, match="holds no model of this engine"):
        verify_model(tmp_path, ("am/final.mdl",))


def test_unknown_engine_lists_those_that_exist() -> None:
    """
    A misspelt engine is told with the choices.
    """
    with pytest.raises(EngineUnavailableError, match=r"'vosc'.*choose one of: .*vosk"):
        load_engine("vosc")


@pytest.mark.parametrize(
    ("engine", "file", "kind"),
    [
        ("whisper", "am/final.mdl", "vosk"),
        ("vosk", "model.bin", "whisper"),
        ("vosk", "encoder.int8.onnx", "sherpa"),
    ],
)
def test_model_of_another_engine_says_whose_it_is(
    tmp_path: Path, engine: str, file: str, kind: str
) -> None:
    """
    With what to write, whether the engine that was asked for is installed or not.
    """
    (tmp_path / file).parent.mkdir(exist_ok=True)
    (tmp_path / file).write_bytes(b"model")

    words = f"this is a model for {kind}, not for {engine}; write --engine {kind}"
    with pytest.raises(ModelMissingError, match=words):
        load_engine(engine, tmp_path)


def test_foreign_folder_is_refused_by_vosk(tmp_path: Path) -> None:
    """
    A folder whose model vosk cannot read is damage, not a crash.
    """
    (tmp_path / "am").mkdir()
    (tmp_path / "am" / "final.mdl").write_bytes(b"this is no model")
    with pytest.raises(ModelDamagedError, match=r"mfcc\.conf: the file is missing"):
        load_engine("vosk", tmp_path)
    for name in ("conf/mfcc.conf", "graph/HCLG.fst", "graph/words.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("--sample-frequency=8000\n", encoding="ascii")

    with pytest.raises(ModelDamagedError, match="vosk does not load it"):
        load_engine("vosk", tmp_path)
