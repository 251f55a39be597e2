"""Measures on first use: the first case of a model and data set measures all that are planned."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import contextmanager, suppress
from copy import copy
from dataclasses import replace
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import pytest

from ...core.cases import CLEAN, Case, Cell, Json
from ...core.errors import MetricError, RobustError, TimedOutError
from ...core.foreign import FOREIGN, described, let_go, traced, without_frames
from ...core.memory import or_device_error
from ...core.outcomes import Outcome
from ...core.searches import BreakingOutcome
from ...core.time_limit import TimeLimit, within
from ...gate.arrays import case_key, dataset_key
from ...retrieval.curve import Curve
from .edited_reports import RunEdits, cases_with_edits, is_gated
from .hardware_note import hardware_note
from .loading import Loader, give_memory_back
from .planning import PlannedCells
from .restart_note import restart_note, restarts_in
from .samples import Samples
from .shared_pictures import SharedPictures
from .state import RunState
from .store_size import StoreSize
from .sweep_inputs import sweep_inputs

if TYPE_CHECKING:
    from ...core.counterfactual_outcomes import Counterfactuals
    from ...core.counterfactuals import EditedReports
    from ...measure.sweep.run import Measured, SweepResult

SEARCHED_IMAGES = 100
"""Images of a search, where neither a gate nor an option says how many."""


class Measurer:
    """Sweeps and searches, each once per model and data set."""

    def __init__(
        self, state: RunState, loader: Loader, planned: PlannedCells, samples: Samples
    ) -> None:
        self._state = state
        self._loader = loader
        self._planned = planned
        self._samples = samples
        self._pictures = SharedPictures(state, loader, planned)
        self._store_size = StoreSize(state, loader, planned)
        self._edits = RunEdits(loader)
        self._sweeps: dict[tuple[str, str], SweepResult | RobustError] = {}
        self._searches: dict[tuple[str, str], BreakingOutcome | RobustError] = {}
        self._outcomes: dict[Case, Outcome] = {}
        self._metric_errors: dict[Case, MetricError] = {}

    # What tests ask for

    def outcome(self, case: Case) -> Outcome:
        """The measured case. Raises the `RobustError` that its measurement ended with,
        or that of a metric that it lacks.
        """
        if case not in self._outcomes:
            self._outcomes[case] = self._outcome(case)
        if case in self._metric_errors:
            raise copy(self._metric_errors[case])
        return self._outcomes[case]

    def _outcome(self, case: Case) -> Outcome:
        from ...measure.api import outcome_of

        measured = self._measured(case)
        if isinstance(measured, RobustError):
            # A copy: the error that stays here must hold no frames.
            raise copy(measured)
        if measured.metric_error is not None:
            self._metric_errors[case] = measured.metric_error
        key = case_key(case)
        self._state.store.save(
            key, image_ranks=measured.image_ranks, report_ranks=measured.report_ranks
        )
        self._keep_query_keys(case.model, case.dataset)
        self._let_ranks_go(case, measured)
        return outcome_of(case, measured, key)

    def _let_ranks_go(self, case: Case, measured: Measured) -> None:
        """Leave the ranks of a case to the run's store, which has a limit in memory.

        Level 0 is a cell of many cases: the others will ask for its ranks.
        """
        result = self._sweeps[case.model, case.dataset]
        if case.cell != CLEAN and not isinstance(result, RobustError):
            result.cells[case.cell] = measured.without_ranks()

    def curve(self, case: Case) -> Curve:
        """The outcomes of a case at every level of this run."""
        levels = self._state.settings.levels_of(case.family)
        cases = [replace(case, level=level) for level in levels]
        return Curve(tuple(self.outcome(at_level) for at_level in cases))

    def curves(self, case: Case) -> tuple[Curve, ...]:
        """The curves of a case's model, data set and occluder, one per seed of this run."""
        seeds = self._state.settings.seeds
        return tuple(self.curve(replace(case, seed=seed)) for seed in seeds)

    def breaking(self, model: str, dataset: str) -> BreakingOutcome:
        """The smallest occlusions that break the model on the data set."""
        key = (model, dataset)
        if key not in self._searches:
            with _error_kept(self._searches, "search", model, dataset):
                self._searches[key] = self._search(model, dataset)
        outcome = self._searches[key]
        if isinstance(outcome, RobustError):
            raise copy(outcome)
        return outcome

    def lacks_edits(self, model: str, dataset: str) -> bool:
        """Whether the data set has no edits and no gate is about them: then there is
        nothing to measure, and nothing that passes.
        """
        return not self._edits.exist(dataset) and not is_gated(
            self._state, model, dataset
        )

    def counterfactuals(self, model: str, dataset: str) -> Counterfactuals:
        """How the images of each cell compare with edited reports."""
        from ...measure.counterfactual.evaluation import counterfactuals_of

        self._edits.of(dataset)  # raises what keeps them from being made
        key = (model, dataset)
        if key not in self._planned.with_edits:
            # A fixture that was asked for late: a sweep without edits is run again.
            self._planned.with_edits.add(key)
            self._sweeps.pop(key, None)
        clean, *others = cases_with_edits(self._state, model, dataset)
        result = self._sweep(model, dataset, clean.cell)
        for case in others:
            # All but those of a fixture that was asked for late are in the first sweep.
            result = self._sweep(model, dataset, case.cell)
        if isinstance(result, RobustError):
            raise copy(result)
        return counterfactuals_of(result, clean, [case.cell for case in others])

    # What was measured, for the verdict and for test reports

    @property
    def outcomes(self) -> Mapping[Case, Outcome]:
        """The outcomes that tests have asked for, as they come."""
        return MappingProxyType(self._outcomes)

    def sweep_of(self, model: str, dataset: str) -> SweepResult | RobustError | None:
        """The sweep of a model and data set, or its error; None before it was begun."""
        return self._sweeps.get((model, dataset))

    def without_metrics(self, model: str, dataset: str) -> list[Outcome]:
        """The outcomes of a model and data set that no test gets, because a metric of
        theirs failed: all else of them was measured.
        """
        # After every test: so only what failed is looked through.
        return [
            self._outcomes[case]
            for case in self._metric_errors
            if (case.model, case.dataset) == (model, dataset)
        ]

    def described_datasets(self) -> tuple[Json, ...]:
        """The descriptions of all data sets of which a sweep has come to its end."""
        results = [
            result
            for result in self._sweeps.values()
            if not isinstance(result, RobustError)
        ]
        return tuple({r.dataset["name"]: r.dataset for r in results}.values())

    # Sweeps

    def _measured(self, case: Case) -> Measured | RobustError:
        cell = case.cell
        result = self._sweep(case.model, case.dataset, cell)
        return result if isinstance(result, RobustError) else result.cells[cell]

    def _sweep(self, model: str, dataset: str, cell: Cell) -> SweepResult | RobustError:
        """The sweep that holds `cell`: run again, with it, where a test was not planned."""
        result = self._sweeps.get((model, dataset))
        if isinstance(result, RobustError):
            return result
        if result is not None and cell in result.cells:
            return result
        self._planned.add(model, dataset, cell)
        with _error_kept(self._sweeps, "sweep", model, dataset):
            self._sweeps[model, dataset] = self._run_sweep(model, dataset)
        if isinstance(self._sweeps[model, dataset], TimedOutError):
            self._state.give_ray_up()
        self._pictures.release(model, dataset, self._sweeps)
        result = self._sweeps[model, dataset]
        if not isinstance(result, RobustError):
            self._note_precision(model, dataset)
            self._note_hardware(model, dataset, result)
            self._note_restarts(model, dataset)
            self._samples.keep(model, dataset, result)
        if self._state.embeddings is not None:
            self._state.embeddings.prune()
        # What was gathered of the cells is free now, in pieces all over the heap.
        give_memory_back()
        return result

    def _run_sweep(self, model: str, dataset: str) -> SweepResult:
        from ...measure.sweep.run import run_sweep

        inputs = sweep_inputs(
            self._state,
            self._loader,
            model,
            dataset,
            self._planned.hidden_cells(model, dataset),
        )
        options = replace(
            inputs.options,
            edits=self._edits_of_sweep(model, dataset),
            tell=self._state.tell,
            tell_size=partial(self._store_size.tell, model, dataset),
            timeout=self._state.timeout_of(model),
            pictures=self._pictures.for_sweep(model, dataset, self._sweeps),
        )
        return or_device_error(
            lambda: run_sweep(
                inputs.encoder, inputs.pairs, inputs.cells, inputs.ks, options
            ),
            f"{model} to be measured",
            inputs.encoder.device,
        )

    def _edits_of_sweep(self, model: str, dataset: str) -> EditedReports | None:
        if (model, dataset) not in self._planned.with_edits:
            return None
        return self._edits.of_sweep(dataset)

    def _keep_query_keys(self, model: str, dataset: str) -> None:
        """Put the query keys and patient clusters of a data set into the store."""
        from ...measure.query_keys import query_arrays

        result = self._sweeps[model, dataset]
        key = dataset_key(dataset)
        store = self._state.store
        if not isinstance(result, RobustError) and store.load(key) is None:
            store.save(key, **query_arrays(result.pairs))

    def _note_hardware(self, model: str, dataset: str, result: SweepResult) -> None:
        note = hardware_note(model, dataset, result)
        # A sweep that is run again, with another cell, says the same.
        if note is not None and note not in self._loader.notes:
            self._loader.notes.append(note)

    def _note_restarts(self, model: str, dataset: str) -> None:
        loaded = self._loader.loaded(model)
        restarts = restarts_in((loaded.encoder, *(loaded.copies or ())))
        note = restart_note(model, dataset, restarts - loaded.restarts)
        loaded.restarts = restarts
        if note is not None:
            self._loader.notes.append(note)

    def _note_precision(self, model: str, dataset: str) -> None:
        """Note on the model's card what half precision does to its embeddings, once.

        Nothing is noted where there is no room for both.
        """
        card = self._loader.cards[model]
        if self._state.settings.precision == "fp32" or "precision_effect" in card:
            return
        from ...measure.half_precision import precision_effect

        effect = None
        with suppress(*FOREIGN):
            half = self._loader.model(model)
            # Rows that a model compares by itself are no directions.
            if not hasattr(half, "similarity"):
                selected = self._state.selection.models[model]
                exact = self._loader.load(selected, precision="fp32")
                effect = precision_effect(half, exact, self._loader.dataset(dataset))
                del exact  # so that its memory can be given back
        card["precision_effect"] = effect
        give_memory_back()

    # Searches

    def _search(self, model: str, dataset: str) -> BreakingOutcome:
        from ...measure.breaking import breaking_arrays, run_search
        from ...measure.search import USUAL_FILL, Search

        # A gate's own numbers win over the options, and these over the defaults.
        settings = self._state.settings
        k = max(settings.ks)
        images = settings.search_images or SEARCHED_IMAGES
        grid = settings.search_grid
        limit = self._state.policy.breaking_limit(model, dataset)
        if limit is not None:
            k = limit.k
            images = limit.images or images
            grid = limit.grid or grid
        encoder = self._loader.model(model)
        search = Search(
            encoder,
            self._loader.dataset(dataset),
            grid=grid,
            fill=USUAL_FILL,
            images=images,
            k=k,
            limit=settings.limit,
            batch_size=settings.batch_size,
            copies=lambda: self._loader.copies_of(model),
            shards=self._loader.shards_of(encoder),
        )
        result = within(
            TimeLimit(self._state.timeout_of(model)),
            lambda: run_search(search, tell=self._state.tell),
            lambda limit: _search_too_late(limit, model, dataset),
        )
        key = f"breaking-{case_key(result.outcome.case)}"
        pairs = search.pairs
        self._state.store.save(key, **breaking_arrays(result, pairs))
        self._samples.keep(model, dataset, result)
        return replace(result.outcome, arrays_key=key)


