"""Arguments of ``transcribe``, ``classify``, ``evaluate`` and ``train``."""

from __future__ import annotations

import argparse
from pathlib import Path

from ivr.commands.arguments import (
    Commands,
    add_catalogue,
    add_command,
    add_home,
    add_models_folder,
    models_folder,
)


def add_text_commands(commands: Commands) -> None:
    """Add them."""
    transcribe = add_command(commands, "transcribe", _transcribe, "recordings to text")
    transcribe.add_argument("files", nargs="+", type=Path, metavar="FILE")
    transcribe.add_argument("--engine", default=None, help="default: the model's, else vosk")
    transcribe.add_argument(
        "--model", metavar="NAME|DIR", help="an installed model or a folder; default: embedded"
    )
    transcribe.add_argument("--json", action="store_true", help="one JSON object a line")
    add_models_folder(transcribe)

    classify = add_command(commands, "classify", _classify, "text to thema, one JSON object a line")
    classify.add_argument("text", nargs="*", metavar="TEXT", help="standard input when absent")
    classify.add_argument(
        "--jsonl",
        action="store_true",
        help='lines of standard input are JSON objects with "text" and perhaps "confidence"',
    )
    add_catalogue(classify)
    add_home(classify)

    evaluate = add_command(
        commands, "evaluate", _evaluate, "measure the classifier on labelled text"
    )
    evaluate.add_argument("--data", type=Path, required=True, metavar="FILE.tsv")
    evaluate.add_argument("--json", action="store_true", help="one JSON object")
    add_catalogue(evaluate)
    add_home(evaluate)

    train = add_command(commands, "train", _train, "train a new version of the classifier")
    train.add_argument("--data", type=Path, metavar="DIR", help="default: the embedded data")
    train.add_argument("--out", type=Path, metavar="DIR", help="default: the home folder's models")
    train.add_argument("--seed", type=int, metavar="N")
    train.add_argument(
        "--embeddings", type=Path, metavar="DIR", help="sentence embedding model to learn from too"
    )
    add_home(train)


def _transcribe(options: argparse.Namespace) -> int:
    from ivr.commands.text_commands import transcribe

    return transcribe(
        options.files,
        options.engine,
        options.model,
        models_folder(options),
        json_output=options.json,
    )


def _classify(options: argparse.Namespace) -> int:
    from ivr.commands.text_commands import classify

    return classify(
        options.text, options.home, jsonl=options.jsonl, catalogue_dir=options.catalogue
    )


def _evaluate(options: argparse.Namespace) -> int:
    from ivr.commands.text_commands import evaluate

    return evaluate(
        options.data, options.home, json_output=options.json, catalogue_dir=options.catalogue
    )


def _train(options: argparse.Namespace) -> int:
    from ivr.commands.text_commands import train

    return train(
        options.data,
        options.out,
        options.home,
        options.seed,
        embeddings=options.embeddings,
    )
