"""Hundreds of sweeps in one process, failures among them.

Memory, descriptors and temporary files do not grow.
"""

from __future__ import annotations

import gc
import os
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
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


@dataclass(frozen=True)
class Held:
    """Bytes in memory, and open descriptors."""

    memory: int
    descriptors: int

    @classmethod
    def now(cls) -> Held:
        gc.collect()
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        memory = pages * os.sysconf("SC_PAGE_SIZE")
        return cls(memory, len(os.listdir("/proc/self/fd")))


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
    sweeps = ground.count(300, 24)
    yield from in_children(
        [(f"{sweeps} sweeps", lambda: _grown(ground, sweeps))], seconds=400
    )


def _grown(ground: Ground, sweeps: int) -> str | None:
    temporary = ground.place("temporary")
    os.environ["TMPDIR"] = str(temporary)
    tempfile.tempdir = None
    cache = ground.place("cache")
    before = Held(0, 0)
    for number in range(sweeps):
        if number == min(_WARM, sweeps // 2):
            before = Held.now()
        _sweep(number, cache if number % 2 else None)
    after = Held.now()
    left = list(temporary.iterdir())
    if left:
        return f"{len(left)} temporary files were left, first {left[0].name}"
    if after.descriptors > before.descriptors:
        return f"{after.descriptors} descriptors, {before.descriptors} before"
    grown = after.memory - before.memory
    if grown > _GROWTH:
        return f"{grown >> 20} MiB more"
    return None


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


ROWS = (
    Row(
        "one-process",
        "hundreds of sweeps in one process: memory, descriptors, temporary files",
        rows,
    ),
)
