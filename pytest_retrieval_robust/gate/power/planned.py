"""What every kind of gate can be asked before it is measured."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Protocol

from ...core.verdict import DecidedBy
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

    def is_open(self, sample: Sample) -> bool:
        """Whether it is inconclusive whatever is measured: patients are too few."""

    def passes(self, sample: Sample, loss: float = 0.0) -> float:
        """The probability that it passes."""

    def fails(self, sample: Sample, loss: float = 0.0) -> float:
        """The probability that it fails; what is left is inconclusive."""


class PowerOfBounds(ABC):
    """The power of a gate that bounds decide: inconclusive where patients are too few for
    any bound to hold.
    """

    def passes(self, sample: Sample, loss: float = 0.0) -> float:
        """The probability that it passes."""
        return 0.0 if self.is_open(sample) else self._passes(sample, loss)

    def fails(self, sample: Sample, loss: float = 0.0) -> float:
        """The probability that it fails; what is left is inconclusive."""
        return 0.0 if self.is_open(sample) else self._fails(sample, loss)

    def is_open(self, sample: Sample) -> bool:
        """Whether it is inconclusive whatever is measured: patients are too few."""
        return sample.has_too_few_patients

    @abstractmethod
    def _passes(self, sample: Sample, loss: float) -> float: ...

    @abstractmethod
    def _fails(self, sample: Sample, loss: float) -> float: ...


class PowerOfFloor(PowerOfBounds):
    """The power of a floor, which the number itself may decide too."""

    decide: DecidedBy

    def is_open(self, sample: Sample) -> bool:
        """By point nothing stays open."""
        return self.decide == "bound" and super().is_open(sample)


class PowerOfMargin(PowerOfBounds):
    """The power of a gate of non-inferiority."""

    margin: float

    @property
    def obstacle(self) -> str | None:
        """Why no number of queries makes it pass, as a sentence; None where one does."""
        if self.margin > 0:
            return None
        return (
            f"with margin={self.margin:g} a model that is exactly as good passes by"
            " chance alone, however many queries there are. Choose a margin above 0"
        )