def _search_too_late(limit: TimeLimit, model: str, dataset: str) -> TimedOutError:
    from ...measure.sweep.reached import with_place

    error = TimedOutError(
        f"Expected the search of {model} on {dataset} to end within"
        f" timeout={limit.seconds:g} seconds, and it did not. Raise the timeout, or lower"
        " --robust-search-images."
    )
    return with_place(error, limit)


@contextmanager
def _error_kept(
    results: MutableMapping[tuple[str, str], Any], work: str, model: str, dataset: str
) -> Iterator[None]:
    """Keep the error of a sweep or search as its result, so that no further test begins it again.

    What ends it from outside, pytest-timeout for one, is raised on.
    """
    try:
        yield
    except RobustError as error:
        results[model, dataset] = without_frames(error)
    except FOREIGN as error:
        sentence = (
            f"Expected the {work} of {model} on {dataset} to end, got"
            f" {described(error)}."
        )
        ours = RobustError(f"{sentence} Fix the model, or the data set's class.")
        results[model, dataset] = traced(ours, error)
        let_go(error)
    except pytest.skip.Exception:
        raise  # a loader that skips does so for each test
    except BaseException as error:
        results[model, dataset] = RobustError(
            f"Expected the {work} of {model} on {dataset} to end, but it was"
            f" interrupted ({type(error).__name__}). The first test of a model and"
            " data set measures all of their cells: raise its time-out, or lower"
            " --robust-limit."
        )
        raise
