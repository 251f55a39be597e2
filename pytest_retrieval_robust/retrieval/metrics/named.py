"""A metric under the name that results and gates know it by."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from numbers import Real
from typing import TYPE_CHECKING, TypeGuard

from ...core.errors import MetricError
from ...core.foreign import (
    FOREIGN,
    described,
    let_go,
    traceback_text,
    with_traceback_text,
)
from . import Metric

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True)
class NamedMetric:
    """A metric with its parameters set."""

    name: str
    """With its parameters: `hit-rate(k=3)`."""
    function: Metric

    def value(self, ranks: NDArray[np.int64]) -> float:
        """The metric of (N,) ranks.

        Raises:
            MetricError: It raised, or gave something that is no finite number.
        """
        # One that sorts ranks in place would change them for all that comes after it.
        unchangeable = ranks.view()
        unchangeable.flags.writeable = False
        where = ""
        try:
            value: object = self.function(unchangeable)
        except FOREIGN as error:
            problem = described(error)
            where = traceback_text(error)
            let_go(error)
        else:
            if _is_finite(value):
                return float(value)
            problem = _shown(value)
        # Outside of the handler: the error must not drag the foreign one along.
        no_number = MetricError(
            f"Expected a finite number from the metric {self.name}, got {problem}. Fix"
            " the metric: it is a pure function of ranks."
        )
        raise with_traceback_text(no_number, where)


def values_of(
    metrics: Iterable[NamedMetric], ranks: NDArray[np.int64]
) -> tuple[dict[str, float], MetricError | None]:
    """The value of each metric that has one, and the first error of the others."""
    values: dict[str, float] = {}
    first_error: MetricError | None = None
    for metric in metrics:
        try:
            values[metric.name] = metric.value(ranks)
        except MetricError as error:
            first_error = first_error or error
    return values, first_error


def _is_finite(value: object) -> TypeGuard[float]:
    # True and False are numbers to Python. As a metric they are a mistake.
    if not isinstance(value, Real) or isinstance(value, bool):
        return False
    return math.isfinite(value)


def _shown(value: object) -> str:
    """A number itself; of anything else the type, because its text may hold anything."""
    if isinstance(value, float):
        return f"{float(value)}"
    return f"a value of type {type(value).__name__}"
