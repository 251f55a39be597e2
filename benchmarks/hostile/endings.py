"""How a run may have to end: its last line and its exit status."""

from __future__ import annotations

from collections.abc import Callable

from .children import Ended

Expectation = Callable[[Ended], bool]


def passed(ended: Ended) -> bool:
    return ended.status == 0 and ended.last_line.startswith("RELEASE GATE: PASSED")


def passed_in_part(ended: Ended) -> bool:
    return passed(ended) and "partial" in ended.last_line


def failed(ended: Ended) -> bool:
    return ended.status not in (0, 4) and ended.last_line.startswith(
        "RELEASE GATE: FAILED"
    )


def not_judged(ended: Ended) -> bool:
    return ended.status == 1 and ended.last_line.startswith("RELEASE GATE: NOT JUDGED")


def not_passed(ended: Ended) -> bool:
    """Anything but green: the line may be of either kind, or a usage error comes before it."""
    says_so = ended.last_line.startswith(
        ("RELEASE GATE: FAILED", "RELEASE GATE: NOT JUDGED")
    )
    return ended.status != 0 and (says_so or ended.status == 4)


def never_green(ended: Ended) -> bool:
    """For runs that pytest itself ends early, where there may be no line at all."""
    return ended.status != 0 and not any(
        word in ended.last_line for word in ("PASSED", "MEASURED")
    )


def measured_only(ended: Ended) -> bool:
    return ended.status == 0 and "MEASURED ONLY" in ended.last_line


def measured_and_failed(ended: Ended) -> bool:
    return ended.status == 1 and "PASSED" not in ended.last_line


def refused(ended: Ended) -> bool:
    return ended.status == 4 and "PASSED" not in ended.last_line


def says_nothing_false(ended: Ended) -> bool:
    """For listings: no verdict that contradicts the exit status."""
    return "PASSED" not in ended.last_line and not (
        ended.status == 0 and "FAILED" in ended.last_line
    )
