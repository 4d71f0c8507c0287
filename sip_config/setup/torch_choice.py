"""Choose the build of PyTorch for this machine, and print it as pip wants it.

On an ordinary index the newest PyTorch for x86 is a CUDA build of about 3 GB. A machine without an
NVIDIA GPU gets nothing for that, so there the newest version with the local tag ``+cpu`` is taken
when the configured index has one. That depends on the machine: PyTorch alone is not in a lock.

Usage::

    python torch_choice.py   prints for example "torch==2.13.0+cpu" or "torch>=2.3"

Standard library only. Always exits 0: without an answer from the index, pip will say what is wrong.
"""

import platform
import re
import subprocess
import sys
from pathlib import Path

ANY = "torch>=2.3"
"""As pyproject.toml has it."""
_LEAST = (2, 3)
_NVIDIA = (Path("/dev/nvidiactl"), Path("/proc/driver/nvidia/version"))


def newest_cpu_build(listing: str) -> str | None:
    """Return the newest version tagged ``+cpu``.

    Args:
        listing: What ``pip index versions torch`` prints: one line "Available versions: A, B, ...".
    """
    found: list[tuple[tuple[int, ...], str]] = []
    for version, numbers in re.findall(r"\b((\d+(?:\.\d+)+)\+cpu)(?=[,\s]|$)", listing):
        key = tuple(int(part) for part in numbers.split("."))
        if key >= _LEAST:
            found.append((key, version))
    return max(found)[1] if found else None


def choose(listing: str, *, has_gpu: bool, machine: str) -> str:
    """Return the requirement for a machine.

    Args:
        listing: What ``pip index versions torch`` prints; empty when it failed.
        has_gpu: The machine has an NVIDIA GPU.
        machine: Processor, as ``platform.machine()`` names it.
    """
    # On ARM and others the plain build is the one without CUDA.
    if has_gpu or machine.lower() not in {"x86_64", "amd64"}:
        return ANY
    version = newest_cpu_build(listing)
    return ANY if version is None else f"torch=={version}"


def main() -> int:
    """Ask the configured index, and print the choice."""
    try:
        listing = subprocess.run(
            [sys.executable, "-m", "pip", "index", "versions", "torch"],
            capture_output=True,
            text=True,
            timeout=120,
        ).stdout
    except (OSError, subprocess.TimeoutExpired):
        listing = ""
    has_gpu = any(path.exists() for path in _NVIDIA)
    print(choose(listing, has_gpu=has_gpu, machine=platform.machine()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
