"""Tables of what was measured with edited reports, one per data set and source of edits."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ..core.cases import Case, level_word
from ..core.counterfactual_outcomes import (
    ALL_KINDS,
    CounterfactualOutcome,
    DistractorRecall,
    WinShare,
)
from ..core.counterfactuals import in_order_of_kinds
from ..core.words import counted
from ._text import percent, plain, short

CSV_COLUMNS = (
    "model",
    "data set",
    "family",
    "perturbation",
    "level",
    "seed",
    "source",
    "number",
    "edits",
    "images",
    "value",
    "low",
    "high",
    "without edits",
)


@dataclass(frozen=True)
class EditTable:
    """The cells of one data set, whose edits are of one source."""

    dataset: str
    source: str
    kinds: tuple[str, ...]
    """Every kind that a cell has, after `all`."""
    ks: tuple[int, ...]
    outcomes: tuple[CounterfactualOutcome, ...]
    """Model by model, the clean cell of each first."""

    @property
    def title(self) -> str:
        return (
            f"{short(self.dataset)}: images whose own report beats an edit of it, in %"
        )

    @property
    def note(self) -> str:
        """What was compared: counts alone."""
        first = self.outcomes[0]
        note = (
            f"{counted(first.edits, 'edit')} ({SOURCES.get(self.source, self.source)})"
            f" of {first.edited} of {counted(first.reports, 'report')}; a tie is lost,"
            " and a coin reaches 50"
        )
        if first.without_edit:
            note += f"; {counted(first.without_edit, 'report')} count nowhere"
        return note

    @property
    def clean(self) -> tuple[CounterfactualOutcome, ...]:
        """One cell per model: that with nothing done to the images."""
        return tuple(one for one in self.outcomes if one.case.level == 0)

    def shares(self, outcome: CounterfactualOutcome) -> list[WinShare | None]:
        """The win shares of a cell in the order of `kinds`; None for a kind without edits."""
        by_kind = {share.kind: share for share in outcome.kinds}
        if outcome.overall is not None:
            by_kind[ALL_KINDS] = outcome.overall
        return [by_kind.get(kind) for kind in self.kinds]


SOURCES = {
    "exact": "exact, made from the findings",
    "rules": "made by rules",
    "table": "of the user's table",
}
"""Source -> what it is, in words."""


def edit_tables(outcomes: Sequence[CounterfactualOutcome]) -> list[EditTable]:
    """The tables of a run, in the order of its data sets."""
    groups: dict[tuple[str, str], list[CounterfactualOutcome]] = {}
    for outcome in outcomes:
        key = (outcome.case.dataset, outcome.source)
        groups.setdefault(key, []).append(outcome)
    tables = []
    for (dataset, source), group in groups.items():
        kinds = in_order_of_kinds(share.kind for one in group for share in one.kinds)
        ks = sorted({k for one in group for k in one.with_distractors.recall})
        tables.append(
            EditTable(dataset, source, (ALL_KINDS, *kinds), tuple(ks), tuple(group))
        )
    return tables


def cell_name(case: Case) -> str:
    """What was done to the images: `clean`, or `patches at level 0.2`."""
    if case.level == 0:
        return "clean"
    return f"{short(case.occluder)} at {level_word(case.family)} {case.level:g}"


def interval_text(interval: tuple[float, float]) -> str:
    """`90-93`, in %."""
    low, high = interval
    return f"{percent(low, 0)}-{percent(high, 0)}"


def recall_text(recall: DistractorRecall, k: int) -> str:
    """`85.6 > 33.2`: Recall@k among the reports, and with all edits beside them, in %."""
    without = percent(recall.without_edits.get(k))
    return f"{without} > {percent(recall.recall.get(k))}"


def edit_csv(outcomes: Sequence[CounterfactualOutcome]) -> list[list[object]]:
    """A row per number, under `CSV_COLUMNS`."""
    return [row for outcome in outcomes for row in _rows(outcome)]


def _rows(outcome: CounterfactualOutcome) -> Iterator[list[object]]:
    case = outcome.case
    subject: list[object] = [
        plain(case.model),
        plain(case.dataset),
        case.family,
        plain(case.occluder),
        case.level,
        case.seed,
        plain(outcome.source),
    ]
    overall = () if outcome.overall is None else (outcome.overall,)
    for share in (*overall, *outcome.kinds):
        name = f"win share {plain(share.kind)}"
        counts = [share.edits, share.images]
        yield [*subject, name, *counts, share.share, *share.interval, None]
    recall = outcome.with_distractors
    for k, value in recall.recall.items():
        counts = [recall.distractors, recall.queries]
        interval = recall.recall_interval[k]
        without = recall.without_edits[k]
        yield [*subject, f"recall@{k}", *counts, value, *interval, without]
