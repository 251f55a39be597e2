"""The whole summary, from the tables to the verdict of the release gate."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ...core.shown_values import shown_place
from ..drift_sentences import drift_sentences
from ..error_tables import error_lines
from ..family_sentences import sentences
from ..group_tables import group_lines
from ..metric_tables import metric_lines
from ..notes import decoding_notes, loading_notes
from ..reference_tables import attempt_lines, reference_lines
from .baseline import baseline_lines
from .blocks import BLOCKS, printable_blocks
from .curve_tables import table_lines
from .edits import edit_lines
from .every_cell import cell_lines
from .family_tables import family_lines
from .gate_power import power_lines
from .layouts import layout_lines
from .lines import Line, Span, sentence_lines
from .searches import search_lines

if TYPE_CHECKING:
    import pytest

    from ...gate.record import RunRecord

_QUIET = -1
"""The verbosity of `-q`."""
_FEW = 4
"""Fewer absent models, or met gates, than this are each explained."""


def write_summary(run: RunRecord, reporter: pytest.TerminalReporter) -> None:
    """Print the run.

    With `-q` only the tables and what was not met, with `-qq` only the last line.
    """
    if reporter.verbosity >= _QUIET:
        reporter.section("retrieval robustness")
        for line in summary_lines(run, reporter.verbosity, printable_blocks()):
            for span in line:
                markup = {span.colour: True} if span.colour else {}
                reporter.write(span.text, **markup)
            reporter.write("\n")
    colour = "green" if run.release.is_green else "red"
    reporter.write(release_line(run) + "\n", **{colour: True, "bold": True})


def release_line(run: RunRecord) -> str:
    """The last line: `RELEASE GATE: PASSED (...)`, `FAILED ...`, `NOT JUDGED (...)` or
    `MEASURED ONLY (...)`.
    """
    return run.release.line


def summary_lines(
    run: RunRecord, verbosity: int = 0, blocks: str = BLOCKS
) -> Iterator[Line]:
    """The summary but for its last line."""
    if verbosity < 0:
        yield from table_lines(run, verbosity, blocks)
        yield from family_lines(run, verbosity)
        yield from edit_lines(run.counterfactuals, verbosity)
        yield from _objections(run)
        return
    if run.replayed:
        origin = f"the run of {run.identity.started} (id {run.identity.id})"
        yield [Span(f"judged again: {origin}", "bold")]
    yield from table_lines(run, verbosity, blocks)
    yield from family_lines(run, verbosity)
    if verbosity > 0:
        yield from cell_lines(run)
        yield from power_lines(run.verdicts)
    yield from metric_lines(run)
    yield from layout_lines(run.layouts, verbosity)
    yield from search_lines(run.breaking, verbosity, blocks)
    yield from edit_lines(run.counterfactuals, verbosity)
    yield from sentence_lines("drift:", _drift_sentences(run))
    yield from baseline_lines(run.baseline, verbosity)
    yield from group_lines(run, verbosity)
    yield from error_lines(run, verbosity)
    yield from reference_lines(run, verbosity)
    yield from sentence_lines("met:", _met_beside_saved_runs(run, verbosity), "green")
    # What has to be read comes last: a terminal shows the end.
    yield from verdict_lines(run, verbosity)
    yield from sentence_lines("broken:", run.broken, "red")
    yield from sentence_lines("not tested:", _absent_models(run, verbosity), "yellow")
    yield from sentence_lines("loaded:", loading_notes(run))
    yield from sentence_lines("decoded:", decoding_notes(run))
    yield from attempt_lines(run)
    yield from sentence_lines("note:", run.warnings, "yellow")
    if run.results is not None:
        yield [Span(f"results: {shown_place(run.results)} (run.json, ranks.npz)")]
    for path in run.reports:
        yield [Span(f"report: {shown_place(path)}")]


def _objections(run: RunRecord) -> Iterator[Line]:
    """What even a quiet log has to hold, or nobody knows why a run failed."""
    yield from verdict_lines(run)
    yield from sentence_lines("broken:", run.broken, "red")
    absent = [
        f"{model.name}: {model.reason}"
        for model in run.models
        if model.named and not model.tested
    ]
    yield from sentence_lines("not tested:", absent, "yellow")


def verdict_lines(run: RunRecord, verbosity: int = 0) -> Iterator[Line]:
    """The sentences of what was not met, and of what is open.

    Of several severities the first one has a sentence; with `-v` each has one.
    """
    for name, head, colour in (
        ("fail", "failed:", "red"),
        ("inconclusive", "inconclusive:", "yellow"),
    ):
        verdicts = [verdict for verdict in run.verdicts if verdict.verdict == name]
        said = sentences(verdicts)
        if verbosity > 0:
            said = [verdict.sentence for verdict in verdicts]
        yield from sentence_lines(head, said, colour)


def _met_beside_saved_runs(run: RunRecord, verbosity: int) -> list[str]:
    """How much less was found than by a saved run, where that is no loss beyond the margin.

    The tables have each level, and such a gate is mostly about all of them together.
    """
    met = [
        verdict.sentence
        for verdict in run.verdicts
        if verdict.verdict == "pass" and verdict.gate.kind.is_paired
    ]
    return met if verbosity > 0 or len(met) < _FEW else []


def _drift_sentences(run: RunRecord) -> list[str]:
    """What is not said among what failed."""
    failed = {verdict.sentence for verdict in run.verdicts if verdict.verdict == "fail"}
    return [sentence for sentence in drift_sentences(run) if sentence not in failed]


def _absent_models(run: RunRecord, verbosity: int) -> list[str]:
    """Why each selected model is not tested.

    A model that only `all` or a pattern selected is listed without its reason.
    """
    absent = [model for model in run.models if not model.tested]
    explains_all = verbosity > 0 or len(absent) < _FEW
    explained = [model for model in absent if model.named or explains_all]
    sentences = [f"{model.name}: {model.reason}" for model in explained]
    listed = [model.name for model in absent if model not in explained]
    if listed:
        advice = "(`-v` says what each of them lacks and how to get it)"
        sentences.append(f"{', '.join(listed)} {advice}")
    return sentences
