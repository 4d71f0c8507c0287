"""The model's card: what it was made of, what it can do, what it cannot."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from asr.model_files.files import file_sha256, write_checksums
from asr.synthetic.sentences import UTTERANCES
from asr.training.domain_texts import FOLDER
from asr.training.settings import REPOSITORY, Settings

FACTS_FILE = "training.json"
TEMPLATE = FOLDER / "model_card.md"


def _fingerprint(paths: list[Path]) -> str:
    digest = hashlib.sha256()
    for path in sorted(paths):
        digest.update(file_sha256(path).encode())
    return digest.hexdigest()[:16]


def fingerprints(settings: Settings) -> dict[str, str]:
    """Return short hashes of everything that the model is made of."""
    data = settings.data_dir
    groups = {
        "recipe (asr/training, asr/synthetic)": [
            *sorted((REPOSITORY / "asr" / "training").glob("*.py")),
            *sorted((REPOSITORY / "asr" / "synthetic").glob("*.py")),
        ],
        "questions (training_data/utterances)": sorted(UTTERANCES.glob("*.tsv")),
        "phrases, corrections (training_data/asr)": sorted(set(FOLDER.iterdir()) - {TEMPLATE}),
        "texts (text/language, text/catalogue)": [
            *sorted((data / "text" / "language").glob("*")),
            *sorted((data / "text" / "catalogue").glob("*.jsonl")),
        ],
        "recordings (speech/utterances.tsv)": sorted((data / "speech").glob("utterances.tsv")),
        "noises and rooms (noise)": sorted((data / "noise").glob("*.flac")),
    }
    return {name: _fingerprint(paths) for name, paths in groups.items() if paths}


def _table(rows: list[dict[str, Any]]) -> str:
    if not rows:
        return "Not measured yet."
    head = (
        "| condition | speaker | utterances | WER | 95 % interval | RTF | final p95 |\n"
        "|---|---|---|---|---|---|---|\n"
    )
    return head + "\n".join(
        f"| {row['condition']} | {row['speaker']} | {row['utterances']} "
        f"| {100 * row['wer']:.1f} % | "
        f"{100 * row['wer_low']:.1f}..{100 * row['wer_high']:.1f} % | {row['rtf']:.3f} | "
        f"{1000 * row['final_p95_seconds']:.0f} ms |"
        for row in rows
    )


def write_card(
    settings: Settings, facts: dict[str, Any], results: list[dict[str, Any]], model_dir: Path
) -> None:
    """Write ``README.md`` and ``checksums.sha256``.

    Args:
        settings: Of the run.
        facts: Numbers of the model, from the earlier steps.
        results: Rows of ``python -m asr.evaluate --json``.
        model_dir: The model folder.
    """
    hashes = "\n".join(f"| {name} | `{value}` |" for name, value in fingerprints(settings).items())
    size = sum(path.stat().st_size for path in model_dir.rglob("*") if path.is_file())
    told = {"run_note": "", **facts}
    card = TEMPLATE.read_text(encoding="utf-8").format(
        **told, results=_table(results), hashes=hashes, seed=settings.seed, size_mb=size / 1e6
    )
    (model_dir / "README.md").write_text(card, encoding="utf-8")
    write_checksums(model_dir)


def read_facts(work_dir: Path) -> dict[str, Any]:
    """Read what earlier steps wrote down about themselves."""
    path = work_dir / FACTS_FILE
    facts: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    return facts


def add_facts(work_dir: Path, **facts: Any) -> None:
    """Add to what is written down."""
    text = json.dumps({**read_facts(work_dir), **facts}, indent=1, sort_keys=True)
    (work_dir / FACTS_FILE).write_text(text + "\n", encoding="utf-8")
