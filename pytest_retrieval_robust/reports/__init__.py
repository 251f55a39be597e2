"""Reports: each is a function of the run's record. A file of this folder with a
`register(catalogue)` is one entry.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..core.sample_sheets import SampleSheet
    from ..gate.record import RunRecord


@dataclass(frozen=True)
class ReportEntry:
    """A report of the catalogue: the suffix that asks for it, one line about it, and
    what it makes of a run.
    """

    name: str
    """The suffix of its files, without the dot: `html`."""
    summary: str
    render: Callable[[RunRecord], str | bytes]
    """The whole file. It holds what the record holds and nothing else: no image, no text, no id."""
    with_samples: Callable[[RunRecord, Sequence[SampleSheet]], str | bytes] | None = (
        None
    )
    """The same with images and report texts, which may be patients'; None for a report
    that shows none.
    """
