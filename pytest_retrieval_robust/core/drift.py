"""How far a model's rows of fixed inputs have moved from a saved fingerprint."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal, TypeAlias

from msgspec import Meta

from .cases import DRIFT, Case
from .codec import Count, Written

PartName: TypeAlias = Literal["tokenizer", "pixels", "weights"]
PartState: TypeAlias = Literal["same", "moved", "not known"]
Distance: TypeAlias = Annotated[
    float, Meta(extra_json_schema={"minimum": 0, "maximum": 2})
]
"""1 - cosine of two rows: 0 for the same direction, 2 for the opposite one."""


def drift_case(model: str) -> Case:
    """The case that verdicts on a drift name: in `run.json` every verdict has a case.

    It has no data set: nothing of one was looked at.
    """
    return Case(model, "", DRIFT, 0.0, 0)


@dataclass(frozen=True)
class DriftPart(Written):
    """One part that rows follow from, beside the same part in the fingerprint."""

    name: PartName
    state: PartState
    """`not known` where the model does not show the part, or the file does not have it."""
    moved: tuple[str, ...] = ()
    """The names of the sentences or pictures in which it differs."""
    compared: Count = 0
    """How many sentences or pictures were compared; 0 for weights."""


@dataclass(frozen=True)
class DriftOutcome(Written):
    """A model beside its fingerprint."""

    model: str
    file: str
    """The name of the fingerprint's file, without its folder."""
    largest: Distance | None
    """The largest 1 - cosine between a row now and the same row in the file; None where
    there is no file.
    """
    worst: str | None = None
    """The name of the picture or sentence with the largest distance."""
    inputs: Count = 0
    """How many pictures and sentences were compared."""
    parts: tuple[DriftPart, ...] = ()
    differences: tuple[str, ...] = ()
    """What else differs, a few words each: `torch 2.15.0, not 2.14.1`."""
    refused: tuple[str, ...] = ()
    """The names of the inputs that the model refuses on one side alone."""

    @property
    def case(self) -> Case:
        """The case that its verdict speaks of."""
        return drift_case(self.model)

    @property
    def is_measured(self) -> bool:
        """Whether there was a fingerprint to compare with."""
        return self.largest is not None


def fingerprint_command(model: str) -> str:
    """The command line that writes a model's fingerprint where its gate looks for it."""
    return f"python -m pytest_retrieval_robust fingerprint {model} --tests SUITE"
