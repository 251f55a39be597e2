"""What a failing cell ends with: an error that can be kept, and that leaves other cells alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ...core.errors import ModelError, RobustError
from ...core.foreign import FOREIGN, described, let_go, traced, without_frames
from ...core.memory import advice_on
from .changes import error_kind, word_for

if TYPE_CHECKING:
    from ...models import DualEncoder
    from .changes import Perturbation


@contextmanager
def cell_errors(
    model: DualEncoder,
    change: Perturbation | None,
    report: Callable[[RobustError], None],
) -> Iterator[None]:
    """Report whatever fails inside as the error of a cell, and continue after the block.

    `change` is None where the model works alone.
    """
    try:
        yield
    except FOREIGN as error:
        report(_cell_error(model, change, error))


def _cell_error(
    model: DualEncoder, change: Perturbation | None, error: BaseException
) -> RobustError:
    """An error that holds no memory of the device and quotes no foreign text."""
    if isinstance(error, RobustError):
        return without_frames(error)
    got = described(error)
    kind: type[RobustError] = ModelError
    expected = f"{model.name} to be measured on {model.device}"
    fix = "Fix the model, or its input."
    if change is not None:
        expected = f"{change.name} to be measured with {model.name} on {model.device}"
        fix = f"Fix the {word_for(change)}."
        # PyTorch raises RuntimeError for a device that is lost or out of memory, which
        # is no fault of the occluder.
        if not isinstance(error, RuntimeError):
            kind = error_kind(change)
    advice = advice_on(error, model.device, fix)
    ours = traced(kind(f"Expected {expected}, got {got}. {advice}"), error)
    let_go(error)
    return ours
