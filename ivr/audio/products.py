"""Matrix products that stay on one thread."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

_ONE_THREAD_MULTIPLICATIONS: Final = 250_000
"""OpenBLAS shares a product among threads from 262,144 multiplications on (65536 times
GEMM_MULTITHREAD_THRESHOLD). For a tick that costs milliseconds of spinning in place of a
tenth of one, and takes the other core from recognition."""


def one_thread_product(
    rows: NDArray[np.float32], matrix: NDArray[np.float32]
) -> NDArray[np.float32]:
    """``rows @ matrix`` in blocks small enough for one thread.

    Args:
        rows: Shape ``(n, k)``.
        matrix: Shape ``(k, m)``.

    Returns:
        Shape ``(n, m)``.
    """
    count = len(rows)
    block = max(1, _ONE_THREAD_MULTIPLICATIONS // matrix.size)
    out = np.empty((count, matrix.shape[1]), dtype=np.float32)
    for first in range(0, count, block):
        np.matmul(rows[first : first + block], matrix, out=out[first : first + block])
    return out
