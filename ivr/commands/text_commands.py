"""Commands on text and recordings: transcribe, classify, evaluate, train."""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from asr.engines import DEFAULT_ENGINE, load_engine
from asr.errors import AsrError
from asr.models.store import resolve_model
from asr.transcribe import transcribe_file
from intent.catalogue import Catalogue, load_catalogue
from intent.classifier import Classification, TrainedClassifier
from intent.dataset import read_rows
from intent.errors import IntentError
from intent.evaluate import evaluate as measure
from intent.text import tokens
from intent.training import DEFAULT_SEED, ModelVersion
from intent.training import train as train_version
from ivr.call.policy import Decision
from ivr.call.rules import Costs
from ivr.errors import WegwijsError
from ivr.files.embedded import embedded_dir
from ivr.files.home import Home
from ivr.learning.catalogue_gaps import folder_setting
from ivr.learning.deciding import decider
from ivr.learning.model_versions import model_registry


class TextCommandError(WegwijsError):
    """A file, model or argument of a text command cannot be used."""

    code = "text_command"


def transcribe(
    files: Sequence[Path],
    engine: str | None,
    model: str | None,
    models: Path,
    *,
    json_output: bool,
) -> int:
    """Print what was said in each file; a file that cannot be read does not stop the others.

    Args:
        files: Recordings.
        engine: The model's own, else vosk, when None.
        model: Name of an installed one, or a folder; the embedded one when None.
        models: Folder of installed models.
        json_output: One JSON object a line.

    Returns:
        The exit code: 1 when a file could not be read.

    Raises:
        TextCommandError: The model cannot be used.
    """
    try:
        found = resolve_model(model, models)
        loaded = load_engine(engine or found.engine or DEFAULT_ENGINE, found.directory)
    except AsrError as error:
        raise TextCommandError(str(error)) from None
    failed = False
    try:
        for file in files:
            try:
                heard = transcribe_file(loaded, file)
            except AsrError as error:
                failed = True
                print(f"wegwijs: {error}", file=sys.stderr)
                continue
            if json_output:
                print(json.dumps(heard.as_json(), ensure_ascii=False), flush=True)
            else:
                print(f"{file}: {heard.text}  ({heard.confidence:.2f})", flush=True)
    finally:
        loaded.close()
    return 1 if failed else 0


def _loaded(home: Path, folder: Path | None) -> tuple[TrainedClassifier, Catalogue]:
    try:
        catalogue = load_catalogue(folder or embedded_dir("training_data"))
        return model_registry(Home(home)).load(catalogue), catalogue
    except IntentError as error:
        raise TextCommandError(str(error)) from None


def classify(
    texts: Sequence[str], home: Path, *, jsonl: bool, catalogue_dir: Path | None = None
) -> int:
    """Print one JSON object a text: text, thema, probability, ranking, decision, language.

    Of a text without words thema and probability are null.

    Args:
        texts: Those of standard input when there are none.
        home: Has the classifier's versions.
        jsonl: Lines of standard input are JSON objects.
        catalogue_dir: Folder of the catalogue; the embedded one when None.

    Returns:
        The exit code, 0.

    Raises:
        TextCommandError: Model, catalogue or input cannot be used.
    """
    classifier, catalogue = _loaded(home, catalogue_dir)
    decide = decider(catalogue, Costs())
    lines = _texts(texts, jsonl=jsonl)
    for text, confidence in lines:
        found = classifier.classify(text, confidence=confidence)
        decision = decide(found, confidence)
        print(json.dumps(_as_json(text, found, decision), ensure_ascii=False), flush=True)
    return 0


def _texts(texts: Sequence[str], *, jsonl: bool) -> Iterator[tuple[str, float]]:
    if texts:
        yield from ((_printable(text), 1.0) for text in texts)
        return
    # Bytes that are no UTF-8 must not end the run: they become a replacement character.
    for number, octets in enumerate(sys.stdin.buffer, start=1):
        line = octets.decode("utf-8", "replace").rstrip("\r\n")
        if not jsonl:
            yield line, 1.0
            continue
        try:
            row = json.loads(line)
            text = row["text"]
        except (ValueError, TypeError, KeyError, RecursionError):
            text = None
        if not isinstance(text, str):
            raise TextCommandError(
                f"standard input, line {number}: is not a JSON object with a text; "
                'write {"text": "..."}, or leave out --jsonl'
            )
        confidence = row.get("confidence", 1.0)
        # An integer may be too large to be asked whether it is a number.
        if not isinstance(confidence, int | float) or confidence != confidence:
            raise TextCommandError(
                f"standard input, line {number}: has a confidence that is no number from 0 to 1; "
                "correct it or leave it out"
            )
        yield _printable(text), float(min(1, max(0, confidence)))


