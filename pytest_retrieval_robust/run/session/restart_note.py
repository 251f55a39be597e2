"""A sentence on a model whose process ended while it encoded, and was started again."""

from __future__ import annotations

from collections.abc import Sequence

from ...models import DualEncoder, restarts_of


def restarts_in(copies: Sequence[DualEncoder]) -> int:
    """How often processes of the copies of a model were started again so far."""
    return sum(restarts_of(model) for model in copies)


def restart_note(model: str, dataset: str, restarts: int) -> str | None:
    """What is said of so many restarts in one sweep; None for none."""
    if restarts == 0:
        return None
    times = "once" if restarts == 1 else f"{restarts} times"
    return (
        f"The command of {model} ended {times} while {dataset} was encoded, and was"
        " started again: its rows are complete, but look at why it ends."
    )
