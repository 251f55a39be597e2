"""Bootstrap samples of hits, of many cells from one look at the draws."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..core.cases import Direction
from ..core.outcomes import Outcome
from ..retrieval.bootstrap import Clusters
from ..retrieval.bootstrap_counts import resampled_counts
from .curve_statistics import Floats

RanksAhead: TypeAlias = Callable[[Outcome, Direction], Iterable[NDArray[np.int64]]]
"""Ranks that will be asked for soon after those of an outcome."""
_Key: TypeAlias = tuple[str, int, bytes, bool]
CELLS_AHEAD = 64
"""Cells that are resampled with one that is asked for."""
_MOST_BYTES = 1 << 27
"""Of counts that are kept, so that gates and tests of one cell share them."""


def no_ranks(_: Outcome, __: Direction) -> Iterable[NDArray[np.int64]]:
    """What is known ahead where nobody says what will be asked for."""
    return ()


@dataclass(frozen=True, repr=False)
class HitColumn:
    """The hits of one cell at one k, by query."""

    hits: NDArray[np.bool_]
    is_clean: bool
    """Whether it is the first of its curve: one of the two patients that are added
    loses all when anything is hidden, the other one gains all.
    """

    @property
    def pseudo(self) -> tuple[int, int]:
        """The hits of the two added patients."""
        return (1, 0) if self.is_clean else (0, 1)

    def key(self, patients: str) -> _Key:
        """Equal hits of the same patients have equal samples."""
        digest = blake2b(np.packbits(self.hits).tobytes(), digest_size=16).digest()
        return patients, len(self.hits), digest, self.is_clean


class HitSamples:
    """How many hits each resample of the patients has; the latest are kept."""

    def __init__(self) -> None:
        self._counts: OrderedDict[_Key, NDArray[np.int32]] = OrderedDict()
        self._queries: dict[str, Floats] = {}
        self._bytes = 0

    def has(self, columns: Sequence[HitColumn], patients: str) -> bool:
        """Whether the samples of all columns are kept."""
        return all(column.key(patients) in self._counts for column in columns)

    def shares(
        self,
        columns: Sequence[HitColumn],
        patients: str,
        clusters: Clusters,
        ahead: Sequence[HitColumn] = (),
    ) -> list[Floats] | None:
        """(B,) the share of hits in each resample, for each column.

        `patients` names the clusters. Those of `ahead` will be asked for soon: they are
        counted at the same time. None where they cannot be counted in whole numbers.
        """
        keys = [column.key(patients) for column in columns]
        wanted = dict(zip(keys, columns, strict=True))
        for column in ahead:
            wanted.setdefault(column.key(patients), column)
        missing = {key: each for key, each in wanted.items() if key not in self._counts}
        counts = {key: self._kept(key) for key in keys if key not in missing}
        if missing:
            resampled = resampled_counts(
                [column.hits for column in missing.values()],
                [column.pseudo for column in missing.values()],
                clusters,
            )
            if resampled is None:
                return None
            self._queries[patients] = resampled.queries
            for key, hits in zip(missing, resampled.hits, strict=True):
                counts[key] = hits
                self._keep(key, hits)
        queries = self._queries[patients]
        return [counts[key] / queries for key in keys]

    def _kept(self, key: _Key) -> NDArray[np.int32]:
        self._counts.move_to_end(key)
        return self._counts[key]

    def _keep(self, key: _Key, hits: NDArray[np.int32]) -> None:
        # A copy: a row would hold all rows that were counted with it.
        self._counts[key] = hits.copy()
        self._bytes += hits.nbytes
        while self._bytes > _MOST_BYTES:
            _, oldest = self._counts.popitem(last=False)
            self._bytes -= oldest.nbytes
