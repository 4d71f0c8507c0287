"""What every benchmark shares: the machine, the versions, percentiles and the line it prints."""

from __future__ import annotations

import argparse
import hashlib
import importlib.metadata
import json
import os
import platform
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """One figure with all that is needed to judge it."""

    benchmark: str
    metric: str
    value: float
    unit: str
    p50: float | None = None
    p95: float | None = None
    p99: float | None = None
    baseline: float | None = None
    """The same figure of the naive alternative, from the same run."""
    target: float | None = None
    """What ``value`` may be at most, or at least with ``higher_is_better``."""
    higher_is_better: bool = False
    model: str | None = None
    data: str | None = None

    @property
    def ratio(self) -> float | None:
        """How many times better than the baseline; None without one."""
        if self.baseline is None or not self.value or not self.baseline:
            return None
        return self.value / self.baseline if self.higher_is_better else self.baseline / self.value

    @property
    def met(self) -> bool | None:
        """Whether the target was reached; None without one."""
        if self.target is None:
            return None
        if self.higher_is_better:
            return self.value >= self.target
        return self.value <= self.target


@dataclass(slots=True)
class Report:
    """Prints measurements as they come; knows at the end whether every target was met."""

    as_json: bool
    machine: str
    versions: dict[str, str]
    missed: list[Measurement] = field(default_factory=list)

    def add(self, measurement: Measurement) -> None:
        """Print one measurement: a JSON line, or a line to read."""
        if measurement.met is False:
            self.missed.append(measurement)
        if self.as_json:
            print(json.dumps(self._line(measurement)), flush=True)
        else:
            print(_readable(measurement), flush=True)

    def exit_code(self) -> int:
        """0 when every target was met, else 1."""
        return 1 if self.missed else 0

    def _line(self, measurement: Measurement) -> dict[str, Any]:
        return {
            "benchmark": measurement.benchmark,
            "metric": measurement.metric,
            "value": _rounded(measurement.value),
            "unit": measurement.unit,
            "p50": _rounded(measurement.p50),
            "p95": _rounded(measurement.p95),
            "p99": _rounded(measurement.p99),
            "baseline": _rounded(measurement.baseline),
            "ratio": _rounded(measurement.ratio),
            "target": measurement.target,
            "met": measurement.met,
            "machine": self.machine,
            "versions": self.versions,
            "model": measurement.model,
            "data": measurement.data,
        }


def arguments(description: str) -> argparse.ArgumentParser:
    """A parser with the options that every benchmark has; add your own."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    return parser


def report(*, as_json: bool, packages: Iterable[str] = ()) -> Report:
    """Start a report; without ``as_json`` it opens with the machine and the versions.

    Args:
        as_json: As the ``--json`` option says.
        packages: Distributions whose versions matter to the figures.
    """
    made = Report(as_json=as_json, machine=machine(), versions=versions(packages))
    if not as_json:
        print(made.machine)
        print(", ".join(f"{name} {version}" for name, version in made.versions.items()))
    return made


def machine() -> str:
    """CPU, cores, memory, system and the load at this moment, in one line."""
    cpu = platform.processor() or platform.machine()
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                cpu = line.partition(":")[2].strip()
                break
    except OSError:
        pass  # Not Linux: platform's word has to do.
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return (
        f"{cpu}, {os.cpu_count()} cores, {memory:.0f} GiB, {platform.system()} "
        f"{platform.release()}, load {os.getloadavg()[0]:.1f}"
    )


def versions(packages: Iterable[str] = ()) -> dict[str, str]:
    """Versions of Python and of the named distributions; "missing" where one is not installed."""
    found = {"python": platform.python_version()}
    for name in packages:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = "missing"
    return found


def percentile(values: Sequence[float], percent: float) -> float:
    """Percentile by linear interpolation; ``values`` must not be empty."""
    ordered = sorted(values)
    place = (len(ordered) - 1) * percent / 100
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)


def fingerprint(path: Path) -> str:
    """Name and the first twelve digits of the SHA-256 of a file."""
    return f"{path.name} sha256:{hashlib.sha256(path.read_bytes()).hexdigest()[:12]}"


def finish(made: Report) -> None:
    """Leave the program; missed targets are named on stderr."""
    for measurement in made.missed:
        print(
            f"missed: {measurement.metric} {measurement.value:.4g} {measurement.unit}, "
            f"target {measurement.target}",
            file=sys.stderr,
        )
    raise SystemExit(made.exit_code())


def _rounded(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.5g}")


def _readable(measurement: Measurement) -> str:
    parts = [f"{measurement.metric:<38} {measurement.value:>10.4g} {measurement.unit}"]
    if measurement.p50 is not None:
        tails = (measurement.p50, measurement.p95, measurement.p99)
        shown = " / ".join("-" if tail is None else f"{tail:.3g}" for tail in tails)
        parts.append(f"p50/p95/p99 {shown}")
    if measurement.ratio is not None:
        parts.append(f"baseline {measurement.baseline:.4g} ({measurement.ratio:.1f}x)")
    if measurement.target is not None:
        sign = ">=" if measurement.higher_is_better else "<="
        verdict = "met" if measurement.met else "MISSED"
        parts.append(f"target {sign} {measurement.target:g} {verdict}")
    return "   ".join(parts)
