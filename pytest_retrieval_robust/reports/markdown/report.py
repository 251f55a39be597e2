"""The whole report, the most important first."""

from __future__ import annotations

from collections.abc import Iterator

from ...core.verdict import VerdictName
from ...core.words import counted
from ...gate.record import RunRecord
from ...gate.release import Status
from .._text import short
from ..answer_tables import answer_blocks
from ..drift_sentences import drift_sentences
from ..error_tables import error_blocks
from ..family_sentences import sentences
from ..group_tables import group_blocks
from ..metric_tables import metric_blocks
from ..notes import notes_of
from ..reference_tables import reference_blocks
from ..run_series import series_of
from .changes import change_blocks
from .dialect import code, listed, text
from .edits import edit_blocks
from .family_tables import family_blocks
from .measurements import cost_blocks, search_blocks
from .provenance import provenance_block
from .recall_tables import recall_blocks


def render_markdown(run: RunRecord) -> str:
    """The whole file. It holds what the record holds: no image, no report's text, no id."""
    return "\n\n".join(blocks(run)) + "\n"


def blocks(run: RunRecord) -> Iterator[str]:
    """Its paragraphs, lists and tables.

    A reader with less room, such as a step's summary, takes the first of them.
    """
    release = run.release
    has_families = any(each.case.family != "occlusion" for each in run.outcomes)
    subject = "retrieval robustness" if has_families else "retrieval under occlusion"
    yield f"## {release.sign} {release.title}: {subject}"
    if release.status is not Status.PASSED:
        yield text(release.why)
    yield _counts(run)
    yield from listed("Not met", _sentences_of(run, "fail"))
    yield from listed("Broken tests", run.broken, count=run.broken_tests)
    yield from listed("Inconclusive", _sentences_of(run, "inconclusive"))
    yield from _absent_models(run)
    yield from change_blocks(run)
    yield from reference_blocks(run)
    series = series_of(run)
    yield from recall_blocks([line for line in series if line.family == "occlusion"])
    yield from family_blocks(series)
    yield from group_blocks(run)
    yield from error_blocks(run)
    yield from answer_blocks(run)
    yield from metric_blocks(run)
    yield from search_blocks(run)
    yield from edit_blocks(run)
    yield from listed("Drift from fingerprints", drift_sentences(run))
    yield from cost_blocks(run)
    yield from listed("Notes", notes_of(run))
    yield provenance_block(run)


def _counts(run: RunRecord) -> str:
    counts = run.verdict_counts()
    gates = [
        f"{counted(counts['pass'], 'gate')} met",
        f"{counts['fail']} not met",
        f"{counts['inconclusive']} inconclusive",
    ]
    models = counted(len(run.models), "model")
    sentences = [f"{', '.join(gates)}, {len(run.measured_models)} of {models} tested."]
    if run.scope.partial is not None:
        sentences.append(f"A partial run ({text(run.scope.partial)}).")
    if run.replayed:
        sentences.append("Judged again from a saved run.")
    return " ".join(sentences)


def _sentences_of(run: RunRecord, name: VerdictName) -> list[str]:
    return sentences(verdict for verdict in run.verdicts if verdict.verdict == name)


def _absent_models(run: RunRecord) -> Iterator[str]:
    """Why a model that was named is missing. Others are only listed: patterns match many."""
    absent = [model for model in run.models if not model.tested]
    reasons = [
        f"{short(model.name)}: {model.reason}" for model in absent if model.named
    ]
    yield from listed("Not tested", reasons)
    others = [code(model.name) for model in absent if not model.named]
    if others:
        yield f"Not tested, and selected only by a pattern: {', '.join(others)}."
