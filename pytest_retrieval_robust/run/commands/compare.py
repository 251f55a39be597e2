"""`compare A B`: two saved runs, the baseline first, outside of pytest."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from ...core.words import counted
from ._errors import Commands, report_error, text_of

if TYPE_CHECKING:
    from ...gate.record import RunRecord
    from ...reports.terminal.lines import Line

SHOWN = 20
"""Cells that are listed without --verbose."""


def add_parser(commands: Commands) -> None:
    parser = commands.add_parser(
        "compare",
        help="two saved runs, the baseline first; exit 1: a loss, 2: other data",
    )
    parser.add_argument(
        "baseline", type=Path, metavar="A", help="the folder of the baseline's run"
    )
    parser.add_argument(
        "candidate", type=Path, metavar="B", help="the folder of the candidate's run"
    )
    parser.add_argument(
        "--policy", type=Path, metavar="FILE", help="a robust.toml whose gates decide"
    )
    parser.add_argument(
        "--reference",
        type=Path,
        metavar="DIR",
        help="a run that stays while baselines come and go: what was lost since it",
    )
    parser.add_argument(
        "-v", "--verbose", action="store_true", help="show every cell, direction and k"
    )
    parser.set_defaults(run=run)


def run(parsed: argparse.Namespace) -> int:
    from ...core.errors import RobustError

    try:
        code, lines = compare(
            parsed.baseline,
            parsed.candidate,
            parsed.policy,
            parsed.verbose,
            parsed.reference,
        )
    except RobustError as error:
        return report_error(text_of(error))
    for line in lines:
        print(line)
    return code


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
    from ...core.catalogue import Catalogues
    from ...core.config_file import read_config_file
    from ...gate.comparison import Run
    from ...gate.policy import Policy
    from ...gate.record import Against, judge_run
    from ...gate.toml import read_policy
    from ...reports.saved.read import load_run
    from ..gate_names import check_metrics, check_names, metrics_of_gates

    policy = Policy()
    config_file = None
    if policy_file is not None:
        config_file = read_config_file(policy_file)
        policy = read_policy(config_file)
    run = load_run(candidate)
    plan = run.measured.plan
    catalogues = Catalogues()
    # Checked before anything is judged: a gate on nothing would be met by any run.
    if config_file is not None:
        check_names(policy, plan, catalogues, config_file)
        check_metrics(policy, plan, catalogues, run.measured.metrics)
        metrics = metrics_of_gates(policy, catalogues)
        run = Run(run.measured, run.evidence.with_metrics(metrics))
    policy.check(plan, levels_typed=True, severities_typed=True)
    return judge_run(
        run,
        policy,
        Against(load_run(baseline)),
        against_reference=Against(None if reference is None else load_run(reference)),
    )


def _lines(record: RunRecord, is_judged: bool, verbose: bool) -> Iterator[Line]:
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
                " sets, occluders and levels."
            )
        ]
        return
    yield from difference_lines(baseline.cells, None if verbose else SHOWN)
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
