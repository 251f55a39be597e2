"""The gates that are typed for a plan, and how they are decided."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from ...core.errors import ConfigError
from ...core.verdict import DecidedBy
from ...core.words import counted
from ...gate.decision import Decision
from ...gate.difference import Errors
from ...gate.power.curve_floor import CurveFloorPower
from ...gate.power.every_group import EveryGroupPower
from ...gate.power.planned import GatePower
from ...gate.power.recall_floor import RecallFloorPower


@dataclass(frozen=True)
class Wanted:
    """What was typed: at least one of the three limits, all of them checked."""

    margin: float | None
    minimum: float | None
    retention: float | None
    groups: tuple[float, ...]
    """The share of the queries of each group; none where there are no groups."""
    decide: DecidedBy
    confidence: float
    gates: int
    """Baseline gates that share the error of a false block."""

    def __post_init__(self) -> None:
        for flag, limit in (
            ("--margin", self.margin),
            ("--min", self.minimum),
            ("--retention", self.retention),
        ):
            if limit is not None and not 0 < limit < 1:
                raise ConfigError(
                    f"Expected a number between 0 and 1, got {flag}={limit!r}."
                    f" {_WHY[flag]}"
                )
        if self.margin is None and self.minimum is None and self.retention is None:
            raise ConfigError(
                "Expected a gate to plan, got none. Give --margin 0.02, --min 0.5,"
                " --retention 0.6, or --policy FILE beside --from RUN."
            )
        if not 0.5 < self.confidence < 1:
            raise ConfigError(
                "Expected a confidence above 0.5 and below 1, got"
                f" --confidence={self.confidence!r}. Use 0.95."
            )

    @property
    def decision(self) -> Decision:
        """How floors are decided."""
        return Decision(self.decide, self.confidence, False, None)

    @property
    def errors(self) -> Errors:
        """Those of a gate beside a baseline."""
        return Errors(1 - self.confidence, self.gates)

    @property
    def errors_of_groups(self) -> Errors:
        """Any group may block, so that groups share the error of a false block too."""
        return Errors(1 - self.confidence, self.gates * len(self.groups))

    def every_group(self, gate: GatePower) -> EveryGroupPower:
        """The gate, which every group must pass.

        One beside a baseline has the `errors_of_groups` already.
        """
        if isinstance(gate, RecallFloorPower | CurveFloorPower):
            gate = replace(gate, groups=len(self.groups))
        return EveryGroupPower(gate, self.groups)

    @property
    def groups_in_words(self) -> str:
        smallest = 100 * min(self.groups)
        return (
            f"in every one of {counted(len(self.groups), 'group')}, the smallest of"
            f" {smallest:.3g} % of the queries"
        )

    def sentences(self) -> Iterator[str]:
        """How they are decided, as what a plan rests on."""
        if self.margin is not None:
            errors = self.errors
            yield (
                f"A gate beside the baseline passes at an error of {errors.passing:.3g}"
                f" (--confidence) and fails at {errors.failing:.3g}, because"
                f" {counted(self.gates, 'gate')} may block (--gates). The model to pass"
                " is exactly as good as the baseline."
            )
        if self.minimum is not None or self.retention is not None:
            how = "the number itself"
            if self.decide == "bound":
                how = f"its bound at a confidence of {self.confidence:g}"
            yield f"A floor is decided by {how} (--decide, --confidence)."
        if self.groups:
            yield (
                "Groups have queries and patients of their own, and are equal but for"
                " their size (--groups). All must pass, and a loss is that of the"
                " smallest."
            )


_WHY = {
    "--margin": (
        "With a margin of 0 a model that is exactly as good passes by chance alone,"
        " however many queries there are: choose the loss that you regard as none."
    ),
    "--min": "A floor of 0 is no gate, and one of 1 is never proved. Type 0.5 for 50 %.",
    "--retention": (
        "A floor of 0 is no gate, and one of 1 is never proved. Type 0.6 for 60 %."
    ),
}


def parse_groups(text: str | None) -> tuple[float, ...]:
    """The shares of `4` equal groups, or of groups such as `0.5,0.3,0.2`.

    Raises:
        ConfigError: Neither a number of groups from 2 nor shares that sum to 1.
    """
    if text is None:
        return ()
    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError:
        numbers = []
    if len(numbers) == 1 and numbers[0] >= 2 and numbers[0].is_integer():
        count = int(numbers[0])
        return (1 / count,) * count
    is_whole = len(numbers) > 1 and abs(sum(numbers) - 1) < 0.01
    if is_whole and all(number > 0 for number in numbers):
        return tuple(number / sum(numbers) for number in numbers)
    raise ConfigError(
        f"Expected a number of groups from 2, or shares that sum to 1, got"
        f" --groups={text!r}. Type 4, or 0.5,0.3,0.2."
    )


def check_groups(groups: tuple[float, ...], queries: int | None) -> None:
    """Raise `ConfigError` where some group would have no query."""
    if not groups or queries is None:
        return
    if min(groups) * queries < 1:
        raise ConfigError(
            f"Expected at least one query per group, got {len(groups)} groups with"
            f" queries={queries}, the smallest of {min(groups) * queries:.2g} queries."
            " Type fewer groups, or merge small ones."
        )
