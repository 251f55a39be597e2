"""Mean corruption errors beside a baseline, as text, Markdown and HTML show them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..core.cases import DIRECTIONS
from ..gate.corruption_table import CorruptionErrors, Ends, NamedErrors
from ._text import number, short
from .terminal.lines import Line, Span

if TYPE_CHECKING:
    from ..gate.record import RunRecord

HEADS = ("CE", "95 %", "relative", "95 %")
"""The numbers of a row, after its names."""
_DASH = "–"
_FAMILIES = {
    "occlusion": "all occluders",
    "corruption": "all corruptions",
    "text-noise": "all text noise",
    "all": "everything",
}


@dataclass(frozen=True)
class ErrorRow:
    """A perturbation, or the mean over a family or all of them."""

    errors: CorruptionErrors
    named: NamedErrors | None
    """None for a mean."""

    @property
    def name(self) -> str:
        """The perturbation's name, or that of what the mean is over."""
        if self.named is not None:
            return short(self.named.name)
        return _FAMILIES[self.errors.family]

    @property
    def is_mean(self) -> bool:
        return self.named is None

    @property
    def texts(self) -> list[str]:
        """The numbers under `HEADS`."""
        errors = self.errors
        if self.named is not None:
            named = self.named
            ce, relative = (
                (named.ce, named.ce_interval),
                (named.relative_ce, named.relative_ce_interval),
            )
        else:
            ce, relative = (
                (errors.mce, errors.mce_interval),
                (errors.relative_mce, errors.relative_mce_interval),
            )
        return [number(ce[0]), _ends(ce[1]), number(relative[0]), _ends(relative[1])]


def error_rows(run: RunRecord, *, both: bool = True) -> list[ErrorRow]:
    """At the k that gates name, else the smallest: the means first, then each
    perturbation; `both` directions, or from image to report alone.
    """
    chosen = [
        one
        for one in run.corruption_errors
        if one.k == run.shown_k and (both or one.direction == DIRECTIONS[0])
    ]
    means = [ErrorRow(one, None) for one in chosen]
    named = [ErrorRow(one, each) for one in chosen for each in one.perturbations]
    return [*means, *named]


def why_dashes(rows: Sequence[ErrorRow]) -> str | None:
    """Why some of the rows have no number, in a sentence; None where all have theirs."""
    named = [row.named for row in rows if row.named is not None]
    texts = [text for row in rows for text in row.texts]
    if _DASH not in texts:
        return None
    reasons = []
    if any(each.ce is None for each in named):
        reasons.append("the baseline makes no error under a perturbation")
    if any(each.relative_ce is None and each.ce is not None for each in named):
        reasons.append(
            "(relative) the baseline makes no more errors under one than with nothing"
            " done"
        )
    return f"{_DASH}: {', or '.join(reasons)}, so there is nothing to divide by."


def _ends(interval: Ends | None) -> str:
    if interval is None:
        return _DASH
    low, high = interval
    if high is None:
        return f"{number(low)} or more"
    return f"{number(low)} to {number(high)}"


def error_lines(run: RunRecord, verbosity: int) -> Iterator[Line]:
    """The terminal's part: the means; with `-v` every perturbation and both directions.

    A run of occlusions alone shows them with `-v` only.
    """
    is_of_more = any(one.family != "occlusion" for one in run.corruption_errors)
    if verbosity <= 0 and not is_of_more:
        return
    rows = error_rows(run, both=verbosity > 0)
    if not rows:
        return
    k = rows[0].errors.k
    yield [Span(f"corruption error beside the baseline's (CE, k={k})", "bold")]
    shown = [row for row in rows if verbosity > 0 or row.is_mean]
    for row in shown:
        errors = row.errors
        place = f"{short(errors.model)} on {short(errors.dataset)}, {row.name}"
        ce, ends, relative, relative_ends = row.texts
        name = "mCE" if row.is_mean else "CE"
        yield [Span(f"{place}, {errors.direction}:")]
        yield [Span(f"  {name} {ce} [{ends}], relative {relative} [{relative_ends}]")]
    reason = why_dashes(rows)
    if reason is not None:
        yield [Span(f"  {reason}")]
    yield []


def error_blocks(run: RunRecord) -> Iterator[str]:
    """The Markdown report's part, from image to report."""
    from .markdown.dialect import code, folded, table

    rows = error_rows(run, both=False)
    if not rows:
        return
    heads = ["model", "data set", "perturbation", *HEADS]

    def cells(row: ErrorRow) -> list[str]:
        name = row.name if row.named is None else code(row.named.name)
        return [code(row.errors.model), code(row.errors.dataset), name, *row.texts]

    k = rows[0].errors.k
    yield "### Mean corruption error"
    yield (
        f"1 - Recall@{k}, image to report, as a multiple of the baseline's: above 1 is"
        " worse. Relative: of what is lost from the clean run on."
    )
    yield table(heads, [cells(row) for row in rows if row.is_mean], 3)
    named = [cells(row) for row in rows if not row.is_mean]
    yield folded("Of each perturbation", table(heads, named, 3))
    reason = why_dashes(rows)
    if reason is not None:
        yield reason
