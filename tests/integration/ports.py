"""Ports that nobody uses, for one test each."""

import random
import socket


def free_port(kind: socket.SocketKind = socket.SOCK_DGRAM) -> int:
    """Return a loopback port that was free a moment ago, UDP unless ``kind`` says otherwise."""
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def free_range(count: int, *, low: int = 20_000, high: int = 32_000) -> int:
    """Return the first of ``count`` adjacent free UDP ports, an even number.

    The range lies below the kernel's ephemeral ports, so that no client socket lands in it.

    Raises:
        OSError: No free range was found in fifty tries.
    """
    for _ in range(50):
        # Not random.random(): the random test order seeds it, alike in every test run.
        first = random.SystemRandom().randrange(low, high - count, 2)
        if all(_is_free(port) for port in range(first, first + count)):
            return first
    raise OSError(f"no {count} adjacent free UDP ports between {low} and {high}")


def _is_free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
