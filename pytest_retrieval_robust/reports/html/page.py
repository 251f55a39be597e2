"""The HTML report: one file that loads nothing from elsewhere.

It holds images and texts only where a user asked for them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ...core.outcomes import ModelRecord
from ...core.verdict import GateKind, VerdictName
from ...gate.record import RunRecord
from .._text import short
from ..answer_tables import AnswerRow, answer_rows
from ..error_tables import ErrorRow, error_rows, why_dashes
from ..metric_tables import MetricTable, metric_tables
from ..notes import notes_of
from ..reference_tables import (
    ReferenceRow,
    attempt_sentences,
    reference_rows,
    why_no_baseline,
)
from ..run_series import series_of
from ..saved_run import host_of
from ..series import Series
from .cell_table import Row, table_levels, table_rows
from .changes import Change, changes_of
from .costs import CostTable, cost_table, speeds
from .curves import Figure, curve_figures, member_figures
from .downloads import Downloads, downloads_of
from .edits import EditSection, edit_sections
from .families import FamilyPart, family_parts
from .gate_table import GateRow, gate_rows
from .groups import GroupPart, group_part
from .provenance import Facts, facts, policy_text
from .rendering import Assets, environment
from .searches import Breaking, Maps, breaking_figures, sensitivity_maps
from .svg import SHADES
from .views import Switches
from .worst import WorstRow, guided_kinds, worst_rows

if TYPE_CHECKING:
    from ...core.sample_sheets import SampleSheet


def render_html(run: RunRecord, samples: Sequence[SampleSheet] = ()) -> str:
    """The whole page; docs/reports.md says what it shows.

    Images and report texts are in `samples` alone.
    """
    template = environment().get_template("page.html.j2")
    return template.render(page_of(run, samples).names())


@dataclass(frozen=True)
class Samples:
    """Images and texts of patients, as far as the run was asked to show them."""

    sheets: tuple[SampleSheet, ...]
    means: dict[bytes, str]
    """Mean picture of a data set -> its id in the page."""
    shows_images: bool
    maps: list[Maps]
    """Drawn on the mean pictures, where there are any."""


@dataclass(frozen=True, repr=False)
class Page:
    """Every name that the template uses, beside filters and `swatch`."""

    run: RunRecord
    assets: Assets
    switches: Switches
    counts: dict[VerdictName, int]
    legend: list[tuple[int, str]]
    """(number, name) of each model."""
    figures: list[Figure]
    levels: list[float]
    rows: list[Row]
    layouts: int
    """The most mask layouts that a mean is over."""
    severities: list[str]
    """Occluders whose levels are severities."""
    guided: list[tuple[str, str]]
    occluder_figures: list[Figure]
    worst_rows: list[WorstRow]
    families: list[FamilyPart]
    """Corruptions and text noise."""
    errors: list[ErrorRow]
    """Beside a baseline."""
    errors_note: str | None
    """Why some of them are missing."""
    since_reference: list[ReferenceRow]
    reference_note: str | None
    """Why the baseline's columns are empty."""
    attempts: list[str]
    """Which attempt it is, in sentences."""
    answers: list[AnswerRow]
    metrics: list[MetricTable]
    changes: list[Change]
    gates: list[GateRow]
    ungated: int
    notes: list[str]
    absent: list[ModelRecord]
    """Models that were not tested."""
    breaking: list[Breaking]
    edits: list[EditSection]
    groups: GroupPart | None
    """None without strata."""
    samples: Samples
    shades: list[int]
    speeds: list[list[str]]
    costs: CostTable
    models: list[tuple[str, Facts]]
    datasets: list[tuple[str, Facts]]
    host: Facts
    policy: str
    downloads: Downloads

    @property
    def has_recall(self) -> bool:
        """Whether any outcome was measured."""
        return bool(self.figures or self.families)

    @property
    def brand(self) -> str:
        """What the page is about."""
        if self.families:
            return "Retrieval robustness"
        return "Retrieval under occlusion"

    def names(self) -> dict[str, Any]:
        """Every name that the template uses, with its value."""
        return {**vars(self), "has_recall": self.has_recall, "brand": self.brand}


def page_of(run: RunRecord, samples: Sequence[SampleSheet] = ()) -> Page:
    series = series_of(run)
    switches = Switches.of(series)
    hidden = [line for line in series if line.family == "occlusion"]
    numbers = _model_numbers(run, switches)
    changes = changes_of(run)
    gates = gate_rows(run.verdicts)
    tested = [model for model in run.models if model.tested]
    return Page(
        run=run,
        assets=Assets.read(),
        switches=switches,
        counts=run.verdict_counts(),
        legend=[(numbers[name], short(name)) for name in switches.models],
        figures=list(curve_figures(hidden, switches)),
        levels=table_levels(hidden),
        rows=list(table_rows(hidden, switches)),
        layouts=max((len(line.seeds) for line in series), default=1),
        severities=_severities(hidden),
        guided=guided_kinds(switches.occluders),
        occluder_figures=list(member_figures(hidden, switches)),
        worst_rows=list(worst_rows(hidden, switches)),
        families=list(family_parts(series, switches)),
        errors=error_rows(run),
        errors_note=why_dashes(error_rows(run)),
        since_reference=reference_rows(run),
        reference_note=why_no_baseline(run),
        attempts=attempt_sentences(run),
        answers=answer_rows(run),
        metrics=list(metric_tables(run)),
        changes=changes,
        gates=gates,
        ungated=sum(verdict.gate.kind is GateKind.NONE for verdict in run.verdicts),
        notes=notes_of(run),
        absent=[model for model in run.models if not model.tested],
        breaking=list(breaking_figures(run, numbers)),
        edits=list(edit_sections(run, numbers)),
        groups=group_part(run, switches),
        samples=_samples(run, samples),
        shades=list(range(SHADES + 1)),
        speeds=speeds(run),
        costs=cost_table(run),
        models=[(model.name, facts(model.as_json())) for model in tested],
        datasets=[(dataset["name"], facts(dataset)) for dataset in run.datasets],
        host=facts(host_of(run)),
        policy=policy_text(run.policy),
        downloads=downloads_of(run, series, changes, gates),
    )


def _model_numbers(run: RunRecord, switches: Switches) -> dict[str, int]:
    """A number per model, which decides how its lines look: the swept ones first."""
    searched = [search.model for search in run.breaking]
    compared = [outcome.case.model for outcome in run.counterfactuals]
    names = dict.fromkeys([*switches.models, *searched, *compared])
    return {name: place for place, name in enumerate(names)}


def _severities(series: Sequence[Series]) -> list[str]:
    return list(dict.fromkeys(line.occluder for line in series if line.is_severity))


def _samples(run: RunRecord, sheets: Sequence[SampleSheet]) -> Samples:
    means: dict[bytes, str] = {}
    grounds: dict[tuple[str, str], str] = {}
    for sheet in sheets:
        if sheet.mean is not None:
            # Models that saw the same images share one picture.
            ground = means.setdefault(sheet.mean, f"mean-{len(means)}")
            grounds[sheet.model, sheet.dataset] = ground
    return Samples(
        tuple(sheet for sheet in sheets if sheet.samples),
        means,
        shows_images=bool(sheets),
        maps=sensitivity_maps(run.breaking, grounds),
    )
