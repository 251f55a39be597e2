"""What an actor says of anything that goes wrong in it."""

from __future__ import annotations

from ...core.errors import RobustError
from ...core.foreign import described, let_go, traceback_text
from .messages import SentError


def sent_error(error: BaseException, expected: str) -> SentError:
    """An error of ours as it is; any other as its class and place, without its text."""
    if isinstance(error, RobustError):
        sent = SentError.of(error)
    else:
        sent = SentError(
            "RobustError",
            f"Expected {expected}, got {described(error)}. Fix the suite or the model.",
            traceback_text(error),
        )
    # What stays in the actor must hold no batch.
    let_go(error)
    return sent
