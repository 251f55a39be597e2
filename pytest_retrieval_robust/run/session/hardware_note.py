"""A sentence on the hardware that encoded, where there was more than one."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from ...core.errors import RobustError

if TYPE_CHECKING:
    from ...measure.sweep.results import SweepResult


def hardware_note(model: str, dataset: str, result: SweepResult) -> str | None:
    """What a sweep's embeddings were made on, if that was not one kind of hardware.

    Rows of two kinds differ by rounding, and those of one processor with another number
    of threads may. So the ranks of such a sweep are those of no single machine.
    """
    counts: Counter[str] = Counter()
    for cell in result.cells.values():
        if not isinstance(cell, RobustError):
            counts.update(cell.timing.encoded_on)
    if len(counts) < 2:
        return None
    shares = ", ".join(f"{name} ({count:,})" for name, count in counts.most_common())
    return (
        f"The embeddings of {model} on {dataset} were made on several kinds of hardware,"
        f" which round differently: {shares} images of all levels."
    )
