"""What a sweep of a model on a data set is begun with, from a run's settings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ...core.cases import Cell
    from ...measure.pairs import Pairs
    from ...measure.sweep.changes import Perturbation
    from ...measure.sweep.plan import SweepPlan
    from ...measure.sweep.run import SweepOptions
    from ...models import DualEncoder
    from .loading import Loader
    from .state import RunState


@dataclass(frozen=True, repr=False)
class SweepInputs:
    """A loaded model, the pairs to be evaluated, and how."""

    encoder: DualEncoder
    pairs: Pairs
    cells: Sequence[tuple[Cell, Perturbation]]
    """Every cell above level 0, with what it does."""
    ks: Sequence[int]
    options: SweepOptions

    def plan(self) -> SweepPlan:
        from ...measure.sweep.run import plan_sweep

        return plan_sweep(self.encoder, self.pairs, self.cells, self.ks, self.options)


def sweep_inputs(
    state: RunState, loader: Loader, model: str, dataset: str, cells: Sequence[Cell]
) -> SweepInputs:
    """Load a model and a data set by their names, for these cells above level 0.

    Raises the `RobustError` of what cannot be loaded, and `ConfigError` for a gate by a
    stratum that the data set has not.
    """
    from ...gate.policy_checks import check_strata
    from ...measure.sweep.only_stored import stored_engine
    from ...measure.sweep.run import SweepOptions

    settings = state.settings
    selection = state.selection
    encoder = loader.model(model)
    pairs = loader.pairs(dataset)
    strata = [stratum.name for stratum in pairs.strata.strata]
    models = state.whole_plan.models
    check_strata(state.judging_policy.rules, models, dataset, strata)
    options = SweepOptions(
        precision=settings.precision,
        batch_size=settings.batch_size,
        store=state.embeddings,
        copies=lambda: loader.copies_of(model),
        metrics=state.metrics,
        decoding=settings.decoding,
    )
    if settings.engine == "stored":
        engine = stored_engine(settings.device_kinds)
        options = replace(options, engine=engine)
    if settings.engine == "ray":
        options = state.ray.options(options, encoder, settings)
    return SweepInputs(
        encoder,
        pairs,
        [(cell, selection.perturbation(cell.family, cell.occluder)) for cell in cells],
        settings.ks,
        options,
    )
