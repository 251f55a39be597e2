"""What the commands of a saved run share: reading it, and where they write."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from ._errors import reason_of, report_error, text_of

if TYPE_CHECKING:
    from ...gate.pairing import Run
    from ...gate.record import RunRecord


def add_run(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "folder",
        type=Path,
        metavar="RUN",
        help="the folder that --robust-results wrote",
    )


def add_out(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--out",
        type=Path,
        metavar="FILE",
        help="write it there (default: print it)",
    )


def with_saved_run(
    parsed: argparse.Namespace, action: Callable[[RunRecord], None]
) -> int:
    """Do something with the record of a saved run, which no policy judges; 2 where the
    run, or an option, is wrong.
    """

    def act(run: Run) -> int:
        from ...gate.policy import Policy
        from ...gate.record import Against, judge_run

        action(judge_run(run, Policy(), Against()))
        return 0

    return with_loaded_run(parsed, act)


def with_loaded_run(parsed: argparse.Namespace, action: Callable[[Run], int]) -> int:
    """Do something with a saved run; returns its exit status, or 2 where the run, or an
    option, is wrong.
    """
    from ...core.errors import RobustError
    from ...reports.saved.read import load_run
    from ..outputs import check_out

    try:
        if parsed.out is not None:
            check_out(parsed.out)
        return action(load_run(parsed.folder))
    except RobustError as error:
        return report_error(text_of(error))
    except BrokenPipeError:
        # Of the printed text: no place is wrong.
        raise
    except OSError as error:
        return report_error(
            "Expected a place for --out that can be written, got:"
            f" {reason_of(error)}. Choose another one."
        )


def print_or_write(text: str, out: Path | None) -> None:
    from ...core.atomic_files import write_whole_text

    if out is None:
        sys.stdout.write(text)
        return
    write_whole_text(out, text)
