"""Counter-based random streams.

What one part of a study draws never depends on what another part drew.
"""

from __future__ import annotations

from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray


def uniforms(name: str, seed: int, index: int, count: int) -> NDArray[np.float64]:
    """(count,) numbers in [0, 1) of the stream `name` of study (`seed`, `index`).

    Only raw uniforms are drawn: numpy keeps those stable between releases, unlike its
    distributions.
    """
    stream = f"{name}/{seed}/{index}".encode()
    key = int.from_bytes(blake2b(stream, digest_size=16).digest(), "little")
    return np.random.Generator(np.random.Philox(key=key)).random(count)


def between(unit: float, low: float, high: float) -> float:
    """Map `unit` in [0, 1) to [`low`, `high`)."""
    return low + (high - low) * float(unit)
