"""What `compare` and `leaderboard` share: options on the question, and `compare` of many."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ...core.cases import DIRECTIONS

if TYPE_CHECKING:
    from ...gate.side_by_side import Entry, SideBySide, Table

CRITERIA = ("mean", "clean", "hardest", "auc")
"""Those of `gate.contenders`, which loads numpy."""
SHOWN = 20
"""Pairs that are listed without --verbose."""


def add_question(parser: argparse.ArgumentParser, by: str) -> None:
    """Options on what models are ranked by; `by` is the flag of the criterion."""
    parser.add_argument(
        by,
        dest="criterion",
        choices=CRITERIA,
        default=CRITERIA[0],
        help="what models are ranked by: Recall@k in the mean over all levels, at level"
        " 0, at the highest level, or the area under the curve (default: %(default)s)",
    )
    parser.add_argument(
        "--direction",
        choices=DIRECTIONS,
        default=DIRECTIONS[0],
        help="(default: %(default)s)",
    )
    parser.add_argument(
        "--k",
        type=_k,
        metavar="K",
        help="the k of Recall@k (default: the largest that all of a table have)",
    )


def _k(text: str) -> int:
    value = int(text) if text.isascii() and text.isdigit() else 0
    if value < 1:
        raise argparse.ArgumentTypeError(
            f"Expected a k from 1, got k={text!r}. Use one that was measured, as 10."
        )
    return value


def asked(parsed: argparse.Namespace, entries: Sequence[Entry]) -> SideBySide:
    """The tables that the options ask for."""
    from ...gate.contenders import Criterion
    from ...gate.side_by_side import side_by_side

    return side_by_side(
        entries, parsed.k, parsed.direction, Criterion(parsed.criterion)
    )


def compare_many(parsed: argparse.Namespace) -> tuple[int, str]:
    """(exit status, text) of `compare` with more than two runs, or with `--models`.

    0 where models could be compared; 2 where no two could.

    Raises `RobustError` for a run that cannot be read, or that is given twice.
    """
    compared = asked(parsed, _entries(parsed))
    tables = [table for table in compared.tables if len(table.names) > 1]
    if parsed.picture is not None and tables:
        _write_picture(parsed.picture, tables)
    status = 0 if tables else 2
    if parsed.json:
        return status, f"{json.dumps(_as_json(compared, tables), indent=2)}\n"
    lines = [*_table_lines(tables, parsed.verbose), *_apart_lines(compared)]
    return status, "".join(f"{line}\n" for line in lines)


def _entries(parsed: argparse.Namespace) -> list[Entry]:
    from ...core.errors import ArgumentError
    from ...core.names import split_list
    from ...gate.side_by_side import Entry
    from ...reports.saved.read import load_run

    models = ["*"] if parsed.models is None else split_list("--models", parsed.models)
    entries: list[Entry] = []
    places: dict[str, str] = {}
    for folder in parsed.runs:
        run = load_run(folder)
        place = folder.name or folder.absolute().name
        identity = run.measured.identity.id
        if identity in places:
            raise ArgumentError(
                f"Expected different runs, got the same (id {identity}) as"
                f" {places[identity]!r} and {place!r}. Name each run once."
            )
        places[identity] = place
        entries.append(Entry(run, place, models=models))
    return entries


def _write_picture(path: Path, tables: Sequence[Table]) -> None:
    from ...core.atomic_files import write_whole_text
    from ...reports.leaderboard.picture import standalone

    write_whole_text(path, standalone([table.standings for table in tables]))


def _as_json(compared: SideBySide, tables: Sequence[Table]) -> dict[str, object]:
    written = []
    for table in tables:
        standings = table.standings
        names = [row.name for row in standings.ranked]
        written.append(
            {
                **standings.as_json(),
                "why_apart": table.why_apart,
                "not_told_apart": [
                    names[first : last + 1] for first, last in standings.bars
                ],
                "pairs": [pair.as_json() for pair in standings.differences],
            }
        )
    alone = [
        {"name": table.names[0], "reason": _why_alone(table)}
        for table in compared.tables
        if len(table.names) == 1
    ]
    return {
        "tables": written,
        "apart": [*alone, *(apart.as_json() for apart in compared.apart)],
    }


def _table_lines(tables: Sequence[Table], verbose: bool) -> Iterator[str]:
    from ...reports.terminal.standings import standings_lines

    for table in tables:
        if table.why_apart is not None:
            yield from _wrapped(table.why_apart)
        for line in standings_lines(table.standings, None if verbose else SHOWN):
            yield "".join(span.text for span in line)
        yield ""


def _apart_lines(compared: SideBySide) -> Iterator[str]:
    """Models that stand beside no other, with the reason."""
    for table in compared.tables:
        if len(table.names) == 1:
            yield from _wrapped(f"{table.names[0]} stands alone. {_why_alone(table)}")
    for apart in compared.apart:
        yield from _wrapped(f"{apart.name} was left out. {apart.reason}")


def _why_alone(table: Table) -> str:
    if table.why_apart is not None:
        return table.why_apart
    return (
        f"No other model was measured on {table.standings.setting}. Compare runs of the"
        " same data, perturbations, levels, seeds and precision."
    )


def _wrapped(sentence: str) -> list[str]:
    from ...core.plain_text import plain
    from ...reports.terminal.lines import wrapped

    return wrapped(plain(sentence))
