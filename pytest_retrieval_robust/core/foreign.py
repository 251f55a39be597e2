"""Errors that are not ours: what may be said of them, and how they let go of memory.

Said are the class and where the error arose, never its text.

The text of a foreign exception may quote a report, a patient's name or a path. A user
who looks for a broken encoder needs the place, which is the file and line of their own
code.
"""

from __future__ import annotations

import os
import traceback
from collections.abc import Callable
from typing import TypeVar

from .errors import RobustError
from .own_frames import innermost_place, traceback_lines

E = TypeVar("E", bound=BaseException)
R = TypeVar("R", bound=RobustError)
T = TypeVar("T")
Kinds = tuple[type[BaseException], ...]

SHOW_VARIABLE = "RETRIEVAL_ROBUST_SHOW_ERRORS"
"""Set to 1, texts of foreign errors are shown: for a developer's machine, where no
patient's data can leak. Set to `full`, whole tracebacks are too.
"""
_SHOWS_TEXTS = ("1", "full")
TRACEBACK_TITLE = "The end of the traceback in your own code (newest last):"
_WHOLE_TITLE = "The whole traceback (it may quote reports and names):"
FOREIGN = (Exception, SystemExit)
"""What foreign code may raise as an error of its own.

An interrupt and pytest's own outcomes are not among them.
"""

_shows_whole_tracebacks = False


def described(error: BaseException) -> str:
    """The class of a foreign error and the line of the user's own code where it arose.

    For example `ValueError at encoder.py:12 in embed`; `traced` has the lines before.
    Values and texts are left out, unless the environment variable
    `RETRIEVAL_ROBUST_SHOW_ERRORS` is 1.
    """
    kind = type(error).__name__
    place = innermost_place(error)
    where = "" if place is None else f" at {place}"
    if shows_texts():
        return f"{kind}{where}: {error}"
    return (
        f"{kind}{where} (its text is withheld, because it may quote a report:"
        f" {SHOW_VARIABLE}=1 shows it)"
    )


def shows_texts() -> bool:
    """Whether the user allowed texts of foreign errors."""
    return os.environ.get(SHOW_VARIABLE) in _SHOWS_TEXTS


def shown_texts_note() -> str | None:
    """The sentence for whoever gets the results; None where no texts are shown."""
    if not shows_texts():
        return None
    return (
        f"{SHOW_VARIABLE} was set: this run's sentences show the texts of other libraries'"
        " errors, which may quote reports, names and paths. Run it again without that"
        " variable before you pass it on."
    )


def show_whole_tracebacks(shown: bool) -> None:
    """Whether `traced` adds everything, for all of this process."""
    global _shows_whole_tracebacks
    _shows_whole_tracebacks = shown


def traced(ours: R, error: BaseException) -> R:
    """Our error, with the end of the foreign one's traceback.

    These are lines of the user's own code alone, unless the user asked for all of it.
    Python shows them below our own traceback.
    """
    return with_traceback_text(ours, traceback_text(error))


def traceback_text(error: BaseException) -> str:
    """The end of a foreign traceback, below a title; "" where there is no more of it than
    the line that `described` names.
    """
    if _shows_whole_tracebacks or os.environ.get(SHOW_VARIABLE) == "full":
        whole = "".join(traceback.format_exception(error)).rstrip()
        return f"{_WHOLE_TITLE}\n{whole}"
    lines = traceback_lines(error)
    return titled(TRACEBACK_TITLE, lines) if len(lines) > 1 else ""


def holds_texts(traceback_text: str) -> bool:
    """Whether it is a whole traceback, which may quote a report."""
    return _WHOLE_TITLE in traceback_text


def titled(title: str, lines: list[str]) -> str:
    """The lines below a title; "" without lines."""
    return "\n  ".join([title, *lines]) if lines else ""


def with_traceback_text(ours: R, text: str) -> R:
    """Our error with what is shown below its sentence."""
    ours.traceback_text = text
    # Python prints notes since 3.11.
    if text and hasattr(ours, "add_note"):
        ours.add_note(text)
    return ours


def let_go(error: BaseException) -> None:
    """Drop the local variables that an error's frames hold, its causes included: a
    model, a batch, activations.

    Frames that still run keep theirs.
    """
    visited: set[int] = set()
    pending: list[BaseException | None] = [error]
    while pending:
        current = pending.pop()
        # Two errors may be each other's context.
        if current is None or id(current) in visited:
            continue
        visited.add(id(current))
        traceback.clear_frames(current.__traceback__)
        pending += [current.__cause__, current.__context__]


def attempted(
    action: Callable[[], T],
    failure: Callable[[BaseException], RobustError],
    kinds: Kinds = FOREIGN,
) -> T:
    """What `action` gives; `failure` makes our error of one of `kinds`. Our own pass."""
    try:
        return action()
    except RobustError:
        raise
    except kinds as error:
        problem = failure(error)
        let_go(error)
    # Outside of the handler, so that the foreign error does not become the context.
    raise problem


def without_frames(error: E) -> E:
    """The error, fit to be kept: without the frames, and the errors behind it, that
    hold a model or a batch.
    """
    let_go(error)
    error.__traceback__ = None
    error.__cause__ = None
    error.__context__ = None
    return error
