"""Where the edits of a data set's reports are from: itself, a table, or rules."""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from ...core.counterfactual_outcomes import ALL_KINDS
from ...core.counterfactuals import RULES, EditedReports, ReportEdit
from ...core.errors import DatasetError, RobustError
from ...core.foreign import attempted, described, traced

if TYPE_CHECKING:
    from ...datasets import RetrievalDataset

Edits: TypeAlias = "EditedReports | str | PathLike[str]"
"""Edits that were made, `rules`, or the path of a table of pairs."""


def has_edits(dataset: RetrievalDataset) -> bool:
    """Whether a data set says where edits of its reports are from."""
    return _own(dataset) is not None or _asked(dataset) is not None


def edits_of(dataset: RetrievalDataset, edits: Edits | None = None) -> EditedReports:
    """The edits of a data set's reports.

    Args:
        dataset: An opened data set.
        edits: Where they are from. None for the data set's own, made from what it knows
            of its images; else for the table, or the rules, that its option
            `counterfactuals` names.

    Raises:
        DatasetError: The data set has no edits and names no source of any; its own edits
            are none, or have the kind `all`; or a table does not fit its reports.
    """
    if isinstance(edits, EditedReports):
        return _checked(edits, dataset.name)
    if edits is not None:
        return _named(dataset, edits)
    own = _own(dataset)
    if own is not None:
        return _called(dataset, own)
    asked = _asked(dataset)
    if asked is not None:
        return _named(dataset, asked)
    raise DatasetError(
        f"Expected edits of the reports of {dataset.name}, got none. Write"
        f' counterfactuals = "rules" (English free text) or the path of a table of pairs'
        f" under [datasets.{dataset.name.partition('(')[0]}] in robust.toml, or give the"
        " data set's class a method edited_reports()."
    )


def _own(dataset: object) -> Any:
    return getattr(dataset, "edited_reports", None)


def _asked(dataset: object) -> Any:
    return getattr(dataset, "counterfactuals", None)


def _called(dataset: RetrievalDataset, own: Any) -> EditedReports:
    """What a data set's own method gives, which may be a user's."""

    def failed(error: BaseException) -> RobustError:
        return traced(
            DatasetError(
                f"Expected edited_reports of {dataset.name} to give EditedReports, got"
                f" {described(error)}. Fix that method."
            ),
            error,
        )

    edited = attempted(own, failed)
    if not isinstance(edited, EditedReports):
        raise DatasetError(
            f"Expected edited_reports of {dataset.name} to give EditedReports, got a"
            f" {type(edited).__name__}. Return EditedReports(edits, reports, source)."
        )
    return _checked(edited, dataset.name)


def _checked(edited: EditedReports, name: str) -> EditedReports:
    """The same, if each edit is one: what a user's class makes may be anything."""
    for place, edit in enumerate(edited.edits):
        is_edit = isinstance(edit, ReportEdit)
        if not (is_edit and isinstance(edit.text, str) and edit.text.strip()):
            raise DatasetError(
                f"Expected ReportEdit objects with a text from {name}, got another"
                f" object, or a blank text, at edit={place}. Leave out what has no text."
            )
        if not (isinstance(edit.kind, str) and edit.kind.strip()):
            raise DatasetError(
                f"Expected a word for the kind of every edit of {name}, got none at"
                f" edit={place}. Use one of the kinds of this package, or your own."
            )
        if edit.kind.strip().lower() == ALL_KINDS:
            raise DatasetError(
                f"Expected a kind of edit from {name}, got kind={ALL_KINDS!r} at"
                f" edit={place}, which stands for the edits of all kinds together. Give"
                " these edits another word."
            )
    return edited


def _named(dataset: RetrievalDataset, source: str | PathLike[str]) -> EditedReports:
    reports = list(dataset.reports)
    if str(source) == RULES:
        from ...texts.edits.rules import edited_by_rules

        return edited_by_rules(reports)
    from ...texts.edits.table import edits_of_table

    report_ids = getattr(dataset, "report_ids", None)
    return edits_of_table(Path(source).expanduser(), reports, report_ids)
