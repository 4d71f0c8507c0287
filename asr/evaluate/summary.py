"""Outcomes put together: one row for each condition, and a table to read."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from asr.evaluate.measure import Judged, Outcome, calibration_error, reliability
from asr.transcribe import RATE_HZ
from asr.wer import word_error_rate

Row = dict[str, Any]
SURE = 0.5
"""A transcript below this confidence is asked for again rather than acted on."""
_COLUMNS = (
    ("engine", 34),
    ("condition", 27),
    ("speaker", 12),
    ("utterances", 5),
    ("WER (95 %)", 22),
    ("sub/del/ins", 12),
    ("sure", 5),
    ("ECE", 10),
    ("RTF", 6),
    ("first", 5),
    ("final", 10),
    ("memory", 10),
)
LEGEND = """\
WER: word error rate with its 95 % interval (bootstrap over utterances), and its errors by kind.
sure: share of the utterances with a confidence of 0.5 or more. ECE: how far confidence is from what
was right, of words / of utterances. RTF: processor seconds of all threads for a second of audio.
first, final: ms from the begin of speech to the first partial with words (p50), and from the last
sample to the transcript (p50 / p95), for one caller on an idle core. memory: MiB of the model / of
one stream."""


def report(outcomes: Iterable[Outcome], *, by_speaker: bool) -> list[Row]:
    """Summarise outcomes by condition, and by speaker within it when asked."""
    groups: dict[tuple[str, str], list[Outcome]] = {}
    for outcome in outcomes:
        groups.setdefault((outcome.item.condition, "all"), []).append(outcome)
        if by_speaker:
            groups.setdefault((outcome.item.condition, outcome.item.speaker), []).append(outcome)
    return [
        _row(condition, speaker, found) for (condition, speaker), found in sorted(groups.items())
    ]


def _row(condition: str, speaker: str, found: Sequence[Outcome]) -> Row:
    audio = sum(len(outcome.item.pcm) for outcome in found) / RATE_HZ
    finals = [outcome.final_seconds for outcome in found]
    partials = [
        outcome.first_partial_seconds
        for outcome in found
        if outcome.first_partial_seconds is not None and outcome.item.said
    ]
    words = [word for outcome in found for word in outcome.words]
    whole = [Judged(outcome.confidence, outcome.right_share) for outcome in found]
    row: Row = {
        "condition": condition,
        "speaker": speaker,
        "utterances": len(found),
        "words": sum(outcome.errors.words for outcome in found),
        "wer": None,
        "wer_low": None,
        "wer_high": None,
        "substitutions": sum(outcome.errors.substitutions for outcome in found),
        "deletions": sum(outcome.errors.deletions for outcome in found),
        "insertions": sum(outcome.errors.insertions for outcome in found),
        "confidence": round(float(np.mean([outcome.confidence for outcome in found])), 3),
        "sure_share": round(float(np.mean([o.confidence >= SURE for o in found])), 3),
        "word_ece": _rounded(calibration_error(words)),
        "partial_word_ece": _rounded(
            calibration_error([word for outcome in found for word in outcome.partial_words])
        ),
        "utterance_ece": _rounded(calibration_error(whole)),
        "word_bins": [
            {"confidence": round(confidence, 3), "right": round(right, 3), "words": count}
            for confidence, right, count in reliability(words)
        ],
        "rtf": round(sum(outcome.seconds for outcome in found) / max(audio, 1e-9), 4),
        "first_partial_p50_seconds": _rounded(float(np.median(partials)) if partials else None),
        "first_partial_p95_seconds": _rounded(
            float(np.quantile(partials, 0.95)) if partials else None
        ),
        "final_p50_seconds": round(float(np.median(finals)), 4),
        "final_p95_seconds": round(float(np.quantile(finals, 0.95)), 4),
    }
    if row["words"]:
        rate = word_error_rate(outcome.errors for outcome in found)
        row |= {
            "wer": round(rate.rate, 4),
            "wer_low": round(rate.low, 4),
            "wer_high": round(rate.high, 4),
        }
    return row


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


def table(rows: Sequence[Row]) -> str:
    """Write rows as a table: one line each, engines beside each other within a condition."""
    lines = ["  ".join(f"{name:<{width}}" for name, width in _COLUMNS).rstrip()]
    ordered = sorted(
        rows, key=lambda row: (row["condition"], row["speaker"] != "all", row["speaker"])
    )
    for row in ordered:
        cells = _cells(row)
        padded = (f"{cell:<{width}}" for cell, (_, width) in zip(cells, _COLUMNS, strict=True))
        lines.append("  ".join(padded).rstrip())
    return "\n".join(lines)


def is_incomplete(row: Row) -> bool:
    """Whether a run's figures lack something: what the engine failed on, or what was left out."""
    return bool(row["failures"] or row["left_out"])


def shortfalls(rows: Sequence[Row]) -> list[str]:
    """Say what the figures of each model lack; one line each, nothing of a model that has all."""
    runs = {row["model"]: row for row in rows if is_incomplete(row)}
    return [
        f"{model}: not in these figures: recordings left out: {row['left_out']}, "
        f"utterances failed: {row['failures']}"
        for model, row in runs.items()
    ]


def _cells(row: Row) -> list[str]:
    wer = "-"
    if row["wer"] is not None:
        low, high = 100 * row["wer_low"], 100 * row["wer_high"]
        wer = f"{100 * row['wer']:.1f} % ({low:.1f}..{high:.1f})"
    model, stream = row.get("model_octets"), row.get("stream_octets")
    return [
        str(row.get("model", "")),
        row["condition"],
        row["speaker"],
        str(row["utterances"]),
        wer,
        f"{row['substitutions']}/{row['deletions']}/{row['insertions']}",
        f"{row['sure_share']:.2f}",
        f"{_shown(row['word_ece'])}/{_shown(row['utterance_ece'])}",
        f"{row['rtf']:.3f}",
        _ms(row["first_partial_p50_seconds"]),
        f"{_ms(row['final_p50_seconds'])}/{_ms(row['final_p95_seconds'])}",
        f"{(model or 0) / 2**20:.0f}/{(stream or 0) / 2**20:.1f}",
    ]


def _shown(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def _ms(seconds: float | None) -> str:
    return "-" if seconds is None else f"{1000 * seconds:.0f}"
