"""Words and numbers that a caller chooses among those that exist.

An unknown one is an error that says which one is close, never a guess.
"""

from __future__ import annotations

import operator
from collections.abc import Collection, Sequence
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
_LEAST_SIMILARITY = 0.5


def known_word(name: str, value: object, known: Collection[W]) -> W:
    """`value` where it is one of the `known` words.

    Raises:
        ArgumentError: It is not; the message lists the known words, and says which one is close.
    """
    for word in known:
        if isinstance(value, str) and value == word:
            return word
    listed = ", ".join(map(repr, known))
    question = did_you_mean(_close_to(value, known))
    message = f"Expected {name} out of {listed}, got {name}={value!r}. {question}"
    raise ArgumentError(message.rstrip())


def close_words(
    word: str,
    known: Collection[str],
    limit: int = 1,
    similarity: float = _LEAST_SIMILARITY,
) -> list[str]:
    """At most `limit` of the `known` words that `word` may be a misspelling of, the
    closest first. `similarity` is difflib's, from 0 to 1.
    """
    # Imported late: only those who misspelt a word pay for it.
    import difflib

    return difflib.get_close_matches(word, known, n=limit, cutoff=similarity)


def did_you_mean(close: Sequence[str]) -> str:
    """The question after a wrong word; no text where nothing is close.

    >>> did_you_mean(["box", "boxes"])
    "Did you mean 'box' or 'boxes'?"
    """
    if not close:
        return ""
    return f"Did you mean {' or '.join(map(repr, close))}?"


def _close_to(value: object, known: Collection[str]) -> list[str]:
    if not isinstance(value, str):
        return []
    word = value.strip().lower().replace("_", "-").replace(" ", "-")
    usual = _SHORT_FORMS.get(word, word)
    if usual in known:
        return [usual]
    return close_words(word, known)


_PUBLISHED_STEPS = 5


def hint_at_share(number: float, *, is_severity: bool = False) -> str:
    """A question for a number above 1: whether it is a percentage, or a published step of
    a severity, which are numbered to 5; no text where neither is likely.

    >>> hint_at_share(30), hint_at_share(3, is_severity=True)
    ('Did you mean 0.3?', 'Did you mean 0.6, the published step 3?')

    One digit may also be what follows a decimal comma: `0,3`.

    >>> hint_at_share(3)
    'Did you mean 0.3 or 0.03?'
    """
    if not 1 < number <= 100:
        return ""
    if not is_severity or number > _PUBLISHED_STEPS:
        percentage = f"{number / 100:g}"
        is_digit = number < 10 and number == int(number)
        likely = f"{number / 10:g} or {percentage}" if is_digit else percentage
        return f"Did you mean {likely}?"
    if number != int(number):
        return ""
    severity = number / _PUBLISHED_STEPS
    return f"Did you mean {severity:g}, the published step {number:g}?"


def in_parentheses(hint: str) -> str:
    """A hint as a part of another sentence.

    >>> in_parentheses("Did you mean 0.3?"), in_parentheses("")
    (' (did you mean 0.3?)', '')
    """
    return f" ({hint[:1].lower()}{hint[1:]})" if hint else ""


def measured_k(k: Any, measured: Collection[int]) -> int:
    """`k` where Recall@k was measured.

    Raises:
        NotMeasuredError: It was not, or it is no whole number; the message lists those that were.
    """
    # True is a whole number to Python. As a k it is a mistake.
    if not isinstance(k, bool):
        try:
            number = operator.index(k)
        except TypeError:
            number = -1
        if number in measured:
            return number
    listed = ", ".join(map(str, sorted(measured)))
    raise NotMeasuredError(
        f"Expected a k that was measured ({listed}), got k={k!r}. Measure it with"
        " ks=(...) or --robust-k."
    )


class ByLevel(dict[float, float]):
    """A number for each measured level.

    A level is looked up to six decimals, so that 0.1 + 0.2 finds 0.3.
    """

    def __missing__(self, level: Any) -> float:
        if isinstance(level, int | float) and not isinstance(level, bool):
            rounded = round(float(level), 6)
            if rounded in self:
                return self[rounded]
        listed = ", ".join(f"{measured:g}" for measured in self)
        raise NotMeasuredError(
            f"Expected a level that was measured ({listed}), got level={level!r}. "
            "Measure it with levels=(...) or --robust-levels."
        )


def shown_size(size: int) -> str:
    """Bytes for people.

    >>> shown_size(1_234_567)
    '1.2 MB'
    """
    if size < 1000:
        return f"{size} B"
    value = float(size)
    for unit in ("kB", "MB", "GB"):
        value /= 1000
        if value < 1000:
            return f"{value:.1f} {unit}"
    return f"{value / 1000:.1f} TB"


def counted(count: int, noun: str, plural: str | None = None) -> str:
    """A number with its noun.

    >>> counted(1, "gate met", "gates met"), counted(2, "model")
    ('1 gate met', '2 models')
    """
    if count == 1:
        return f"{count} {noun}"
    return f"{count} {plural or noun + 's'}"
