"""Training from a data folder, on a slice small enough for a test."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from intent.catalogue import load_catalogue
from intent.classifier import TrainedClassifier
from intent.corpus import Corpus
from intent.dataset import read_training_rows
from intent.embeddings import Embedder
from intent.errors import CatalogueError, ModelError, TrainingDataError
from intent.evaluate import evaluate, threshold_decision
from intent.registry import Registry
from intent.storage import ARRAYS, CARD, EMBEDDING_NETWORK, EMBEDDING_VOCABULARY, SUMS, write_sums
from intent.training import ModelVersion, train
from ivr.call.rules import Costs

DATA = Path(__file__).parents[2] / "training_data"
EMBEDDED = Path(__file__).parents[2] / "models" / "intent-nl"
ROWS_PER_LABEL = 24

SURGE = """
[[themas]]
slug = "mantelmeeuw"
spoken = "de meeuwencheque"
description = "Tijdelijke cheque voor schade door meeuwen."
group = "algemeen"
expires = 2099-12-31
keywords = ["meeuwencheque", "cheque voor meeuwen", "schade door meeuwen", "meeuwenpremie"]
"""
SENTENCES = [
    "ik bel voor de meeuwencheque",
    "hoe vraag ik die cheque voor de meeuwen aan",
    "de meeuwen hebben mijn terras kapot gemaakt en daar zou een cheque voor zijn",
    "krijg ik geld voor schade door meeuwen",
    "wanneer wordt de meeuwencheque gestort",
]
CALLERS = [
    "goeiedag 't is over die cheque van de meeuwen",
    "ik heb gelezen van een meeuwencheque is dat voor iedereen",
    "meeuwen premie aan de kust hoe werkt dat",
    "mijn zonnepanelen zijn beschadigd door meeuwen en ik hoorde van een meeuwencheque",
]


@pytest.fixture(scope="module")
def slice_(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with the catalogue and a few families of each label."""
    folder = tmp_path_factory.mktemp("data")
    shutil.copy(DATA / "catalogue.toml", folder)
    labels = load_catalogue(DATA).labels
    rows = read_training_rows(DATA, labels)
    (folder / "utterances").mkdir()
    for label in labels:
        chosen = [r for r in rows if r.thema == label and r.split == "train" and not r.also]
        kept = chosen[:: max(1, len(chosen) // ROWS_PER_LABEL)][:ROWS_PER_LABEL]
        held = [r for r in rows if r.thema == label and r.split == "test"][:6]
        lines = [f"{r.text}\t{r.thema}\t{r.family}\t{r.split}\n" for r in (*kept, *held)]
        (folder / "utterances" / f"{label}.tsv").write_text(
            "text\tthema\tfamily\tsplit\n" + "".join(lines), encoding="utf-8"
        )
    return folder


@pytest.fixture(scope="module")
def trained(slice_: Path, tmp_path_factory: pytest.TempPathFactory) -> ModelVersion:
    return train(slice_, tmp_path_factory.mktemp("models"), folds=2)


PROCESSORS = {
    "without vector instructions": {
        "OPENBLAS_CORETYPE": "Nehalem",
        "OPENBLAS_NUM_THREADS": "1",
        "NPY_DISABLE_CPU_FEATURES": "X86_V3 X86_V4 AVX512_ICL AVX512_SPR",
        "GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX,-AVX2,-FMA,-FMA4",
        "PYTHONHASHSEED": "1",
    },
    "without AVX-512": {
        "OPENBLAS_CORETYPE": "Haswell",
        "OPENBLAS_NUM_THREADS": "2",
        "NPY_DISABLE_CPU_FEATURES": "X86_V4 AVX512_ICL AVX512_SPR",
        "PYTHONHASHSEED": "2",
    },
    "as it is": {"PYTHONHASHSEED": "3"},
}
"""What makes NumPy, BLAS and the C library compute as on an older processor; what the processor has
not, or a NumPy does not know, is passed over."""

TRAIN_AND_ASK = """
import sys
from pathlib import Path
from intent.catalogue import load_catalogue
from intent.classifier import TrainedClassifier
from intent.dataset import read_training_rows
from intent.training import train
data, out, repository = map(Path, sys.argv[1:])
version = train(data, out, folds=2)
catalogue = load_catalogue(repository)
classifier = TrainedClassifier.load(version.directory, catalogue)
print(version.version)
for row in read_training_rows(repository, catalogue.labels)[::20]:
    print(classifier.classify(row.text, confidence=0.7, alternatives=[(row.text[:20], 0.4)]))
"""


@pytest.fixture
def copy(slice_: Path, tmp_path: Path) -> Path:
    """A data folder of its own, to be edited."""
    folder = tmp_path / "data"
    shutil.copytree(slice_, folder)
    return folder


def test_same_seed_and_data_give_the_same_version(
    slice_: Path, trained: ModelVersion, tmp_path: Path
) -> None:
    """
    Training is reproducible to the octet, and tells how far it is.
    """
    told: list[float] = []

    again = train(slice_, tmp_path, folds=2, progress=lambda _what, share: told.append(share))

    assert trained.version == again.version
    assert sorted(told) == told
    assert (0.0, 1.0) == (told[0], told[-1])
    assert (trained.directory / ARRAYS).read_bytes() == (again.directory / ARRAYS).read_bytes()


def test_every_processor_makes_the_same_version(slice_: Path, tmp_path: Path) -> None:
    """
    Same version, same files, and the same answers to the last bit, whatever vector instructions
    and threads NumPy, BLAS and the C library use.
    """
    answers: dict[str, str] = {}
    sums: dict[str, bytes] = {}
    for name, settings in PROCESSORS.items():
        ran = subprocess.run(
            [sys.executable, "-c", TRAIN_AND_ASK, slice_, tmp_path / name, DATA],
            env={**os.environ, **settings},
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        assert 0 == ran.returncode, ran.stderr
        answers[name] = ran.stdout
        (file,) = (tmp_path / name).glob(f"*/{SUMS}")
        sums[name] = file.read_bytes()

    usual = answers["as it is"]
    assert usual.count("Ranked(") > 1000
    assert dict.fromkeys(PROCESSORS, usual) == answers
    assert dict.fromkeys(PROCESSORS, sums["as it is"]) == sums


def test_version_in_use_is_left_as_it_is(
    slice_: Path, trained: ModelVersion, tmp_path: Path
) -> None:
    """
    Training it once more, with another patch release of Python say, does not take it from the
    service; a damaged one is made again.
    """
    directory = tmp_path / trained.version
    shutil.copytree(trained.directory, directory)
    card = json.loads((directory / CARD).read_text(encoding="utf-8"))
    card["libraries"]["python"] = "3.11.0"
    (directory / CARD).write_text(json.dumps(card), encoding="utf-8")
    write_sums(directory)
    registry = Registry(tmp_path, EMBEDDED)
    registry.promote(trained.version)

    again = train(slice_, tmp_path, folds=2)

    assert "3.11.0" == again.card["libraries"]["python"]
    assert trained.version == registry.load().version

    (directory / ARRAYS).write_bytes(b"")
    again = train(slice_, tmp_path, folds=2)

    assert (trained.directory / SUMS).read_bytes() == (again.directory / SUMS).read_bytes()
    assert trained.card == again.card


def test_card_tells_what_the_version_is(trained: ModelVersion) -> None:
    """
    Fingerprint, scores per thema, confusion matrix, calibration curve and library versions.
    """
    card = json.loads((trained.directory / "model.json").read_text(encoding="utf-8"))

    assert {"numpy", "python", "scikit-learn", "scipy"} == set(card["libraries"])
    assert {64} == {len(card["data"][name]) for name in ("utterances", "catalogue", "files")}
    assert len(card["labels"]) == len(card["held_out"]["confusion"])
    assert set(card["labels"]) == set(card["held_out"]["per_label"])
    assert card["calibration"]["calibration_curve"]
    assert card["held_out"]["top1"] > 0.4


def test_new_thema_from_five_sentences(copy: Path, trained: ModelVersion, tmp_path: Path) -> None:
    """
    Two edited files and one training: its callers are routed, the others lose at most a point.
    """
    before = TrainedClassifier.load(trained.directory)
    catalogue = copy / "catalogue.toml"
    catalogue.write_text(catalogue.read_text(encoding="utf-8") + SURGE, encoding="utf-8")
    (copy / "utterances" / "mantelmeeuw.tsv").write_text(
        "text\tthema\n" + "".join(f"{s}\tmantelmeeuw\n" for s in SENTENCES), encoding="utf-8"
    )

    after = TrainedClassifier.load(train(copy, tmp_path / "models", folds=2).directory)

    assert ["mantelmeeuw"] * len(CALLERS) == [
        after.classify(said).ranking[0].thema for said in CALLERS
    ]
    held_out = [r for r in read_training_rows(DATA, before.labels) if r.split == "test"]
    decide = threshold_decision()
    old, new = (evaluate(which, held_out, decide, Costs()).top1 for which in (before, after))
    assert new >= old - 0.01


@pytest.mark.parametrize(
    ("file", "content", "error"),
    [
        ("utterances/energie.tsv", "text\tthema\nmeter\tenergy\n", TrainingDataError),
        ("utterances/energie.tsv", "text\n", TrainingDataError),
        ("utterances/energie.tsv", "text\tthema\na\tenergie\nb\tenergie\n", TrainingDataError),
        ("utterances/mens.tsv", b"\xff\xfe", TrainingDataError),
        ("lexicon/energy.txt", "meter\n", TrainingDataError),
        ("confusions.tsv", "geen tab\n", TrainingDataError),
        ("heard.tsv", "geen kop\n", TrainingDataError),
        ("catalogue.toml", "[[themas]]\n", CatalogueError),
        ("products/x.tsv", "thema\n", CatalogueError),
    ],
)
def test_bad_data_leaves_nothing_half_trained(
    copy: Path, tmp_path: Path, file: str, content: str | bytes, error: type[Exception]
) -> None:
    """
    The file is named, and no version, draft or pointer appears.
    """
    target = copy / file
    target.parent.mkdir(exist_ok=True)
    target.write_bytes(content.encode() if isinstance(content, str) else content)
    registry = Registry(tmp_path / "models", EMBEDDED)
    running = registry.current()

    with pytest.raises(error, match=Path(file).name.replace(".", r"\.")):
        train(copy, tmp_path / "models", folds=2)

    assert not (tmp_path / "models").exists() or not any((tmp_path / "models").iterdir())
    assert running == registry.current()


def test_version_carries_its_sentence_embeddings(slice_: Path, tmp_path: Path) -> None:
    """
    Trained on a real ONNX model, stored with it, loaded, and refused with any other.
    """
    from tests.unit.intent.tiny_encoder import write_encoder

    encoder = write_encoder(tmp_path / "encoder")
    version = train(slice_, tmp_path / "models", folds=2, embeddings=encoder)

    loaded = TrainedClassifier.load(version.directory)

    assert Embedder.load(encoder).digest == version.card["embeddings"]["sha256"]
    assert loaded.model.embedder is not None
    with_vectors = loaded.classify("mijn meter en mijn dak").ranking
    plain = TrainedClassifier(replace(loaded.model, embedder=None), "plain")
    assert with_vectors != plain.classify("mijn meter en mijn dak").ranking

    other = write_encoder(tmp_path / "other", seed=2)
    shutil.copy(other / "model.onnx", version.directory / EMBEDDING_NETWORK)
    with pytest.raises(ModelError, match="SHA-256") as changed:
        TrainedClassifier.load(version.directory)
    write_sums(version.directory)
    with pytest.raises(ModelError, match="trained on") as exchanged:
        TrainedClassifier.load(version.directory)
    (version.directory / EMBEDDING_VOCABULARY).unlink()
    with pytest.raises(ModelError, match=EMBEDDING_VOCABULARY) as lost:
        TrainedClassifier.load(version.directory)

    for caught in (changed, exchanged, lost):
        assert EMBEDDING_NETWORK in str(caught.value) or EMBEDDING_VOCABULARY in str(caught.value)
        assert "wegwijs train" in caught.value.remedy


def test_hot_swap_while_classifying(trained: ModelVersion, tmp_path: Path) -> None:
    """
    Calls go on classifying with the old model while the new one is promoted and loaded.
    """
    root = tmp_path / "intent-nl"
    shutil.copytree(trained.directory, root / trained.version)
    registry = Registry(root, EMBEDDED)
    old = registry.load()
    stop = threading.Event()
    seen: list[str] = []

    begun = threading.Event()

    def call() -> None:
        while not stop.is_set():
            seen.append(old.classify("mijn rijbewijs is kwijt").model)
            begun.set()

    caller = threading.Thread(target=call)
    caller.start()
    assert begun.wait(100)
    registry.promote(trained.version)
    new = registry.load()
    stop.set()
    caller.join(timeout=100)

    assert not caller.is_alive()
    assert {old.version} == set(seen)
    assert trained.version == new.version != old.version


def test_repository_data_is_sound() -> None:
    """
    The embedded training data loads: no contradiction, no family across the split, enough rows.
    """
    catalogue = load_catalogue(DATA)
    corpus = Corpus.read(DATA, catalogue)

    for label in catalogue.labels:
        assert sum(r.thema == label for r in corpus.rows) >= 150
        assert any(r.thema == label for r in corpus.held_out)
    texts = {r.text for r in corpus.train}
    assert not texts & {r.text for r in corpus.held_out}


def test_embedded_model_was_trained_on_the_repository(tmp_path: Path) -> None:
    """
    The model that ships keeps its own card, sums and labels in step with the catalogue.
    """
    classifier = TrainedClassifier.load(EMBEDDED, load_catalogue(DATA))

    assert set(load_catalogue(DATA).labels) == set(classifier.labels)
    assert Registry(tmp_path, EMBEDDED).show(classifier.version)["held_out"]["top1"] > 0.7
