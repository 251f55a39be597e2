"""What every kind of gate can be asked before it is measured."""

from __future__ import annotations

from typing import Protocol

from .sampling import Sample, Sampling


class GatePower(Protocol):
    """A gate, and what is assumed of the model that it judges.

    `loss` is what the model loses of the planned value: of recall, retention or area for
    a floor, beside the baseline for a gate of non-inferiority.
    """

    @property
    def sampling(self) -> Sampling:
        """How its queries come."""

    @property
    def value(self) -> float:
        """The planned number: of a floor the true one, beside a baseline the baseline's."""

    @property
    def most(self) -> float:
        """The largest loss that is possible."""

    @property
    def obstacle(self) -> str | None:
        """Why no number of queries makes it pass, as a sentence; None where one does."""

    def passes(self, sample: Sample, loss: float = 0.0) -> float:
        """The probability that it passes."""

    def fails(self, sample: Sample, loss: float = 0.0) -> float:
        """The probability that it fails; what is left is inconclusive."""
