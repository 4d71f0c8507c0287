"""Pictures of a model version, as SVG without a plotting library."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final
from xml.sax.saxutils import escape

_SIDE: Final = 320
_MARGIN: Final = 46
_CELL: Final = 24
_LABELS: Final = 170
_STYLE: Final = (
    "<style>text{font:11px sans-serif;fill:#222}.axis{stroke:#888}.right{stroke:#1b6e53;"
    "fill:none;stroke-width:2}.honest{stroke:#999;stroke-dasharray:4 4}</style>"
)


def calibration_svg(curve: Sequence[Mapping[str, float]], error: float) -> str:
    """Draw how often each probability was right; the dashed line is perfect calibration.

    Args:
        curve: Bins of :func:`intent.report.calibration_curve`.
        error: Expected calibration error, 0..1.
    """

    def place(x: float, y: float) -> tuple[float, float]:
        return _MARGIN + x * _SIDE, _MARGIN + (1.0 - y) * _SIDE

    points = [place(bin_["probability"], bin_["right"]) for bin_ in curve]
    total = sum(bin_["count"] for bin_ in curve) or 1
    x0, y0 = place(0, 0)
    x1, y1 = place(1, 1)
    body = [
        f'<rect x="{x0}" y="{y1}" width="{_SIDE}" height="{_SIDE}" fill="none" class="axis"/>',
        f'<line x1="{x0}" y1="{y0}" x2="{x1}" y2="{y1}" class="honest"/>',
        f'<polyline class="right" points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in points)}"/>',
    ]
    for (x, y), bin_ in zip(points, curve, strict=True):
        radius = 2.0 + 10.0 * (bin_["count"] / total) ** 0.5
        body.append(
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius:.1f}" fill="#1b6e53" opacity="0.5">'
            f"<title>{bin_['count']:.0f} texts</title></circle>"
        )
    for value in (0.0, 0.5, 1.0):
        x, _ = place(value, 0)
        _, y = place(0, value)
        body.append(f'<text x="{x - 8:.0f}" y="{y0 + 16:.0f}">{value:.1f}</text>')
        body.append(f'<text x="{x0 - 26:.0f}" y="{y + 4:.0f}">{value:.1f}</text>')
    caption = f"probability said; calibration error {error:.3f}"
    body.append(f'<text x="{x0}" y="{y0 + 34:.0f}">{caption}</text>')
    body.append(f'<text x="{x0}" y="{y1 - 12:.0f}">share that was right</text>')
    return _svg(_SIDE + 2 * _MARGIN, _SIDE + 2 * _MARGIN, body)


def confusion_svg(confusion: Sequence[Sequence[int]], labels: Sequence[str]) -> str:
    """Draw what was said (columns) for what was meant (rows); darker is a larger share.

    Args:
        confusion: Counts, one row per true label.
        labels: Names of rows and columns.
    """
    body = []
    for i, row in enumerate(confusion):
        y = _LABELS + i * _CELL
        total = sum(row) or 1
        body.append(f'<text x="4" y="{y + 16}">{escape(labels[i])} ({sum(row)})</text>')
        for j, count in enumerate(row):
            x = _LABELS + j * _CELL
            colour = "#1b6e53" if i == j else "#b3261e"
            body.append(
                f'<rect x="{x}" y="{y}" width="{_CELL - 1}" height="{_CELL - 1}" fill="{colour}" '
                f'fill-opacity="{count / total:.2f}"><title>{escape(labels[i])} as '
                f"{escape(labels[j])}: {count}</title></rect>"
            )
            if count:
                body.append(f'<text x="{x + 4}" y="{y + 16}">{count}</text>')
    for j, label in enumerate(labels):
        x = _LABELS + j * _CELL + 16
        body.append(
            f'<text x="{x}" y="{_LABELS - 6}" transform="rotate(-60 {x} {_LABELS - 6})">'
            f"{escape(label)}</text>"
        )
    size = _LABELS + len(labels) * _CELL + 10
    return _svg(size + 60, size, body)


def plots(card: Mapping[str, Any]) -> dict[str, str]:
    """Return file names and contents of a version's pictures, from its card."""
    labels = card["labels"]
    found = {}
    for name in ("calibration", "held_out"):
        scores = card.get(name) or {}
        if scores:
            found[f"{name}-curve.svg"] = calibration_svg(
                scores["calibration_curve"], scores["calibration_error"]
            )
            found[f"{name}-confusion.svg"] = confusion_svg(scores["confusion"], labels)
    return found


def _svg(width: int, height: int, body: Sequence[str]) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}">'
        f'{_STYLE}<rect width="100%" height="100%" fill="#fff"/>{"".join(body)}</svg>\n'
    )
