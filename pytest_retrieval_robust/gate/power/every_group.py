"""The power of a gate that every group of queries must pass."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from .planned import GatePower
from .sampling import Sample, Sampling


@dataclass(frozen=True)
class EveryGroupPower:
    """One gate in each of several groups, whose queries are different ones.

    Groups are taken to be independent: patients of two groups would make it pass more
    often.
    """

    gate: GatePower
    """Of one group."""
    shares: tuple[float, ...]
    """Of the queries that each group has."""

    @property
    def sampling(self) -> Sampling:
        return self.gate.sampling

    @property
    def value(self) -> float:
        return self.gate.value

    @property
    def most(self) -> float:
        return self.gate.most

    @property
    def obstacle(self) -> str | None:
        return self.gate.obstacle

    def is_open(self, sample: Sample) -> bool:
        """Whether the patients of some group are too few."""
        return any(self.gate.is_open(group) for group in self._groups(sample))

    def passes(self, sample: Sample, loss: float = 0.0) -> float:
        """All groups pass, the smallest of which loses so much."""
        *others, smallest = self._groups(sample)
        kept = math.prod(self.gate.passes(group) for group in others)
        return kept * self.gate.passes(smallest, loss)

    def fails(self, sample: Sample, loss: float = 0.0) -> float:
        """Some group fails, the smallest of which loses so much."""
        *others, smallest = self._groups(sample)
        kept = math.prod(1 - self.gate.fails(group) for group in others)
        return 1 - kept * (1 - self.gate.fails(smallest, loss))

    def _groups(self, sample: Sample) -> Sequence[Sample]:
        """A sample of each group, the smallest last."""
        falling = sorted(self.shares, reverse=True)
        return [
            self.sampling.at(max(1, round(share * sample.queries))) for share in falling
        ]
