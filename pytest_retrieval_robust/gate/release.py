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
    """`--robust-measure-only`: nothing was judged."""


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
        if self.status is Status.MEASURED_ONLY:
            return "Measured only"
        return f"Release gate {self.status}"

    @property
    def why(self) -> str:
        """The reasons as one sentence, with its full stop."""
        reasons = "; ".join(self.reasons)
        if self.status is Status.FAILED:
            return f"Because {reasons}."
        # Not `capitalize`, which would lower the names in it.
        return f"{reasons[:1].upper()}{reasons[1:]}."

    @property
    def line(self) -> str:
        """The last line of the summary.

        >>> Release(Status.PASSED, ("2 gates met",)).line
        'RELEASE GATE: PASSED (2 gates met)'
        >>> Release(Status.MEASURED_ONLY, ("2 cells measured",)).line
        'MEASURED ONLY (2 cells measured)'
        """
        reasons = "; ".join(self.reasons)
        if self.status is Status.FAILED:
            return f"RELEASE GATE: FAILED because {reasons}"
        if self.status is Status.MEASURED_ONLY:
            return f"MEASURED ONLY ({reasons})"
        return f"RELEASE GATE: {self.status.upper()} ({reasons})"