def _printable(text: str) -> str:
    """Arguments that are no UTF-8, and JSON's escapes, hold surrogates, which nobody can print."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _as_json(text: str, found: Classification, decision: Decision) -> dict[str, Any]:
    best = found.ranking[0]
    # Without words the ranking is even, and its first thema is nobody's.
    is_said = bool(tokens(text))
    return {
        "text": text,
        "thema": best.thema if is_said else None,
        "probability": round(best.probability, 6) if is_said else None,
        "ranking": [
            {"thema": r.thema, "probability": round(r.probability, 6)} for r in found.ranking
        ],
        "decision": {
            "action": decision.action.value,
            "thema": decision.thema,
            "options": list(decision.options),
            "costs": dict(decision.costs),
        },
        "language": found.language,
        "product": None if found.product is None else found.product.name,
        "model": found.model,
    }


def evaluate(
    data: Path, home: Path, *, json_output: bool, catalogue_dir: Path | None = None
) -> int:
    """Measure the classifier in use, and the decisions on it, on a labelled file.

    Args:
        data: Columns ``text`` and ``thema``.
        home: Has the classifier's versions.
        json_output: One JSON object instead of tables.
        catalogue_dir: Folder of the catalogue; the embedded one when None.

    Returns:
        The exit code, 0.

    Raises:
        TextCommandError: Model, catalogue or file cannot be used.
    """
    classifier, catalogue = _loaded(home, catalogue_dir)
    try:
        rows = read_rows(data, catalogue.labels, other_columns=True, repeats=True)
    except IntentError as error:
        raise TextCommandError(str(error)) from None
    if not rows:
        raise TextCommandError(f"{data}: holds no rows; add lines below the header")
    report = measure(classifier, rows, decider(catalogue, Costs()), Costs(), catalogue=catalogue)
    if json_output:
        print(json.dumps(report.as_dict(), ensure_ascii=False))
    else:
        from ivr.commands.evaluation_table import print_report

        print_report(report, data)
    return 0


def train(
    data: Path | None,
    out: Path | None,
    home: Path,
    seed: int | None,
    *,
    embeddings: Path | None = None,
) -> int:
    """Train a version and say how to use it.

    Args:
        data: Folder to learn from; the embedded one when None.
        out: Folder for the version; the home folder's when None.
        home: Home folder.
        seed: Of chance; the usual one when None.
        embeddings: Folder of a sentence embedding model to learn from too.

    Returns:
        The exit code, 0.

    Raises:
        TextCommandError: The data cannot be used, or the folder cannot be written.
    """
    folder = Home(home)
    target = out if out is not None else folder.create().models / "intent-nl"
    try:
        # Before minutes of training, not after them.
        target.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target, prefix=".training-"):
            pass
    except OSError as error:
        raise TextCommandError(
            f"{target}: cannot be written to ({error.strerror}); name another folder with --out"
        ) from None
    shown = [""]

    def tell(what: str, share: float) -> None:
        if what != shown[0] or sys.stderr.isatty():
            shown[0] = what
            end = "\r" if share < 1.0 and sys.stderr.isatty() else "\n"
            print(f"{share:4.0%} {what:<40}", end=end, file=sys.stderr, flush=True)

    try:
        version = train_version(
            data or embedded_dir("training_data"),
            target,
            seed=DEFAULT_SEED if seed is None else seed,
            progress=tell,
            embeddings=embeddings,
        )
    except (IntentError, OSError) as error:
        raise TextCommandError(str(error)) from None
    print(f"{version.version} in {version.directory}")
    if out is None:
        print(f"use it with: wegwijs models promote {version.version}")
    if data is not None and _is_other_catalogue(version):
        print(f"and in the configuration, for its themas and products: {folder_setting(data)}")
    return 0


def _is_other_catalogue(version: ModelVersion) -> bool:
    """Whether a phone would not know by itself what the version was trained on."""
    embedded = load_catalogue(embedded_dir("training_data"))
    return bool(version.card["data"]["catalogue"] != embedded.fingerprint)
