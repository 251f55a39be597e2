"""A user's own table of pairs: an original report, the same report with an error, its kind."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ...core.counterfactuals import EditedReports, ReportEdit
from ...core.errors import ArgumentError, DatasetError
from .table_files import rows_of
from .table_layouts import Layout, Pair, as_compared, as_id, layout_of, pair_of


@dataclass(frozen=True)
class Matching:
    """What became of the rows of a table. It holds numbers alone."""

    layout: str
    rows: int
    matched: int
    """Rows that gave at least one edit."""
    not_matched: int
    """Rows whose original is no report of the data set."""
    unchanged: int
    """Rows whose edited text is the original, or that say that they have no error."""
    ambiguous: int
    """Rows of sentences that stand in their report twice."""
    repeated: int
    """Rows that give an edit of a report again."""


@dataclass(frozen=True, repr=False)
class TableEdits(EditedReports):
    """The edits of a user's table, with what could not be used."""

    matching: Matching


def edits_of_table(
    path: str | Path, reports: Sequence[str], report_ids: Sequence[str] | None = None
) -> TableEdits:
    """The edits of a data set's reports that a table holds.

    A row belongs to every report whose text is its original, whatever the white space; or,
    where `report_ids` are given and the table has an id, to those of that id whose text is or
    holds the original. In the holding report the original alone is replaced, so that rows
    of sentences, or of one section, give whole reports.

    Columns: `original`, `edited`, `kind` (optional; "edit" without) and `id` (optional), or
    those of `LAYOUTS`. Files: .csv, .tsv, .jsonl, .ndjson, CXR-Align's .json, each also .gz.

    Args:
        path: The table.
        reports: The texts of the data set.
        report_ids: An id per report, for tables with ids; several reports may share one.

    Raises:
        DatasetError: The table cannot be read, lacks a column, has a row without a text or
            of the kind `all`, or none of its rows belongs to a report. Messages name rows
            by number alone.
        ArgumentError: `report_ids` has another length than `reports`.
    """
    if report_ids is not None and len(report_ids) != len(reports):
        raise ArgumentError(
            f"Expected an id per report, got report_ids={len(report_ids)} for"
            f" reports={len(reports)}. Give as many, or none."
        )
    gathered = _Gathered(reports, report_ids)
    layout: Layout | None = None
    for number, row in rows_of(Path(path).expanduser()):
        layout = layout or layout_of(row)
        gathered.take(pair_of(row, number, layout))
    if layout is None:
        raise DatasetError(
            "Expected a table of edits with rows, got rows=0. Add pairs, or leave out"
            " the table."
        )
    matching = gathered.matching(layout.name)
    if not gathered.edits:
        raise DatasetError(
            "Expected originals that are reports of the data set, got none that gives"
            f" an edit among rows={matching.rows} (not matched: {matching.not_matched},"
            f" unchanged: {matching.unchanged}, ambiguous: {matching.ambiguous})."
            " Compare the text option of the data set with what the table holds."
        )
    edits = sorted(gathered.edits, key=lambda edit: edit.report)
    return TableEdits(
        edits=edits, reports=len(reports), source="table", matching=matching
    )


@dataclass(repr=False)
class _Gathered:
    """The edits so far, and the counts of the rows. Its repr shows no text."""

    reports: Sequence[str]
    report_ids: Sequence[str] | None
    edits: list[ReportEdit] = field(default_factory=list)
    rows: int = 0
    matched: int = 0
    not_matched: int = 0
    unchanged: int = 0
    ambiguous: int = 0
    repeated: int = 0

    def __post_init__(self) -> None:
        self._texts = [as_compared(report) for report in self.reports]
        self._by_text = _numbers_by(self._texts)
        self._by_id = _numbers_by([as_id(name) for name in self.report_ids or ()])
        self._known: set[tuple[int, str]] = set()

    def take(self, pair: Pair) -> None:
        self.rows += 1
        if not pair.has_error or as_compared(pair.edited) == pair.original:
            self.unchanged += 1
            return
        texts = dict(self._edited_texts(pair))
        if not texts:
            self.not_matched += 1
            return
        usable = {number: text for number, text in texts.items() if text is not None}
        new = {(number, as_compared(text)) for number, text in usable.items()}
        new -= self._known
        if not usable:
            self.ambiguous += 1
        elif not new:
            self.repeated += 1
        else:
            self.matched += 1
        self._known |= new
        for number, text in usable.items():
            if (number, as_compared(text)) in new:
                self.edits.append(ReportEdit(number, pair.kind, "changed", text))

    def _edited_texts(self, pair: Pair) -> Iterator[tuple[int, str | None]]:
        """(report, its edited text) of each report that a row is about; None for a text
        that the row does not determine.
        """
        for number in self._by_text.get(pair.original, ()):
            yield number, pair.edited
        for name in pair.ids:
            for number in self._by_id.get(name, ()):
                text = self._texts[number]
                count = text.count(pair.original)
                if text == pair.original or count == 0:
                    continue
                replaced = text.replace(pair.original, as_compared(pair.edited))
                yield number, replaced if count == 1 else None

    def matching(self, layout: str) -> Matching:
        return Matching(
            layout=layout,
            rows=self.rows,
            matched=self.matched,
            not_matched=self.not_matched,
            unchanged=self.unchanged,
            ambiguous=self.ambiguous,
            repeated=self.repeated,
        )


def _numbers_by(values: Sequence[str]) -> Mapping[str, Sequence[int]]:
    numbers: dict[str, list[int]] = {}
    for number, value in enumerate(values):
        numbers.setdefault(value, []).append(number)
    return numbers
