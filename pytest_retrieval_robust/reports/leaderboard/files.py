"""A leaderboard as files: a page, JSON, CSV, and pages of the runs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from markupsafe import Markup

from ...core.atomic_files import write_whole_text
from ...gate.policy import Policy
from ...gate.record import Against, judge_run
from .._text import plain
from ..html.page import render_html
from ..html.rendering import Assets, environment
from ..paper_table import csv_text
from .board import PAGES, Board, BoardTable, Row
from .picture import picture

PAGE = "index.html"
JSON_FILE = "leaderboard.json"
CSV_FILE = "leaderboard.csv"
BOARD_COLUMNS = (
    "table",
    "data set",
    "fingerprint",
    "family",
    "perturbation",
    "levels",
    "seeds",
    "precision",
    "limit",
    "direction",
    "k",
    "criterion",
    "model",
    "rank",
    "best rank",
    "worst rank",
    "value",
    "recall at level 0",
    "recall at last level",
    "queries",
    "patients",
    "run",
    "started",
    "version",
    "marks",
    "link",
)


def write_board(board: Board, folder: Path) -> None:
    """Write it into a folder, which is made. Each file appears whole or not at all; the
    page comes last, so that its links lead somewhere.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if board.pages:
        (folder / PAGES).mkdir(exist_ok=True)
    for name, submission in board.pages.items():
        record = judge_run(submission.run, Policy(), Against())
        write_whole_text(folder / PAGES / name, render_html(record))
    text = json.dumps(board.as_json(), indent=2, allow_nan=False)
    write_whole_text(folder / JSON_FILE, f"{text}\n")
    write_whole_text(folder / CSV_FILE, board_csv(board))
    write_whole_text(folder / PAGE, render_board(board))


def render_board(board: Board) -> str:
    """The page: one file that loads nothing from elsewhere. It holds numbers and names
    alone.
    """
    template = environment().get_template("board.html.j2")
    return template.render(
        board=board,
        assets=Assets.read("board.css"),
        files=(CSV_FILE, JSON_FILE),
        picture=_picture,
    )


def _picture(table: BoardTable) -> Markup:
    return picture(table.table.standings)


def board_csv(board: Board) -> str:
    """One row per table and model. Shares go from 0 to 1."""
    rows = [list(_csv_row(table, row)) for table in board.tables for row in table.rows]
    return csv_text(BOARD_COLUMNS, rows)


def _csv_row(table: BoardTable, row: Row) -> Iterator[Any]:
    standings = table.table.standings
    setting = standings.setting
    interval = row.standing.interval
    identity = row.standing.contender.run.measured.identity
    yield from (table.number, plain(setting.dataset), setting.fingerprint)
    yield from (setting.family, plain(setting.perturbation))
    yield " ".join(f"{level:g}" for level in setting.levels)
    yield " ".join(map(str, setting.seeds))
    yield from (setting.precision, setting.limit)
    question = standings.question
    yield from (question.direction, question.k, question.criterion.value)
    yield from (plain(row.name), row.standing.rank)
    yield None if interval is None else interval.best
    yield None if interval is None else interval.worst
    recalls = row.standing.recalls
    for share in (row.standing.value, float(recalls[0]), float(recalls[-1])):
        yield f"{share:.6f}"
    yield from (standings.queries, standings.patients)
    yield from map(plain, (identity.id, identity.started, identity.version))
    yield from ("; ".join(row.marks), row.link)
