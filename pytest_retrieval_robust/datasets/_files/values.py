"""Values of tables as texts, ids and marks: what is missing, and what is no text."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Mapping, Sequence

from ...core.errors import DatasetError

_WITH_DECIMALS = re.compile(r"(-?\d+)\.0+")
_EXPONENT = re.compile(r"-?\d+(\.\d+)?[eE]\+?\d+")
_DIGITS = re.compile(r"-?\d+")
_MOST_EXACT = 1 << 53
"""From here on floating-point numbers skip whole ones."""

_POSITIVE = ("true", "yes")
_NEGATIVE = ("false", "no", "")
_KINDS = {
    dict: "an object",
    list: "a list",
    tuple: "a list",
    bool: "true or false",
    int: "a number",
}


def is_missing(value: object) -> bool:
    """None, NaN, and what pandas writes for them."""
    if value is None:
        return True
    if isinstance(value, str | bytes | list | tuple | dict):
        return False
    try:
        # NaN alone is not equal to itself.
        return bool(value != value)
    # pandas.NA has no truth value; nor has an array.
    except (TypeError, ValueError):
        return type(value).__name__ == "NAType"


def as_text(value: object, column: str, where: str) -> str:
    """An id, a path or a mark as text; "" for a missing one.

    Raises `DatasetError` for a list, an object or bytes.
    """
    if is_missing(value):
        return ""
    if isinstance(value, str):
        return _whole_characters(value)
    if isinstance(value, bool) or type(value).__name__ == "bool_":
        return "true" if value else "false"
    # pandas reads a column of ids with gaps as floating-point numbers.
    if isinstance(value, float) and value.is_integer():
        if abs(value) >= _MOST_EXACT:
            raise _lost_digits(column, where)
        return str(int(value))
    if isinstance(value, list | tuple | dict | bytes | bytearray):
        advice = "Fix it."
        if isinstance(value, dict | bytes):
            advice = "Columns of images belong to the loader hugging-face."
        raise DatasetError(
            f"Expected a text or a number as {column}, got {kind_of_value(value)} in"
            f" {where}. {advice}"
        )
    return str(value)


def captions_of(value: object, column: str, where: str) -> tuple[str, ...]:
    """The texts of an image: one, those of a list, or none if they are missing.

    Raises `DatasetError` for a number, an object or a list of them: their source code
    would be taken for a report.
    """
    if is_missing(value):
        return ()
    if isinstance(value, str):
        return (_whole_characters(value),)
    if not isinstance(value, list | tuple):
        raise DatasetError(
            f"Expected a text or a list of texts as {column}, got"
            f" {kind_of_value(value)} in {where}. Write it as text, or name the column"
            " that holds the texts."
        )
    captions = []
    for item in value:
        if is_missing(item):
            continue
        if not isinstance(item, str):
            raise DatasetError(
                f"Expected texts in the list of {column}, got {kind_of_value(item)} in"
                f" {where}. Write them as texts."
            )
        captions.append(_whole_characters(item))
    return tuple(captions)


def section_of(value: object, column: str, where: str) -> str:
    """The one text of a section; `DatasetError` for several."""
    texts = captions_of(value, column, where)
    if len(texts) > 1:
        raise DatasetError(
            f"Expected one text as {column}, got {len(texts)} in {where}. Only the"
            " whole report may be several texts."
        )
    return texts[0] if texts else ""


def same_numbers(column: Sequence[str], name: str, rows: Sequence[str]) -> list[str]:
    """Ids without the `.0` of a column of floating-point numbers.

    `10000032.0` is the patient `10000032`. A column that holds anything else than whole
    numbers stays as it is. Raises `DatasetError` for numbers with an exponent, which have
    lost their last digits: two patients could have become one.
    """
    if not all(_is_number(text) for text in column if text):
        return list(column)
    for text, row in zip(column, rows, strict=True):
        if _EXPONENT.fullmatch(text):
            raise _lost_digits(name, row)
    return [_without_decimals(text) for text in column]


def _is_number(text: str) -> bool:
    forms = (_DIGITS, _WITH_DECIMALS, _EXPONENT)
    return any(form.fullmatch(text) for form in forms)


def _without_decimals(text: str) -> str:
    match = _WITH_DECIMALS.fullmatch(text)
    return text if match is None else match[1]


def _lost_digits(column: str, where: str) -> DatasetError:
    return DatasetError(
        f"Expected whole numbers or texts as {column}, got a rounded number in {where},"
        " whose last digits are lost. Write that column as text (in pandas:"
        " dtype=str)."
    )


def is_mark(text: str) -> bool:
    """Whether a text says of a label that it is there or not.

    Marks are 1, 0, -1 (uncertain), true, false, yes, no, and a blank.
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
    # NaN is how a blank comes out of pandas.
    if number != number:
        return 0
    return int(number) if number in (-1, 0, 1) else None


def positive_labels(marks: Mapping[str, str], where: str) -> frozenset[str]:
    """The labels that a row marks positive.

    Uncertain (-1), negative and blank ones are not. Raises `DatasetError` for what is no
    mark.
    """
    for label, mark in marks.items():
        if not is_mark(mark):
            raise DatasetError(
                f"Expected 1, 0, -1, true, false, yes, no or nothing as label {label!r},"
                f" got something else in {where}. Write 1 if the label is there."
            )
    return frozenset(label for label, mark in marks.items() if is_positive(mark))


def words_of(text: str, separator: str = ";") -> frozenset[str]:
    """The words of a list in one field, without blank ones."""
    words = (word.strip() for word in text.split(separator))
    return frozenset(word for word in words if word)


def listed_words(written: str) -> frozenset[str]:
    """The words of a list as Python writes it, `['normal', ' unchanged']`.

    None of what is no such list.
    """
    try:
        words = ast.literal_eval(written) if written.strip() else []
    # `literal_eval` runs no code, but what is written may be anything.
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return frozenset()
    if not isinstance(words, list):
        return frozenset()
    stripped = (str(word).strip() for word in words)
    return frozenset(word for word in stripped if word)


def require_unique(
    ids: Iterable[tuple[int, str]], column: str, where: str = "row {} of its table"
) -> None:
    """Raise `DatasetError` with the rows of the first id that is there twice."""
    row_of: dict[str, int] = {}
    for row, unique_id in ids:
        if unique_id in row_of:
            earlier = where.partition(" of ")[0].format(row_of[unique_id])
            raise DatasetError(
                f"Expected each {column} once, got the one of {earlier} again in"
                f" {where.format(row)}. Leave one of them out."
            )
        row_of[unique_id] = row


def kind_of_value(value: object) -> str:
    """What a value is, without what it says."""
    if isinstance(value, float):
        return "a number"
    return _KINDS.get(type(value), f"a value of type {type(value).__name__}")


def _whole_characters(text: str) -> str:
    """Without halves of surrogate pairs, which JSON may hold and no encoder takes."""
    return text.encode("utf-8", "replace").decode()
