"""The one decision of a run: passed, failed, not judged or measured only. Every report
says it in these words.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Status(StrEnum):
    """How a run ended."""

    PASSED = "passed"
    """At least one gate was met, and nothing stands against the release."""
    FAILED = "failed"
    NOT_JUDGED = "not judged"
    """Nothing went wrong, and no gate was met either: that releases nothing."""
    MEASURED_ONLY = "measured only"
    """`--robust-measure-only`: no verdict was asked for."""


_SIGNS = {
    Status.PASSED: "✓",
    Status.FAILED: "✕",
    Status.NOT_JUDGED: "?",
    Status.MEASURED_ONLY: "–",
}


@dataclass(frozen=True)
class Release:
    """The decision and its reasons."""

    status: Status
    reasons: tuple[str, ...]
    """Of a failure: why. Else: what was judged and measured, or what to do so that it is."""

    @property
    def is_green(self) -> bool:
        """Whether pytest may exit with 0."""
        return self.status in (Status.PASSED, Status.MEASURED_ONLY)

    @property
    def sign(self) -> str:
        return _SIGNS[self.status]

    @property
    def title(self) -> str:
        """`Release gate passed`, the heading of a report."""
        return (
            "Measured only"
            if self.status is Status.MEASURED_ONLY
            else f"Release gate {self.status}"
        )

    @property
    def why(self) -> str:
        """The reasons as one sentence, with its full stop."""
        told = "; ".join(self.reasons)
        return (
            f"Because {told}."
            if self.status is Status.FAILED
            else f"{told[:1].upper()}{told[1:]}."
        )

    @property
    def line(self) -> str:
        """The last line of the summary.

        >>> Release(Status.PASSED, ("2 gates met",)).line
        'RELEASE GATE: PASSED (2 gates met)'
        >>> Release(Status.MEASURED_ONLY, ("2 cells measured",)).line
        'MEASURED ONLY (2 cells measured)'
        """
        told = "; ".join(self.reasons)
        if self.status is Status.FAILED:
            return f"RELEASE GATE: FAILED because {told}"
        status = self.status.upper()
        head = (
            status if self.status is Status.MEASURED_ONLY else f"RELEASE GATE: {status}"
        )
        return f"{head} ({told})"


def counted(count: int, one: str, many: str | None = None) -> str:
    """A number with its noun.

    >>> counted(1, "gate met", "gates met"), counted(2, "model")
    ('1 gate met', '2 models')
    """
    return f"{count} {one if count == 1 else many or f'{one}s'}"
