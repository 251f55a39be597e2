"""What changed query by query, as text, Markdown and HTML show it: answers that were lost and
won, what is left of the first k answers, and whether confidence warns.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..core.cases import DIRECTIONS, Case, Direction
from ..gate.changed_answers import ChangedAnswers
from ._text import level_text, number, percent, short

if TYPE_CHECKING:
    from ..core.outcomes import Answers, Outcome
    from ..gate.record import RunRecord

HEADS = ("lost %", "95 %", "won %", "95 %", "same first k %", "AURC", "excess")
"""The numbers of a row, after its names."""


@dataclass(frozen=True)
class AnswerRow:
    """One cell in one direction, at the k that the run shows."""

    case: Case
    direction: Direction
    k: int
    changed: ChangedAnswers | None
    """None at level 0, and without ranks."""
    answers: Answers | None

    @property
    def perturbation(self) -> str:
        """What is done, or that nothing is."""
        return short(self.case.occluder) if self.case.level > 0 else "nothing done"

    @property
    def level(self) -> str:
        return level_text(self.case.level, self.case.family)

    @property
    def texts(self) -> list[str]:
        """The numbers under `HEADS`."""
        changed = self.changed
        shares = ["–"] * 4
        if changed is not None:
            shares = [
                percent(changed.lost),
                _ends(changed.lost_interval),
                percent(changed.won),
                _ends(changed.won_interval),
            ]
        answers = self.answers
        if answers is None:
            return [*shares, "–", "–", "–"]
        return [
            *shares,
            percent(answers.overlap.get(self.k)),
            number(answers.aurc),
            number(answers.excess_aurc),
        ]


def answer_rows(run: RunRecord, direction: Direction | None = None) -> list[AnswerRow]:
    """One row per cell and direction, the cell with nothing done once per model and data
    set; none where nothing is known.
    """
    by_key = {(one.case, one.direction, one.k): one for one in run.changed}
    rows = []
    seen: set[tuple[str, str, Direction]] = set()
    for outcome in run.outcomes:
        for way in DIRECTIONS if direction is None else (direction,):
            case = outcome.case
            if case.level == 0:
                if (case.model, case.dataset, way) in seen:
                    continue
                seen.add((case.model, case.dataset, way))
            row = _row(outcome, way, run.shown_k, by_key)
            if row.changed is not None or row.answers is not None:
                rows.append(row)
    return rows


def _row(
    outcome: Outcome,
    direction: Direction,
    k: int,
    by_key: dict[tuple[Case, Direction, int], ChangedAnswers],
) -> AnswerRow:
    scores = outcome.scores(direction)
    if k not in scores.recall:
        k = min(scores.recall)
    changed = by_key.get((outcome.case, direction, k))
    return AnswerRow(outcome.case, direction, k, changed, scores.answers)


def _ends(interval: tuple[float, float]) -> str:
    low, high = interval
    return f"{percent(low)} to {percent(high)}"


def answer_sentences(run: RunRecord) -> Iterator[tuple[Case, str]]:
    """The case of each cell, and a line on its answers in one direction, for a terminal."""
    for row in answer_rows(run):
        words = []
        if row.changed is not None:
            changed = row.changed
            words += [
                f"R@{row.k} lost {percent(changed.lost)} [{_ends(changed.lost_interval)}]",
                f"won {percent(changed.won)} [{_ends(changed.won_interval)}]",
            ]
        if row.answers is not None:
            overlap = row.answers.overlap.get(row.k)
            if overlap is not None:
                words.append(f"{percent(overlap)} of the first {row.k} as before")
            words.append(
                f"AURC {number(row.answers.aurc)}"
                f" ({number(row.answers.excess_aurc)} above the least)"
            )
        yield row.case, f"{row.direction} {', '.join(words)}"


def answer_blocks(run: RunRecord) -> Iterator[str]:
    """The Markdown report's part, from image to report: a folded table."""
    from .markdown.dialect import code, folded, table

    rows = answer_rows(run, DIRECTIONS[0])
    if not rows:
        return
    has_seeds = len({row.case.seed for row in rows}) > 1
    heads = ["model", "data set", "perturbation", "level"]
    heads += ["seed"] if has_seeds else []
    cells = []
    for row in rows:
        case = row.case
        names = [code(case.model), code(case.dataset)]
        names.append(code(case.occluder) if case.level > 0 else "nothing done")
        names.append(row.level)
        names += [str(case.seed)] if has_seeds else []
        cells.append([*names, *row.texts])
    k = max(row.k for row in rows)
    title = f"What changed, query by query (image to report, k = {k})"
    yield folded(title, table([*heads, *HEADS], cells, len(heads)))
