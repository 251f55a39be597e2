"""How far two saved runs are apart."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..hostile.projects import lasting, ranks_digest, run_json

_RANKS = ("image_ranks", "report_ranks", "rank_before", "rank_after")
"""Arrays of a saved run that hold ranks. The others are keys, numbers of patients, masks."""
_GATES_ON_COSTS = ("relative_cost", "images_per_second")
"""Those of the policies here, as `run.json` writes them."""
_MEASURED = ("observed", "bounds", "sentence")
"""What a verdict on a cost says of the times that were measured."""
Arrays = dict[str, NDArray[np.int64]]


@dataclass(frozen=True)
class Apart:
    """What differs between the ranks of two runs, and between their records."""

    ranks: int
    """How many ranks the reference run has."""
    moved: int
    """How many of them are others."""
    farthest: int
    """The largest difference of a rank."""
    other_arrays: tuple[str, ...]
    """Names of arrays that one run lacks, and of those that hold no ranks and differ."""
    has_same_file: bool
    """Whether `ranks.npz` has the same bytes."""
    other_facts: tuple[str, ...]
    """Keys of `run.json` with other values, times and identities aside."""

    @property
    def has_same_ranks(self) -> bool:
        """Whether every array has the same bytes."""
        return self.moved == 0 and not self.other_arrays


def apart(saved: Path, reference: Path) -> Apart:
    """Compare two folders of `--robust-results`."""
    ours, theirs = _arrays(saved), _arrays(reference)
    moves = [np.zeros(0, np.int64)]
    other_arrays = []
    for name in sorted(ours.keys() | theirs.keys()):
        if not _have_one_form(ours.get(name), theirs.get(name)):
            other_arrays.append(name)
        elif _holds_ranks(name):
            moves.append(np.abs(ours[name] - theirs[name]).ravel())
        elif ours[name].tobytes() != theirs[name].tobytes():
            other_arrays.append(name)
    moved = np.concatenate(moves)
    return Apart(
        ranks=sum(theirs[name].size for name in theirs if _holds_ranks(name)),
        moved=int((moved != 0).sum()),
        farthest=int(moved.max(initial=0)),
        other_arrays=tuple(other_arrays),
        has_same_file=ranks_digest(saved) == ranks_digest(reference),
        other_facts=_other_facts(saved, reference),
    )


def _holds_ranks(name: str) -> bool:
    return name.rpartition("/")[2] in _RANKS


def _arrays(folder: Path) -> Arrays:
    with np.load(folder / "ranks.npz", allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}


def _have_one_form(
    ours: NDArray[np.int64] | None, theirs: NDArray[np.int64] | None
) -> bool:
    if ours is None or theirs is None:
        return False
    return (ours.dtype, ours.shape) == (theirs.dtype, theirs.shape)


def _other_facts(saved: Path, reference: Path) -> tuple[str, ...]:
    ours, theirs = (_lasting_record(folder) for folder in (saved, reference))
    keys = sorted(ours.keys() | theirs.keys())
    return tuple(key for key in keys if ours.get(key) != theirs.get(key))


def _lasting_record(folder: Path) -> dict[str, Any]:
    """The record without times, of which costs are made: of a gate on them the verdict
    stays.
    """
    record: dict[str, Any] = lasting(run_json(folder))
    record.pop("costs", None)
    for verdict in record.get("verdicts", ()):
        if verdict["gate"] in _GATES_ON_COSTS:
            for number in _MEASURED:
                verdict.pop(number, None)
    return record
