"""`python -m pytest_retrieval_robust compare A B`: two saved runs, the baseline first,
outside of pytest.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ...core.catalogue import Catalogues
from ...core.config_file import read_config_file
from ...gate.policy import Policy
from ...gate.record import Against, RunRecord, judge_run
from ...gate.toml import read_policy
from ...reports.baseline import difference_lines, significant_losses
from ...reports.lines import Line, Span
from ...reports.saved.read import load_run
from ...reports.terminal import release_line, verdict_lines
from ..gate_names import check_names

SHOWN = 20


def compare(
    baseline: Path, candidate: Path, policy_file: Path | None, verbose: bool
) -> tuple[int, list[str]]:
    """(exit code, lines): 0 fine, 1 a gate or, without a policy, a significant loss, 2
    not comparable.

    Raises `RobustError` for a run or policy that cannot be read.
    """
    policy = (
        Policy() if policy_file is None else read_policy(read_config_file(policy_file))
    )
    run = load_run(candidate)
    if policy_file is not None:
        check_names(
            policy, run.measured.plan, Catalogues(), read_config_file(policy_file)
        )
    policy.check(run.measured.plan, levels_typed=True)
    record = judge_run(run, policy, Against(load_run(baseline)))
    lines = [
        "".join(span.text for span in line)
        for line in _lines(record, policy_file is not None, verbose)
    ]
    return _exit_code(record, policy_file is not None), lines


def _lines(record: RunRecord, judged: bool, verbose: bool) -> Iterator[Line]:
    found = record.baseline
    assert found is not None
    yield [Span(f"baseline:  {found.started}, id {found.id}")]
    yield [Span(f"candidate: {record.identity.started}, id {record.identity.id}")]
    for sentence in (*found.obstacles, *found.vanished):
        yield [Span(sentence)]
    if found.obstacles:
        return
    if not found.cells:
        yield [
            Span(
                "The two have no cell in common. Compare runs of the same models, data"
                " sets, occluders and levels."
            )
        ]
        return
    yield from difference_lines(found.cells, None if verbose else SHOWN)
    if judged:
        yield from verdict_lines(record)
        yield [Span(release_line(record))]
        return
    losses = significant_losses(found.cells)
    yield [
        Span(f"{len(losses)} of {len(found.cells)} cells lost (Holm's p below 0.05)")
    ]


def _exit_code(record: RunRecord, judged: bool) -> int:
    assert record.baseline is not None
    if record.baseline.obstacles or not record.baseline.cells:
        return 2
    if judged:
        return 0 if record.release.is_green else 1
    return (
        1
        if record.baseline.vanished or significant_losses(record.baseline.cells)
        else 0
    )
