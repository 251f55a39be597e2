"""What a leaderboard shows: tables of submissions that may be compared, and those that
were refused.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from ...core.cases import Direction, Json, clean_words, levels_word
from ...gate.comparability import DATA_FACTS, short_value
from ...gate.contenders import Criterion
from ...gate.side_by_side import Apart, Entry, Table, side_by_side
from ...gate.standings import Standing
from .._text import level_text, percent
from ..saved.submission import Submission
from ..terminal.standings import ranks_words

BOARD_VERSION = 1
PAGES = "runs"
"""The folder of the runs' own pages, beside the board."""
_MOST_LINKED = 12
"""Tables that the navigation lists."""


@dataclass(frozen=True)
class Asked:
    """What the board ranks by."""

    k: int | None = None
    """None: the largest that all models of a table have."""
    direction: Direction = "image-to-report"
    criterion: Criterion = Criterion.MEAN


@dataclass(frozen=True, repr=False)
class Row:
    """A model of a table, as text."""

    standing: Standing
    ranks: str
    """The ranks that it may have."""
    value: str
    """What it is ranked by, in %."""
    clean: str
    last: str
    kept: str
    """The last level's share of level 0, in %; a dash where nothing is found there."""
    date: str
    marks: tuple[str, ...]
    """Why it is no whole run of known ranks."""
    link: str | None
    """The submitter's own page."""
    page: str | None
    """The run's page beside the board."""

    @property
    def name(self) -> str:
        return self.standing.name


@dataclass(frozen=True, repr=False)
class BoardTable:
    """Models that may be compared."""

    number: int
    table: Table
    rows: tuple[Row, ...]

    @property
    def id(self) -> str:
        return f"table-{self.number}"

    @property
    def title(self) -> str:
        setting = self.table.standings.setting
        return f"{setting.dataset}, {setting.perturbation}"

    @property
    def criterion(self) -> str:
        standings = self.table.standings
        return standings.question.words(standings.setting)

    @property
    def clean_head(self) -> str:
        return clean_words(self.table.standings.setting.family).capitalize()

    @property
    def last_head(self) -> str:
        setting = self.table.standings.setting
        word = "Severity " if setting.family != "occlusion" else "At "
        return f"{word}{level_text(setting.levels[-1], setting.family)}"

    @property
    def facts(self) -> Iterator[tuple[str, str]]:
        """What all models of the table have in common."""
        standings = self.table.standings
        setting = standings.setting
        levels = levels_word(setting.family)
        yield (
            levels,
            ", ".join(level_text(each, setting.family) for each in setting.levels),
        )
        yield "seeds", ", ".join(map(str, setting.seeds))
        yield "precision", setting.precision
        for name, value in zip(DATA_FACTS, setting.facts, strict=True):
            if value is not None:
                yield DATA_FACTS[name], short_value(value).strip("'")
        if standings.queries is not None:
            yield "queries", f"{standings.queries:,}"
            yield "patients", f"{standings.patients:,}"

    @property
    def has_picture(self) -> bool:
        return self.table.standings.pairs is not None


@dataclass(frozen=True, repr=False)
class Board:
    """Everything that the page, JSON and CSV say."""

    version: str
    asked: Asked
    tables: tuple[BoardTable, ...]
    apart: tuple[Apart, ...]
    """Models that no table has, with the reason."""
    refused: tuple[Apart, ...]
    """Submissions that could not be taken, with the reason."""
    pages: Mapping[str, Submission] = field(default_factory=dict)
    """Runs that get pages of their own, by the names of these."""

    @property
    def linked_tables(self) -> tuple[BoardTable, ...]:
        return self.tables[:_MOST_LINKED]

    @property
    def models(self) -> int:
        """How many models stand on it, each once."""
        return len({row.name for table in self.tables for row in table.rows})

    def as_json(self) -> Json:
        return {
            "board_version": BOARD_VERSION,
            "version": self.version,
            "sort": self.asked.criterion.value,
            "tables": [_table_json(table) for table in self.tables],
            "apart": [apart.as_json() for apart in self.apart],
            "refused": [refused.as_json() for refused in self.refused],
        }


def board_of(
    submissions: Sequence[Submission],
    refused: Sequence[Apart] = (),
    asked: Asked | None = None,
    *,
    with_pages: bool = False,
) -> Board:
    """The board of submissions that were read, and of those that were refused.

    Raises:
        ArgumentError: No model of the submissions was measured at level 0.
    """
    from ... import __version__

    asked = asked or Asked()
    entries = [
        Entry(each.run, each.place, each.name, each.models) for each in submissions
    ]
    compared = side_by_side(entries, asked.k, asked.direction, asked.criterion)
    of_run = {id(each.run): each for each in submissions}
    pages: dict[str, Submission] = {}
    if with_pages:
        pages = {_page_name(each): each for each in submissions}
    tables = []
    for number, table in enumerate(compared.tables, start=1):
        rows = []
        for standing in table.standings.rows:
            submission = of_run[id(standing.contender.run)]
            page = f"{PAGES}/{_page_name(submission)}" if with_pages else None
            rows.append(_row(standing, submission, page))
        tables.append(BoardTable(number, table, tuple(rows)))
    return Board(
        __version__, asked, tuple(tables), compared.apart, tuple(refused), pages
    )


def _page_name(submission: Submission) -> str:
    """The same for the same run; an id may hold anything, and so it is hashed."""
    identity = submission.run.measured.identity
    digest = hashlib.blake2b(identity.id.encode(), digest_size=8).hexdigest()
    return f"{digest}.html"


def _row(standing: Standing, submission: Submission, page: str | None) -> Row:
    measured = submission.run.measured
    clean = float(standing.recalls[0])
    last = float(standing.recalls[-1])
    return Row(
        standing,
        ranks=ranks_words(standing) if submission.has_ranks else "–",
        value=percent(standing.value),
        clean=percent(clean),
        last=percent(last),
        kept=percent(last / clean if clean > 0 else None, 0),
        date=measured.identity.started[:10],
        marks=tuple(_marks(submission)),
        link=submission.link,
        page=page,
    )


def _marks(submission: Submission) -> Iterator[str]:
    if not submission.has_ranks:
        yield "no ranks of its queries: numbers as submitted, without a rank"
    if submission.run.measured.limit is not None:
        yield f"smoke run: the first {submission.run.measured.limit} pairs"
    if submission.run.measured.scope.partial is not None:
        yield "partial run: tests were left out"


def _table_json(table: BoardTable) -> Json:
    data = table.table.standings.as_json()
    for written, row in zip(data["models"], table.rows, strict=True):
        written |= {"link": row.link, "page": row.page, "marks": list(row.marks)}
    return {"number": table.number, **data, "why_apart": table.table.why_apart}
