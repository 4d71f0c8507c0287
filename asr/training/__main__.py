"""Make the embedded recogniser: ``python -m asr.training all``.

Steps: ``callers`` (espeak-ng speaks), ``humans`` (recordings and their vocoder copies), ``train``
(the network; goes on from its checkpoint), ``model`` (lexicon, language model, graphs, folder),
``calibrate`` (confidences), ``unseen`` (trains again without each speaker, to measure on them),
``card`` (measures the model, writes its card and checksums), ``all``. ``slice`` runs them on a
handful of sentences, to see that everything is installed; its model understands nothing, so it is
neither calibrated nor measured.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import subprocess
import sys
import time
from pathlib import Path

from asr.training.settings import Settings

STEPS = ("callers", "humans", "train", "model", "calibrate", "unseen", "card")
_MEASURE_TIMEOUT_SECONDS = 3600


def _arguments(arguments: list[str] | None) -> tuple[list[str], Settings]:
    plain = Settings()
    parser = argparse.ArgumentParser(
        prog="python -m asr.training",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("steps", nargs="+", choices=[*STEPS, "all", "slice"])
    parser.add_argument("--data", type=Path, default=plain.data_dir, help="texts, speech, noise")
    parser.add_argument("--work", type=Path, default=plain.work_dir, help="intermediate files")
    parser.add_argument("--model", type=Path, default=plain.model_dir, help="folder to write")
    parser.add_argument("--caller-epochs", type=int, default=plain.caller_epochs)
    parser.add_argument("--epochs", type=int, default=plain.epochs)
    parser.add_argument("--width", type=int, default=plain.width)
    parser.add_argument("--threads", type=int, default=plain.threads)
    parser.add_argument("--seed", type=int, default=plain.seed)
    parser.add_argument("--callers", type=int, default=plain.caller_utterances)
    options = parser.parse_args(arguments)
    settings = Settings(
        data_dir=options.data,
        work_dir=options.work,
        model_dir=options.model,
        caller_epochs=options.caller_epochs,
        epochs=options.epochs,
        width=options.width,
        threads=options.threads,
        seed=options.seed,
        caller_utterances=options.callers,
    )
    steps: list[str] = options.steps
    if "slice" in steps:
        settings = dataclasses.replace(
            settings,
            caller_utterances=40,
            held_out_utterances=8,
            foreign_utterances=8,
            noise_utterances=12,
            vocoder_copies=0,
            calibration_utterances=0,
            measured_utterances=0,
            width=32,
            caller_epochs=1,
            epochs=1,
            settling_epochs=1,
            vocabulary=1500,
        )
        if settings.model_dir == plain.model_dir:
            settings = dataclasses.replace(settings, model_dir=settings.work_dir / "slice-model")
    chosen = list(STEPS) if {"all", "slice"} & set(steps) else [s for s in STEPS if s in steps]
    return chosen, settings


def _in_own_process(module: str, *arguments: str) -> str:
    """Run a module that loads vosk, which must not meet another OpenFst; return its output."""
    done = subprocess.run(
        [sys.executable, "-m", module, *arguments],
        check=True, stdout=subprocess.PIPE, text=True, timeout=_MEASURE_TIMEOUT_SECONDS,
    )  # fmt: skip
    return done.stdout


def _measure(settings: Settings, model_dir: Path, callers: int) -> list[dict[str, object]]:
    (model_dir / "checksums.sha256").unlink(missing_ok=True)
    speech = settings.data_dir / "speech"
    told = _in_own_process(
        "asr.evaluate", "--json", "--by-speaker", "--model", str(model_dir),
        *(["--speech", str(speech)] if speech.is_dir() else []),
        "--callers", str(callers), "--seed", str(settings.seed),
    )  # fmt: skip
    return [json.loads(line) for line in told.splitlines()]


def _unseen(settings: Settings) -> None:
    from asr.training.unseen import remember, speakers, train_without

    if not settings.measured_utterances:
        return
    for speaker in speakers(settings):
        rows = _measure(settings, train_without(settings, speaker), 0)
        remember(settings, speaker, rows)


def _run(step: str, settings: Settings) -> None:
    # Imported here: the steps need different libraries, and torch takes seconds to load.
    if step == "callers":
        from asr.training.corpus import make_callers

        make_callers(settings)
    elif step == "humans":
        from asr.training.corpus import make_humans

        make_humans(settings)
    elif step == "train":
        from asr.training.train import train

        train(settings)
    elif step == "model":
        from asr.training.build import Tuning, build_model

        build_model(settings, Tuning(), settings.model_dir)
    elif step == "calibrate":
        if settings.calibration_utterances:
            _in_own_process(
                "asr.training.calibrate", str(settings.model_dir), str(settings.data_dir),
                str(settings.calibration_utterances), str(settings.seed),
            )  # fmt: skip
    elif step == "unseen":
        _unseen(settings)
    else:
        from asr.training.card import read_facts, write_card

        count = settings.measured_utterances
        results = _measure(settings, settings.model_dir, count) if count else []
        facts = read_facts(settings.work_dir)
        for rows in facts.get("unseen", {}).values():
            results.extend(rows)
        write_card(settings, facts, results, settings.model_dir)


def main(arguments: list[str] | None = None) -> int:
    """Run the steps in their order; returns the exit code."""
    steps, settings = _arguments(arguments)
    settings.work_dir.mkdir(parents=True, exist_ok=True)
    for step in steps:
        print(f"== {step}", flush=True)
        began = time.monotonic()
        try:
            _run(step, settings)
        except ImportError as error:
            print(f"{error}; run: pip install 'wegwijs[asr-training]'", file=sys.stderr)
            return 1
        except (OSError, ValueError, RuntimeError, subprocess.SubprocessError) as error:
            print(f"step {step} failed: {error}", file=sys.stderr)
            return 1
        print(f"== {step}: {time.monotonic() - began:.0f} s", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
