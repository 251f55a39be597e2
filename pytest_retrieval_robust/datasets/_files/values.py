"""Values of tables, whatever a file holds, as texts, ids and marks: what is missing,
and what is no text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from ...core.errors import DatasetError

_WHOLE = re.compile(r"(-?\d+)\.0+")
_EXPONENT = re.compile(r"-?\d+(\.\d+)?[eE]\+?\d+")
_DIGITS = re.compile(r"-?\d+")
_MOST_EXACT = 1 << 53
"""From here on floating-point numbers skip whole ones."""

_POSITIVE = ("true", "yes")
_NEGATIVE = ("false", "no", "")


def is_missing(value: object) -> bool:
    """None, NaN, and what pandas writes for them."""
    if value is None:
        return True
    if isinstance(value, str | bytes | list | tuple | dict):
        return False
    try:
        return bool(value != value)
    except (TypeError, ValueError):  # pandas.NA has no truth; nor has an array
        return type(value).__name__ == "NAType"


def as_text(value: object, column: str, shown: str) -> str:
    """An id, a path or a mark as text; "" for a missing one. `DatasetError` for a list,
    an object or bytes.
    """
    if is_missing(value):
        return ""
    if isinstance(value, str):
        return _whole_characters(value)
    if isinstance(value, bool) or type(value).__name__ == "bool_":
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        if abs(value) >= _MOST_EXACT:
            raise _lost_digits(column, shown)
        return str(int(value))
    if isinstance(value, list | tuple | dict | bytes | bytearray):
        hint = (
            "Columns of images belong to the loader hugging-face."
            if isinstance(value, dict | bytes)
            else "Fix it."
        )
        raise DatasetError(
            f"Expected a text or a number as {column}, got {kind_of_value(value)} in"
            f" {shown}. {hint}"
        )
    return str(value)


def captions_of(value: object, column: str, shown: str) -> tuple[str, ...]:
    """The texts of an image: one, those of a list, or none where they are missing.

    `DatasetError` for a number, an object or a list of them: their source code would be
    taken for a report.
    """
    if is_missing(value):
        return ()
    if isinstance(value, str):
        return (_whole_characters(value),)
    if not isinstance(value, list | tuple):
        raise DatasetError(
            f"Expected a text or a list of texts as {column}, got"
            f" {kind_of_value(value)} in {shown}. Write it as text, or name the column"
            " that holds the texts."
        )
    items = [item for item in value if not is_missing(item)]
    other = next((item for item in items if not isinstance(item, str)), None)
    if other is not None:
        raise DatasetError(
            f"Expected texts in the list of {column}, got {kind_of_value(other)} in"
            f" {shown}. Write them as texts."
        )
    return tuple(_whole_characters(item) for item in items)


def section_of(value: object, column: str, shown: str) -> str:
    """The one text of a section; `DatasetError` where there are several."""
    texts = captions_of(value, column, shown)
    if len(texts) > 1:
        raise DatasetError(
            f"Expected one text as {column}, got {len(texts)} in {shown}. Only the"
            " whole report may be several texts."
        )
    return texts[0] if texts else ""


def same_numbers(column: Sequence[str], name: str, shown: Sequence[str]) -> list[str]:
    """Ids without the `.0` that a column of floating-point numbers has: `10000032.0` is
    the patient `10000032`.

    A column that holds anything else than whole numbers stays as it is. `DatasetError`
    for numbers with an exponent, which have lost their last digits: two patients could
    have become one.
    """
    filled = [(text, place) for text, place in zip(column, shown, strict=True) if text]
    are_numbers = all(
        _DIGITS.fullmatch(text) or _WHOLE.fullmatch(text) or _EXPONENT.fullmatch(text)
        for text, _ in filled
    )
    if not are_numbers:
        return list(column)
    rounded = next((place for text, place in filled if _EXPONENT.fullmatch(text)), None)
    if rounded is not None:
        raise _lost_digits(name, rounded)
    return [found[1] if (found := _WHOLE.fullmatch(text)) else text for text in column]


def _lost_digits(column: str, shown: str) -> DatasetError:
    return DatasetError(
        f"Expected whole numbers or texts as {column}, got a rounded number in {shown},"
        " whose last digits are lost. Write that column as text (in pandas:"
        " dtype=str)."
    )


def is_mark(text: str) -> bool:
    """Whether a text says of a label that it is there or not: 1, 0, -1 (uncertain),
    true, false, yes, no, or blank.
    """
    return _sign(text) is not None


def is_positive(text: str) -> bool:
    """Whether a mark says that the label is there: 1, 1.0, true or yes."""
    return _sign(text) == 1


def _sign(text: str) -> int | None:
    word = text.strip().lower()
    if word in _POSITIVE:
        return 1
    if word in _NEGATIVE:
        return 0
    try:
        number = float(word)
    except ValueError:
        return None
    if number != number:
        return 0
    return int(number) if number in (-1, 0, 1) else None


def positive_labels(values: Mapping[str, str], shown: str) -> frozenset[str]:
    """The labels that a row marks positive; uncertain (-1), negative and blank ones are not.

    `DatasetError` for what is no mark.
    """
    odd = next((name for name, value in values.items() if not is_mark(value)), None)
    if odd is not None:
        raise DatasetError(
            f"Expected 1, 0, -1, true, false, yes, no or nothing as label {odd!r}, got"
            f" something else in {shown}. Write 1 where the label is there."
        )
    return frozenset(name for name, value in values.items() if is_positive(value))


def require_unique(
    ids: Iterable[tuple[int, str]], what: str, shown: str = "row {} of its table"
) -> None:
    """`DatasetError` with the rows of the first id that is there twice."""
    seen: dict[str, int] = {}
    for row, one in ids:
        if one in seen:
            raise DatasetError(
                f"Expected each {what} once, got the one of row {seen[one]} again in"
                f" {shown.format(row)}. Leave one of them out."
            )
        seen[one] = row


def kind_of_value(value: object) -> str:
    """What a value is, without what it says."""
    names = {
        dict: "an object",
        list: "a list",
        tuple: "a list",
        bool: "true or false",
        int: "a number",
    }
    return names.get(
        type(value),
        (
            "a number"
            if isinstance(value, float)
            else f"a value of type {type(value).__name__}"
        ),
    )


def _whole_characters(text: str) -> str:
    """Without halves of surrogate pairs, which JSON may hold and no encoder takes."""
    return text.encode("utf-8", "replace").decode()
