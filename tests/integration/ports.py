"""Ports that nobody uses, for one test each."""

import random
import socket


def free_port(kind: socket.SocketKind = socket.SOCK_DGRAM) -> int:
    """Return a loopback port that was free a moment ago, UDP unless ``kind`` says otherwise.

    Raises:
        OSError: No free port was found in fifty tries.
    """
    return free_range(1, kind=kind)


def free_range(
    count: int,
    *,
    low: int = 20_000,
    high: int = 32_000,
    kind: socket.SocketKind = socket.SOCK_DGRAM,
) -> int:
    """Return the first of ``count`` adjacent free ports, an even number.

    The range lies below the kernel's ephemeral ports, so that no client socket lands in it, nor a
    service that lets the system choose.

    Raises:
        OSError: No free range was found in fifty tries.
    """
    for _ in range(50):
        # Not random.random(): the random test order seeds it, alike in every test run.
        first = random.SystemRandom().randrange(low, high - count, 2)
        if all(_is_free(port, kind) for port in range(first, first + count)):
            return first
    raise OSError(f"no {count} adjacent free ports between {low} and {high}")


def _is_free(port: int, kind: socket.SocketKind) -> bool:
    with socket.socket(socket.AF_INET, kind) as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
