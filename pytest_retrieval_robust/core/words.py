"""Words and numbers that a caller chooses among those that exist: an unknown one is an
error, never a guess.
"""

from __future__ import annotations

import operator
from collections.abc import Collection
from typing import Any, TypeVar

from .errors import ArgumentError, NotMeasuredError

W = TypeVar("W", bound=str)
_SHORT_FORMS = {
    "i2t": "image-to-report",
    "i2r": "image-to-report",
    "image-to-text": "image-to-report",
    "t2i": "report-to-image",
    "r2i": "report-to-image",
    "text-to-image": "report-to-image",
}
"""What other libraries call the two directions."""


def known_word(name: str, value: object, known: Collection[W]) -> W:
    """`value` where it is one of the `known` words.

    Raises:
        ArgumentError: It is not; the message lists the known words, and says which one is close.
    """
    for word in known:
        if isinstance(value, str) and value == word:
            return word
    close = _close(value, known)
    question = "" if close is None else f" Did you mean {close!r}?"
    raise ArgumentError(
        f"Expected {name} out of {', '.join(map(repr, known))}, got"
        f" {name}={value!r}.{question}"
    )


def _close(value: object, known: Collection[str]) -> str | None:
    import difflib

    if not isinstance(value, str):
        return None
    word = value.strip().lower().replace("_", "-").replace(" ", "-")
    usual = _SHORT_FORMS.get(word)
    if usual in known:
        return usual
    return next(iter(difflib.get_close_matches(word, known, n=1, cutoff=0.5)), None)


def measured_k(k: Any, measured: Collection[int]) -> int:
    """`k` where Recall@k was measured.

    Raises:
        NotMeasuredError: It was not, or it is no whole number; the message lists those that were.
    """
    try:
        number = None if isinstance(k, bool) else operator.index(k)
    except TypeError:
        number = None
    if number is not None and number in measured:
        return number
    listed = ", ".join(str(one) for one in sorted(measured))
    raise NotMeasuredError(
        f"Expected a k that was measured ({listed}), got k={k!r}. Measure it with"
        " ks=(...) or --robust-k."
    )


class ByLevel(dict[float, float]):
    """A number for each measured level.

    A level is looked up to six decimals, so that 0.1 + 0.2 finds 0.3.
    """

    def __missing__(self, level: Any) -> float:
        is_number = isinstance(level, int | float) and not isinstance(level, bool)
        rounded = round(float(level), 6) if is_number else None
        if rounded is not None and rounded in self:
            return self[rounded]
        listed = ", ".join(f"{one:g}" for one in self)
        raise NotMeasuredError(
            f"Expected a level that was measured ({listed}), got level={level!r}. "
            "Measure it with levels=(...) or --robust-levels."
        )
