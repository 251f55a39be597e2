"""`leaderboard RUN... --out DIR`: submissions side by side, as a page that needs no
network.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ...core.words import counted
from ._errors import USAGE_ERROR, Commands, reason_of, report_error, text_of
from ._side_by_side import add_question

if TYPE_CHECKING:
    from ...gate.side_by_side import Apart
    from ...reports.leaderboard.board import Board
    from ...reports.saved.submission import Submission


def add_parser(commands: Commands) -> None:
    parser = commands.add_parser(
        "leaderboard",
        help="runs side by side as a static page, JSON and CSV; exit 1: some refused",
    )
    parser.add_argument(
        "runs",
        type=Path,
        nargs="+",
        metavar="RUN",
        help="folders that --robust-results wrote, or submissions: .json files with"
        " name, run (a folder beside the file), and perhaps link and model",
    )
    parser.add_argument(
        "--out",
        type=Path,
        metavar="DIR",
        required=True,
        help="where index.html, leaderboard.json and leaderboard.csv are written",
    )
    add_question(parser, "--sort")
    parser.add_argument(
        "--pages",
        action="store_true",
        help="write each run's own page too, and link to it (it has the run's command"
        " and machine)",
    )
    parser.set_defaults(run=run)


def run(parsed: argparse.Namespace) -> int:
    from ...core.errors import RobustError
    from ...reports.leaderboard.files import PAGE, write_board
    from ..outputs import check_folder

    try:
        check_folder("--out", parsed.out)
        submissions, refused = _read(parsed.runs)
        for each in refused:
            print(f"Refused {each.name}: {each.reason}", file=sys.stderr)
        if not submissions:
            return USAGE_ERROR
        board = _board(parsed, submissions, refused)
        write_board(board, parsed.out)
    except RobustError as error:
        return report_error(text_of(error))
    except OSError as error:
        return report_error(
            "Expected a folder for --out that can be written, got:"
            f" {reason_of(error)}. Choose another one."
        )
    for table in board.tables:
        standings = table.table.standings
        models = counted(len(table.rows), "model")
        print(f"table {table.number}: {models} of {standings.setting}")
    for each in board.apart:
        print(f"Left out {each.name}: {each.reason}", file=sys.stderr)
    print(f"wrote {parsed.out.name}/{PAGE}")
    return 1 if refused or board.apart else 0


def _read(
    paths: Sequence[Path],
) -> tuple[list[Submission], list[Apart]]:
    """The submissions that are whole, and the others with what is wrong with each."""
    from ...core.errors import RobustError
    from ...gate.side_by_side import Apart
    from ...reports.saved.submission import read_submission

    submissions: list[Submission] = []
    refused: list[Apart] = []
    for path in paths:
        try:
            submission = read_submission(path)
        except RobustError as error:
            place = path.name or path.absolute().name
            refused.append(Apart(place, str(error)))
            continue
        earlier = next(
            (each for each in submissions if _overlap(each, submission)), None
        )
        if earlier is None:
            submissions.append(submission)
            continue
        reason = (
            f"Expected a run of its own, got that of {earlier.place!r} again (id"
            f" {submission.run.measured.identity.id}). Leave one of them out."
        )
        refused.append(Apart(submission.place, reason))
    return submissions, refused


def _overlap(first: Submission, second: Submission) -> bool:
    """Whether two submissions show a model of one run twice. Two models of one run may be
    two submissions.
    """
    if first.run.measured.identity.id != second.run.measured.identity.id:
        return False
    return None in (first.model, second.model) or first.model == second.model


def _board(
    parsed: argparse.Namespace,
    submissions: Sequence[Submission],
    refused: Sequence[Apart],
) -> Board:
    from ...gate.contenders import Criterion
    from ...reports.leaderboard.board import Asked, board_of

    asked = Asked(parsed.k, parsed.direction, Criterion(parsed.criterion))
    return board_of(submissions, refused, asked, with_pages=parsed.pages)
