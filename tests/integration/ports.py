"""Ports that nobody uses, for one test each."""

import random
import socket

_next: dict[tuple[int, int], int] = {}
"""Where the search goes on, for each span of ports."""


def free_port(kind: socket.SocketKind = socket.SOCK_DGRAM) -> int:
    """Return a loopback port that was free a moment ago, UDP unless ``kind`` says otherwise.

    Raises:
        OSError: There is none.
    """
    return free_range(1, kind=kind)


def free_range(
    count: int,
    *,
    low: int = 20_000,
    high: int = 30_000,
    kind: socket.SocketKind = socket.SOCK_DGRAM,
) -> int:
    """Return the first of ``count`` adjacent free ports, an even number.

    The range lies below the kernel's ephemeral ports, so that no client socket lands in it, nor a
    service that lets the system choose; and below the sound of the demo's agents, from 30000 up.
    Whoever asked before may bind its ports only later, or one for each call: each answer therefore
    lies behind the one before, and a port comes back only when the span has been gone through.

    Raises:
        OSError: There is no free range.
    """
    # Not random.random(): the random test order seeds it, alike in every test run.
    first = _next.get((low, high)) or random.SystemRandom().randrange(low, high, 2)
    for _ in range(high - low):
        if first + count > high:
            first = low
        taken = [port for port in range(first, first + count) if not _is_free(port, kind)]
        if not taken:
            end = first + count
            _next[low, high] = end + end % 2
            return first
        first = taken[-1] + 1 + (taken[-1] + 1) % 2
    raise OSError(f"no {count} adjacent free ports between {low} and {high}")


def _is_free(port: int, kind: socket.SocketKind) -> bool:
    with socket.socket(socket.AF_INET, kind) as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
