"""`compare RUN...`: a candidate beside its baseline, or many models side by side."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from ...core.words import counted
from ._errors import Commands, reason_of, report_error, text_of
from ._saved_run import add_out, print_or_write
from ._side_by_side import add_question, compare_many

if TYPE_CHECKING:
    from ...gate.record import RunRecord
    from ...reports.terminal.lines import Line

SHOWN = 20
"""Cells that are listed without --verbose."""


def add_parser(commands: Commands) -> None:
    parser = commands.add_parser(
        "compare",
        help="two saved runs, the baseline first (exit 1: a loss, 2: other data), or"
        " models of any number of runs side by side",
    )
    parser.add_argument(
        "runs",
        type=Path,
        nargs="+",
        metavar="RUN",
        help="folders that --robust-results wrote; of two, the baseline's is the first",
    )
    parser.add_argument(
        "--models",
        metavar="LIST",
        help="set these models of the runs side by side: names or globs (default: with"
        " one run, or more than two, all; with two, a candidate beside its baseline)",
    )
    parser.add_argument(
        "--policy",
        type=Path,
        metavar="FILE",
        help="of a candidate and its baseline: a robust.toml whose gates decide",
    )
    parser.add_argument(
        "--reference",
        type=Path,
        metavar="DIR",
        help="of a candidate and its baseline: a run that stays while baselines come and"
        " go, to show what was lost since it",
    )
    parser.add_argument(
        "-v",
        "--verbose",
        action="store_true",
        help="show every cell, direction and k, or every pair of models",
    )
    add_question(parser, "--by")
    parser.add_argument(
        "--picture",
        type=Path,
        metavar="FILE",
        help="of models side by side: write an SVG whose bars join those that are not"
        " told apart",
    )
    parser.add_argument("--json", action="store_true", help="JSON in place of text")
    add_out(parser)
    parser.set_defaults(run=run)


def run(parsed: argparse.Namespace) -> int:
    from ...core.errors import RobustError
    from ..outputs import check_out

    is_pair = len(parsed.runs) == 2 and parsed.models is None
    problem = _unfit_option(parsed, is_pair)
    if problem is not None:
        return report_error(problem)
    try:
        for path in filter(None, (parsed.out, parsed.picture)):
            check_out(path)
        code, text = _compare_pair(parsed) if is_pair else compare_many(parsed)
        print_or_write(text, parsed.out)
    except RobustError as error:
        return report_error(text_of(error))
    except BrokenPipeError:
        # Of the printed text: no place is wrong.
        raise
    except OSError as error:
        return report_error(
            "Expected a place for --out and --picture that can be written, got:"
            f" {reason_of(error)}. Choose another one."
        )
    return code


def _unfit_option(parsed: argparse.Namespace, is_pair: bool) -> str | None:
    """A sentence where an option has no meaning for what is compared."""
    for option in ("policy", "reference"):
        if not is_pair and getattr(parsed, option) is not None:
            return (
                f"Expected a baseline and a candidate for --{option}, got"
                f" runs={len(parsed.runs)} side by side. Name two runs and no --models."
            )
    if is_pair and parsed.picture is not None:
        return (
            "Expected models side by side for --picture, got a candidate and its"
            " baseline. Add --models '*'."
        )
    return None


def _compare_pair(parsed: argparse.Namespace) -> tuple[int, str]:
    baseline, candidate = parsed.runs
    if parsed.json:
        record = _judged(baseline, candidate, parsed.policy, parsed.reference)
        text = f"{json.dumps(_as_json(record), indent=2)}\n"
        return _exit_code(record, parsed.policy is not None), text
    code, lines = compare(
        baseline, candidate, parsed.policy, parsed.verbose, parsed.reference
    )
    return code, "".join(f"{line}\n" for line in lines)


def _as_json(record: RunRecord) -> dict[str, object]:
    """What text says of the two: every cell, and gates of a policy."""
    baseline = record.baseline
    assert baseline is not None
    return {
        "baseline": {"id": baseline.id, "started": baseline.started},
        "candidate": {
            "id": record.identity.id,
            "started": record.identity.started,
        },
        "obstacles": list(baseline.obstacles),
        "vanished": list(baseline.vanished),
        "cells": [cell.as_json() for cell in baseline.cells],
        "verdicts": [verdict.as_json() for verdict in record.verdicts],
    }


def compare(
    baseline: Path,
    candidate: Path,
    policy_file: Path | None,
    verbose: bool,
    reference: Path | None = None,
) -> tuple[int, list[str]]:
    """(exit code, lines): 0 fine; 1 a gate or, without a policy, a significant loss;
    2 not comparable.

    Raises `RobustError` for a run or policy that cannot be read.
    """
    is_judged = policy_file is not None
    record = _judged(baseline, candidate, policy_file, reference)
    lines = []
    for line in _lines(record, is_judged, verbose):
        lines.append("".join(span.text for span in line))
    return _exit_code(record, is_judged), lines


def _judged(
    baseline: Path, candidate: Path, policy_file: Path | None, reference: Path | None
) -> RunRecord:
    from ...gate.record import Against, judge_run
    from ...reports.saved.read import load_run
    from ._policy import policy_for

    policy, run = policy_for(load_run(candidate), policy_file)
    return judge_run(
        run,
        policy,
        Against(load_run(baseline)),
        against_reference=Against(None if reference is None else load_run(reference)),
    )


def _lines(record: RunRecord, is_judged: bool, verbose: bool) -> Iterator[Line]:
    from ...reports.group_tables import difference_lines as group_differences
    from ...reports.reference_tables import reference_lines
    from ...reports.terminal.baseline import difference_lines, significant_losses
    from ...reports.terminal.lines import Span
    from ...reports.terminal.summary import release_line, verdict_lines

    baseline = record.baseline
    assert baseline is not None
    yield [Span(f"baseline:  {baseline.started}, id {baseline.id}")]
    yield [Span(f"candidate: {record.identity.started}, id {record.identity.id}")]
    for sentence in (*baseline.obstacles, *baseline.vanished):
        yield [Span(sentence)]
    # What must not be compared has no cells worth showing.
    if baseline.obstacles:
        return
    if not baseline.cells:
        yield [
            Span(
                "The two have no cell in common. Compare runs of the same models, data"
                " sets, occluders and levels; --models '*' says what differs."
            )
        ]
        return
    yield from difference_lines(baseline.cells, None if verbose else SHOWN)
    yield from group_differences(record, None if verbose else SHOWN)
    if record.reference is not None:
        for sentence in (*record.reference.obstacles, *record.reference.vanished):
            yield [Span(sentence)]
        yield from reference_lines(record, int(verbose))
    if is_judged:
        yield from verdict_lines(record)
        yield [Span(release_line(record))]
        return
    losses = len(significant_losses(baseline.cells))
    yield [
        Span(
            f"{losses} of {counted(len(baseline.cells), 'cell')} lost (Holm's p below 0.05)"
        )
    ]


def _exit_code(record: RunRecord, is_judged: bool) -> int:
    from ...reports.terminal.baseline import significant_losses

    baseline = record.baseline
    assert baseline is not None
    if baseline.obstacles or not baseline.cells:
        return 2
    if is_judged:
        return 0 if record.release.is_green else 1
    has_loss = baseline.vanished or significant_losses(baseline.cells)
    return 1 if has_loss else 0
