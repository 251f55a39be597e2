"""Hundreds of sweeps in one process, failures among them: memory, descriptors and
temporary files do not grow.
"""

from __future__ import annotations

import gc
import os
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from pytest_retrieval_robust import evaluate, load_occluder
from pytest_retrieval_robust.core.errors import RobustError

from .children import in_children
from .toy import ToyDataset, ToyEncoder
from .trials import Ground, Row, Trial

_WARM = 30
_GROWTH = 32 << 20
"""Bytes: allocators keep some of what they were given."""
_OCCLUDERS = ("patches", "box", "blobs", "border", "lines", "patches(fill=mean)")


class _Failing(ToyEncoder):
    """Fails at the third batch."""

    def __init__(self) -> None:
        self._calls = 0

    def encode_images(self, pixels: object) -> object:
        self._calls += 1
        if self._calls == 3:
            raise ValueError("on purpose")
        return super().encode_images(pixels)  # type: ignore[arg-type]


def rows(ground: Ground) -> Iterator[Trial]:
    sweeps = ground.count(300, 40)
    yield from in_children(
        [(f"{sweeps} sweeps", lambda: _grown(ground, sweeps))], seconds=400
    )


def _grown(ground: Ground, sweeps: int) -> str | None:
    temporary = ground.place("temporary")
    os.environ["TMPDIR"], tempfile.tempdir = str(temporary), None
    cache = ground.place("cache")
    before = (0, 0)
    for number in range(sweeps):
        if number == min(_WARM, sweeps // 2):
            before = _held()
        _sweep(number, cache if number % 2 else None)
    memory, descriptors = _held()
    left = list(temporary.iterdir())
    if left:
        return f"{len(left)} temporary files were left, first {left[0].name}"
    if descriptors > before[1]:
        return f"{descriptors} descriptors, {before[1]} before"
    grown = memory - before[0]
    return f"{grown >> 20} MiB more" if grown > _GROWTH else None


def _sweep(number: int, cache: Path | None) -> None:
    encoder = _Failing() if number % 5 == 0 else ToyEncoder()
    occluder = load_occluder(_OCCLUDERS[number % len(_OCCLUDERS)])
    with suppress(RobustError):
        evaluate(
            encoder,
            ToyDataset(60),
            occluder,
            levels=(0.1, 0.3),
            seed=number,
            cache_dir=cache,
            batch_size=16,
        )


def _held() -> tuple[int, int]:
    """Bytes in memory, and open descriptors."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE"), len(os.listdir("/proc/self/fd"))


ROWS = (
    Row(
        "one-process",
        "hundreds of sweeps in one process: memory, descriptors, temporary files",
        rows,
    ),
)
