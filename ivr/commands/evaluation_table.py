"""``wegwijs evaluate`` for people: what was measured, and the mistakes that teach most."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.table import Table

from intent.evaluate import Report


def print_report(report: Report, data: Path, console: Console | None = None) -> None:
    """Print the report as tables.

    Args:
        report: What was measured.
        data: The file that it was measured on.
        console: Standard output when None.
    """
    console = console or Console(highlight=False)
    console.print(f"[bold]{data}[/bold]: {report.texts} questions, model {report.model}")
    numbers = Table(show_header=False, box=None, pad_edge=False)
    rows = (
        ("top-1", f"{_share(report.top1)}  {_interval(report.top1_interval)}"),
        ("top-3", f"{_share(report.top3)}  {_interval(report.top3_interval)}"),
        ("expected calibration error", f"{report.calibration_error:.3f}"),
        ("out of scope, recognised", _share(report.out_of_scope_recall)),
        ("good questions refused", _share(report.good_refused)),
        ("asked for a person, recognised", _share(report.human_recall)),
        ("other language, recognised", _share(report.other_language_recall)),
        ("answerable questions routed directly", _share(report.routed_directly)),
        ("to a wrong group, of all routed", _share(report.routed_wrong, "none was routed")),
        ("decisions", ", ".join(f"{name} {count}" for name, count in report.actions.items())),
        ("expected seconds a call", f"{report.seconds_per_call:.1f}"),
        ("... everyone through the keypad menu", f"{report.seconds_keypad_menu:.1f}"),
        ("... with a plain threshold of 0.8", f"{report.seconds_threshold:.1f}"),
    )
    for name, value in rows:
        numbers.add_row(name, value)
    console.print(numbers)
    themas = Table(title="Per thema", title_justify="left")
    columns = sorted({key for values in report.per_thema.values() for key in values})
    themas.add_column("thema")
    for column in columns:
        themas.add_column(column.replace("_", " "), justify="right")
    for label, values in report.per_thema.items():
        themas.add_row(label, *(_cell(values.get(column)) for column in columns))
    console.print(themas)
    if report.worst:
        worst = Table(title="Worst mistakes", title_justify="left")
        columns = ["question", "expected", "heard as", "p", "action", "because of", "resembles"]
        for column in columns:
            worst.add_column(column, overflow="fold")
        for mistake in report.worst:
            words = ", ".join(word for word, _ in mistake.words)
            worst.add_row(
                mistake.text,
                mistake.expected,
                mistake.said,
                f"{mistake.probability:.2f}",
                mistake.action,
                words,
                "".join(f"{near.text} ({near.thema})" for near in mistake.nearest[:1]),
            )
        console.print(worst)


def _share(value: float | None, none: str = "none in the file") -> str:
    return none if value is None else f"{value:.1%}"


def _interval(bounds: tuple[float, float]) -> str:
    return f"(95 % interval {bounds[0]:.1%} to {bounds[1]:.1%})"


def _cell(value: float | int | None) -> str:
    if value is None:
        return "-"
    return str(value) if isinstance(value, int) else f"{value:.3f}"
