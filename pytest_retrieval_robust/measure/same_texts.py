"""Which reports of a gallery have the same text, and which of these belong together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False, repr=False)
class SameTexts:
    """Of each report: how many have its text, and how many of these another group."""

    same: NDArray[np.int64]
    """(G,) reports with the same text, itself among them."""
    wrong: NDArray[np.int64]
    """(G,) those of them that belong to another group."""
    groups: NDArray[np.int64]
    """The groups that have a report, each once and rising."""
    group_numbers: NDArray[np.int64]
    """(G,) the place of each report's group in `groups`."""
    different: int
    """How many different texts there are."""

    @classmethod
    def of(cls, texts: Sequence[str], groups: NDArray[np.int64]) -> SameTexts:
        numbers: dict[str, int] = {}
        number_list = [numbers.setdefault(text, len(numbers)) for text in texts]
        text_numbers = np.array(number_list, dtype=np.int64)
        same = np.bincount(text_numbers)[text_numbers]
        distinct, group_numbers = np.unique(groups, return_inverse=True)
        # One number for each pair of a text and a group.
        both = text_numbers * len(distinct) + group_numbers
        _, places, counts = np.unique(both, return_inverse=True, return_counts=True)
        return cls(same, same - counts[places], distinct, group_numbers, len(numbers))

    def numbers_of(self, groups: NDArray[np.int64]) -> NDArray[np.intp]:
        """The places of those of the groups that have a report; others are left out."""
        index = np.searchsorted(self.groups, groups).clip(max=len(self.groups) - 1)
        found: NDArray[np.intp] = index[self.groups[index] == groups]
        return found
