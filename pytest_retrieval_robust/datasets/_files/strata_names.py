"""What strata are called: those that every data set may have, and columns by other names."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ...core.catalogue import unknown_name
from ...core.errors import ConfigError
from ...core.shown_values import shown_value

VIEW = "view"
FINDING = "finding"
LENGTH = "length"
WITH_FINDING = "finding:"
"""In front of a label: whether the study has it or not."""
BUILT_IN = (VIEW, FINDING, LENGTH)
"""Strata that come from no column of their own."""
_CALLED = {
    "age": ("age", "patientage", "patient_age", "age_at_study"),
    "sex": ("sex", "gender", "patientsex", "patient_sex", "patientsex_dicom"),
    "projection": ("projection", "ap_pa", "ap/pa", "viewposition", "view_position"),
}
"""Stratum -> what tables call its column, in lower case."""
USUAL = tuple(_CALLED)
"""Strata that are read from a column whatever tables call it."""


def column_called(name: str, columns: Iterable[str]) -> str | None:
    """The column that a stratum is read from: of its own name, else of a usual one."""
    names = list(columns)
    if name in names:
        return name
    usual = _CALLED.get(name, ())
    return next((column for column in names if column.lower() in usual), None)


def columns_read(
    strata: Sequence[str],
    columns: Sequence[str],
    dataset: str,
    *,
    is_table: bool = True,
) -> list[str]:
    """The columns of a user's data that strata are read from, each once.

    Only those of a table are named in messages: fields of other data may be names.

    Raises:
        UnknownNameError: A name is neither a column nor one of `BUILT_IN`.
    """
    read: dict[str, None] = {}
    for name in strata:
        column = column_called(name, columns)
        if column is not None:
            read[column] = None
        elif name not in BUILT_IN and not name.startswith(WITH_FINDING):
            known = (*columns, *BUILT_IN) if is_table else BUILT_IN
            raise unknown_name(f"stratum of {dataset}", name, known, "strata")
    return list(read)


def strata_names(written: object) -> tuple[str, ...]:
    """The names of strata as an option gives them: a list, or a text such as `view+sex`.

    Raises:
        ConfigError: It is neither, or a name is there twice.
    """
    words = written.split("+") if isinstance(written, str) else written
    given: Sequence[object] = words if isinstance(words, list | tuple) else [None]
    names = tuple(word.strip() for word in given if isinstance(word, str))
    if len(names) < len(given) or not all(names):
        raise ConfigError(
            'Expected strata as a list of names such as ["view", "sex"], got'
            f" strata={shown_value(written)}. Fix the value."
        )
    if len(set(names)) < len(names):
        raise ConfigError(
            f"Expected each stratum once, got strata={list(names)!r}. Leave one out."
        )
    return names
